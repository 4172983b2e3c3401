"""Everything that has a digest: immutable values, and their one form as bytes."""

from mgit.objects.checkpoint import (
    CHUNK,
    Content,
    FileEntry,
    Layout,
    Manifest,
    Shard,
    TensorEntry,
    Weights,
)
from mgit.objects.code import Check, Code, Gate, Level, Recipe, Severity
from mgit.objects.dtypes import DTYPES, DType, Order
from mgit.objects.encoding import KINDS, LIMITS, MetaObject, Unknown, decode, digest_of, encode
from mgit.objects.entry import LEVEL, MAX_SUPERSEDED, Entry, Move
from mgit.objects.fields import Ref
from mgit.objects.node import Edge, EdgeKind, Node
from mgit.objects.packs import MAX_PACK_BYTES, PackId, PackKind
from mgit.objects.root import Cut, Member, RepositoryRoot, Role
from mgit.objects.signed import ENTRY_TYPE, ROOT_TYPE, STATEMENT_TYPE, Payload, Signature
from mgit.objects.statement import (
    ADOPTION,
    CREATION,
    NOTE,
    REGISTRATION,
    SCORES,
    TAG,
    TEST_RESULT,
    WITHDRAWAL,
    Statement,
    Subject,
)

__all__ = [
    "ADOPTION",
    "CHUNK",
    "CREATION",
    "DTYPES",
    "ENTRY_TYPE",
    "KINDS",
    "LEVEL",
    "LIMITS",
    "MAX_PACK_BYTES",
    "MAX_SUPERSEDED",
    "NOTE",
    "REGISTRATION",
    "ROOT_TYPE",
    "SCORES",
    "STATEMENT_TYPE",
    "TAG",
    "TEST_RESULT",
    "WITHDRAWAL",
    "Check",
    "Code",
    "Content",
    "Cut",
    "DType",
    "Edge",
    "EdgeKind",
    "Entry",
    "FileEntry",
    "Gate",
    "Layout",
    "Level",
    "Manifest",
    "Member",
    "MetaObject",
    "Move",
    "Node",
    "Order",
    "PackId",
    "PackKind",
    "Payload",
    "Recipe",
    "Ref",
    "RepositoryRoot",
    "Role",
    "Severity",
    "Shard",
    "Signature",
    "Statement",
    "Subject",
    "TensorEntry",
    "Unknown",
    "Weights",
    "decode",
    "digest_of",
    "encode",
]
