"""Objects to bytes and back: ``[kind, what it keeps alive, fields]`` in canonical form."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from mgit import canonical
from mgit.canonical import Value
from mgit.digest import Digest
from mgit.errors import FormatError
from mgit.objects import fields
from mgit.objects.checkpoint import CHUNK, Content, Layout, Manifest, Weights
from mgit.objects.code import Check, Recipe
from mgit.objects.entry import Entry
from mgit.objects.fields import Ref
from mgit.objects.node import Node
from mgit.objects.root import RepositoryRoot
from mgit.objects.signed import ENTRY_TYPE, ROOT_TYPE, STATEMENT_TYPE, Payload, Signature
from mgit.objects.statement import Statement

MAX_OBJECT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Unknown:
    """An object of a kind that this version does not know: kept and passed on."""

    kind: str
    kept: frozenset[Ref]
    fields: Value

    def keeps(self) -> set[Ref]:
        """Returns what must stay while this object stays."""
        return set(self.kept)

    def body(self) -> Value:
        """Returns the fields as values."""
        return self.fields


_Plain: TypeAlias = Weights | Content | Layout | Manifest | Recipe | Check | Node | Signature
MetaObject: TypeAlias = _Plain | Payload | Unknown

_KINDS: dict[str, type[_Plain]] = {
    kind.kind: kind for kind in (Weights, Content, Layout, Manifest, Recipe, Check, Node, Signature)
}
LIMITS = {Payload.kind: Payload.limit_bytes} | {
    name: kind.limit_bytes for name, kind in _KINDS.items()
}
KINDS = frozenset({CHUNK, *LIMITS})  # all others are kept and passed on, never interpreted
_UNKNOWN_LIMIT_BYTES = 4 << 20
_SIGNED: dict[str, Callable[[Payload], Entry | RepositoryRoot | Statement]] = {
    ENTRY_TYPE: Entry.from_payload,
    ROOT_TYPE: RepositoryRoot.from_payload,
    STATEMENT_TYPE: Statement.from_payload,
}


def encode(obj: MetaObject) -> bytes:
    """Returns the bytes of ``obj``."""
    return canonical.encode((obj.kind, tuple(sorted(obj.keeps())), obj.body()))


def digest_of(obj: MetaObject) -> Digest:
    """Returns the digest of ``obj``."""
    return Digest.of(encode(obj))


def decode(data: bytes) -> MetaObject:
    """Returns the object whose bytes are ``data``; ``encode(decode(data)) == data``.

    Raises:
        FormatError: Not the one form of an object, or it cites other things than it says it keeps.
    """
    value = canonical.parse(data, limit_bytes=MAX_OBJECT_BYTES)
    kind, kept, body = fields.row(value, 3, "object")
    kind = fields.typed(kind, str, "kind")
    refs = frozenset(_parse_ref(item) for item in fields.typed(kept, tuple, "keeps"))
    limit = LIMITS.get(kind, _UNKNOWN_LIMIT_BYTES)
    if len(data) > limit:
        raise FormatError(f"a {kind} object of {len(data):,} bytes; {limit:,} are allowed")
    obj = _parse(kind, refs, body)
    if not _is_form_of(data, obj):
        raise FormatError(f"a {kind} not in its one form, or citing what it does not keep")
    return obj


def _is_form_of(data: bytes, obj: MetaObject) -> bool:
    try:
        return encode(obj) == data
    except ValueError as error:  # an unknown kind with a value that has no canonical form
        raise FormatError(f"not a canonical value: {error}") from error


def _parse(kind: str, refs: frozenset[Ref], body: Value) -> MetaObject:
    if kind == Payload.kind:
        payload = Payload.parse(fields.typed(body, dict, kind), refs)
        if payload.type in _SIGNED:
            _SIGNED[payload.type](payload)  # FormatError where it cites other things than it says
        return payload
    if kind not in _KINDS:
        return Unknown(kind, refs, body)
    return _KINDS[kind].parse(fields.typed(body, dict, kind))


def _parse_ref(value: Value) -> Ref:
    kind, digest = fields.row(value, 2, "reference")
    return Ref(fields.typed(kind, str, "kind"), fields.as_digest(digest, "reference"))
