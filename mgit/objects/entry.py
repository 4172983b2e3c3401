"""One signed step in a key's log: all its moves count, or none does."""

from dataclasses import dataclass
from typing import ClassVar, Self

from mgit import canonical
from mgit.canonical import Value
from mgit.digest import Digest
from mgit.errors import FormatError, UsageError
from mgit.objects import fields
from mgit.objects.fields import Ref
from mgit.objects.grammar import check_label, check_name
from mgit.objects.node import Node
from mgit.objects.signed import ENTRY_TYPE, KEY_BYTES, Payload

LEVEL = 1
MAX_SUPERSEDED = 1000


@dataclass(frozen=True, slots=True)
class Move:
    """One name pointed elsewhere.

    Attributes:
        name: The name moved.
        target: The node it now points to, or None when the name was deleted.
        supersedes: Entries with a live move of this name that the writer had seen; at most 1,000.
    """

    name: str
    target: Digest | None
    supersedes: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of one key in one repository.

    Attributes:
        repository: Digest of the genesis payload; an entry of another repository never counts here.
        key: Raw public key of the writer.
        label: What the writer calls that key; a label in the root wins.
        previous: Heads of the key's own log that the writer had seen.
        root: The root document that the writer saw.
        nonce: Makes a repeated decision a new entry.
        level: Format level; never lower than in its own past.
        moves: Sorted by name, at most one a name.
        claims: Payloads of the statements made in this step.
    """

    limit_bytes: ClassVar[int] = 4 << 20
    repository: Digest
    key: bytes
    label: str
    previous: tuple[Digest, ...]
    root: Digest
    nonce: bytes
    level: int
    moves: tuple[Move, ...]
    claims: tuple[Digest, ...]

    def payload(self) -> Payload:
        """Returns the payload object to be signed."""
        return Payload(ENTRY_TYPE, canonical.encode(self._body()), frozenset(self._keeps()))

    def _body(self) -> dict[str, Value]:
        return {
            "repository": self.repository,
            "key": self.key,
            "label": self.label,
            "previous": tuple(sorted(self.previous)),
            "root": self.root,
            "nonce": self.nonce,
            "level": self.level,
            "moves": tuple((m.name, m.target, tuple(sorted(m.supersedes))) for m in self.moves),
            "claims": tuple(sorted(self.claims)),
        }

    def _keeps(self) -> set[Ref]:
        cited = {self.repository, self.root, *self.previous, *self.claims}
        cited.update(old for move in self.moves for old in move.supersedes)
        targets = {Ref(Node.kind, move.target) for move in self.moves if move.target}
        return {Ref(Payload.kind, digest) for digest in cited} | targets

    @classmethod
    def from_payload(cls, payload: Payload) -> Self:
        """Returns the entry in ``payload``.

        Raises:
            FormatError: No entry, not in its one form, or it cites other things than it says.
        """
        body = canonical.parse(payload.content, limit_bytes=cls.limit_bytes)
        entry = cls._parse(fields.typed(body, dict, "entry"))
        if entry.payload() != payload:
            raise FormatError("an entry that is not in its one form")
        return entry

    @classmethod
    def _parse(cls, body: dict[str, Value]) -> Self:
        moves = tuple(_parse_move(value) for value in fields.rows(body, "moves"))
        names = [move.name for move in moves]
        if names != sorted(set(names)):
            raise FormatError("an entry moves names out of order, or one twice")
        entry = cls(
            fields.digest(body, "repository"),
            fields.sized(body.get("key"), KEY_BYTES, "key"),
            fields.text(body, "label"),
            fields.as_digests(body.get("previous"), "previous"),
            fields.digest(body, "root"),
            fields.octets(body, "nonce"),
            fields.integer(body.get("level"), "level"),
            moves,
            fields.as_digests(body.get("claims"), "claims"),
        )
        _check_grammar(entry)
        return entry


def _check_grammar(entry: Entry) -> None:
    try:
        check_label(entry.label)
        for move in entry.moves:
            check_name(move.name)
    except UsageError as error:
        raise FormatError(str(error)) from error


def _parse_move(value: Value) -> Move:
    name, target, supersedes = fields.row(value, 3, "move")
    replaced = fields.as_digests(supersedes, "supersedes")
    if len(replaced) > MAX_SUPERSEDED:
        raise FormatError(f"a move supersedes {len(replaced)} entries, more than {MAX_SUPERSEDED}")
    return Move(
        fields.typed(name, str, "name"),
        None if target is None else fields.as_digest(target, "target"),
        replaced,
    )
