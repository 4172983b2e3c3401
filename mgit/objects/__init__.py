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
from mgit.objects.dtypes import DTYPES, DType, Order
from mgit.objects.encoding import KINDS, LIMITS, MetaObject, Unknown, decode, digest_of, encode
from mgit.objects.entry import LEVEL, MAX_SUPERSEDED, Entry, Move
from mgit.objects.fields import Ref
from mgit.objects.node import Edge, EdgeKind, Node
from mgit.objects.packs import MAX_PACK_BYTES, PackId, PackKind
from mgit.objects.root import Cut, Member, RepositoryRoot, Role
from mgit.objects.signed import ENTRY_TYPE, ROOT_TYPE, STATEMENT_TYPE, Payload, Signature
from mgit.objects.statement import ADOPTION, CREATION, NOTE, TAG, WITHDRAWAL, Statement, Subject

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
    "ROOT_TYPE",
    "STATEMENT_TYPE",
    "TAG",
    "WITHDRAWAL",
    "Content",
    "Cut",
    "DType",
    "Edge",
    "EdgeKind",
    "Entry",
    "FileEntry",
    "Layout",
    "Manifest",
    "Member",
    "MetaObject",
    "Move",
    "Node",
    "Order",
    "PackId",
    "PackKind",
    "Payload",
    "Ref",
    "RepositoryRoot",
    "Role",
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
