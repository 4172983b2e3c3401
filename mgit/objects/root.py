"""The root document: who may do what in a repository. The first one is its identity."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import ClassVar, Self

from mgit import canonical
from mgit.canonical import Value
from mgit.digest import Digest
from mgit.errors import FormatError, UsageError
from mgit.objects import fields
from mgit.objects.fields import Ref
from mgit.objects.grammar import check_label
from mgit.objects.signed import KEY_BYTES, ROOT_TYPE, Payload


class Role(Enum):
    """What a key may do."""

    ROOT = "root"  # sign the next root document
    MAINTAINER = "maintainer"  # move the names of its patterns


@dataclass(frozen=True, slots=True)
class Member:
    """A key in a root document.

    Attributes:
        key: Raw public key.
        label: What the repository calls it.
        roles: What it may do.
        names: Patterns of the names it may move; ``*`` matches across ``/``.
    """

    key: bytes
    label: str
    roles: frozenset[Role]
    names: tuple[str, ...] = ("*",)

    def may_move(self, name: str) -> bool:
        """Returns whether this key may move ``name``."""
        return Role.MAINTAINER in self.roles and any(
            fnmatchcase(name, pattern) for pattern in self.names
        )


@dataclass(frozen=True, slots=True)
class Cut:
    """Of this key only the entries behind ``heads`` count, and none of ``void``.

    ``void`` is there because an honest person may have written on top of what a thief wrote with
    the same key.
    """

    key: bytes
    heads: frozenset[Digest]
    void: frozenset[Digest] = frozenset()


@dataclass(frozen=True, slots=True)
class RepositoryRoot:
    """One root document.

    Attributes:
        predecessors: Root payloads it replaces; none for the genesis document.
        nonce: Makes two repositories of the same people two repositories.
        level: Format level.
        members: Keys, by raw key.
        thresholds: How many keys of a role must agree; every role is named.
        cuts: Of keys that were revoked or narrowed.
    """

    limit_bytes: ClassVar[int] = 1 << 20
    predecessors: tuple[Digest, ...]
    nonce: bytes
    level: int
    members: Mapping[bytes, Member]
    thresholds: Mapping[Role, int]
    cuts: tuple[Cut, ...] = ()

    def holders(self, role: Role) -> frozenset[bytes]:
        """Returns the keys that hold ``role``."""
        return frozenset(key for key, member in self.members.items() if role in member.roles)

    def may_move(self, key: bytes, name: str) -> bool:
        """Returns whether ``key`` may move ``name`` under this document alone."""
        return key in self.members and self.members[key].may_move(name)

    def payload(self) -> Payload:
        """Returns the payload object to be signed."""
        return Payload(ROOT_TYPE, canonical.encode(self._body()), frozenset(self._keeps()))

    def _body(self) -> dict[str, Value]:
        return {
            "predecessors": tuple(sorted(self.predecessors)),
            "nonce": self.nonce,
            "level": self.level,
            "members": tuple(
                (m.key, m.label, tuple(sorted(r.value for r in m.roles)), m.names)
                for _, m in sorted(self.members.items())
            ),
            "thresholds": {role.value: count for role, count in self.thresholds.items()},
            "cuts": tuple(
                sorted((c.key, tuple(sorted(c.heads)), tuple(sorted(c.void))) for c in self.cuts)
            ),
        }

    def _keeps(self) -> set[Ref]:
        return {Ref(Payload.kind, digest) for digest in self.predecessors}

    @classmethod
    def from_payload(cls, payload: Payload) -> Self:
        """Returns the root document in ``payload``.

        Raises:
            FormatError: No root document, not in its one form, or it demands what it cannot meet.
        """
        body = canonical.parse(payload.content, limit_bytes=cls.limit_bytes)
        root = cls._parse(fields.typed(body, dict, "root"))
        if root.payload() != payload:
            raise FormatError("a root document that is not in its one form")
        root.check()
        return root

    @classmethod
    def _parse(cls, body: dict[str, Value]) -> Self:
        members = [_parse_member(value) for value in fields.rows(body, "members")]
        return cls(
            fields.as_digests(body.get("predecessors"), "predecessors"),
            fields.octets(body, "nonce"),
            fields.integer(body.get("level"), "level"),
            {member.key: member for member in members},
            {
                _role(key): fields.integer(n, key)
                for key, n in fields.table(body, "thresholds").items()
            },
            tuple(_parse_cut(value) for value in fields.rows(body, "cuts")),
        )

    def check(self) -> None:
        """Raises FormatError unless labels are unique and every threshold can be met."""
        labels = [member.label for member in self.members.values()]
        if len(labels) != len(set(labels)):
            raise FormatError("a root document gives one label to two keys")
        if set(self.thresholds) != set(Role):
            raise FormatError("a root document must give a threshold for every role")
        for role, count in self.thresholds.items():
            if not 1 <= count <= max(1, len(self.holders(role))):
                raise FormatError(f"a root document demands {count} keys of role {role.value}")
        if not self.holders(Role.ROOT):
            raise FormatError("a root document without a root key")


def _role(value: Value) -> Role:
    try:
        return Role(value)
    except ValueError as error:
        raise FormatError(f"unknown role {value!r}") from error


def _parse_member(value: Value) -> Member:
    key, label, roles, names = fields.row(value, 4, "member")
    try:
        checked = check_label(fields.typed(label, str, "label"))
    except UsageError as error:
        raise FormatError(str(error)) from error
    return Member(
        fields.sized(key, KEY_BYTES, "key"),
        checked,
        frozenset(_role(role) for role in fields.typed(roles, tuple, "roles")),
        fields.texts(names, "names"),
    )


def _parse_cut(value: Value) -> Cut:
    key, heads, void = fields.row(value, 3, "cut")
    return Cut(
        fields.sized(key, KEY_BYTES, "key"),
        frozenset(fields.as_digests(heads, "heads")),
        frozenset(fields.as_digests(void, "void")),
    )
