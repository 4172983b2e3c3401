"""What people ask about a repository, answered as values. Reads, and never writes."""

from mgit.viewing.describing import FileRow, NodeView, StatementRow, TensorSummary, show
from mgit.viewing.listing import NameRow, Standing, names
from mgit.viewing.past import LogRow, ParentLink, log
from mgit.viewing.person import KeyRow, OwnKey, Whoami, own_keys, whoami
from mgit.viewing.sizes import ModelSize, Stats, stats
from mgit.viewing.standing import AbsentNodes, AsideName, Behind, ConflictedName, Status, status
from mgit.viewing.trail import Trail, TrailStep, verify
from mgit.viewing.view import NOT_HERE, Person

__all__ = [
    "NOT_HERE",
    "AbsentNodes",
    "AsideName",
    "Behind",
    "ConflictedName",
    "FileRow",
    "KeyRow",
    "LogRow",
    "ModelSize",
    "NameRow",
    "NodeView",
    "OwnKey",
    "ParentLink",
    "Person",
    "Standing",
    "StatementRow",
    "Stats",
    "Status",
    "TensorSummary",
    "Trail",
    "TrailStep",
    "Whoami",
    "log",
    "names",
    "own_keys",
    "show",
    "stats",
    "status",
    "verify",
    "whoami",
]
