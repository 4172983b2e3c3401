"""A repository: a folder with packs, the person who uses it, and how a step is written into it."""

from mgit.repository.coding import coding_of
from mgit.repository.handle import FOLDER, Repository
from mgit.repository.history import History, genesis_documents, read_history
from mgit.repository.home import Home, Identity
from mgit.repository.leasing import leased
from mgit.repository.parts import (
    HERE,
    Absence,
    Parts,
    Presence,
    Reason,
    absences,
    lost,
    parts_of,
    presence,
    presence_of,
    read_parts,
    require_complete,
)
from mgit.repository.recording import (
    Chunks,
    Step,
    add_objects,
    install_objects,
    log_operation,
    new_entry,
    now,
    record,
    require_member,
)

__all__ = [
    "FOLDER",
    "HERE",
    "Absence",
    "Chunks",
    "History",
    "Home",
    "Identity",
    "Parts",
    "Presence",
    "Reason",
    "Repository",
    "Step",
    "absences",
    "add_objects",
    "coding_of",
    "genesis_documents",
    "install_objects",
    "leased",
    "log_operation",
    "lost",
    "new_entry",
    "now",
    "parts_of",
    "presence",
    "presence_of",
    "read_history",
    "read_parts",
    "record",
    "require_complete",
    "require_member",
]
