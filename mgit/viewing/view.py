"""One reading of a repository: what every view of it asks for."""

from dataclasses import dataclass, field
from functools import cached_property

from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError
from mgit.objects import CREATION
from mgit.repository import (
    Absence,
    History,
    Parts,
    Presence,
    Repository,
    absences,
    presence,
    read_parts,
)
from mgit.selection import Selection
from mgit.signing import fingerprint

NOT_HERE, DAMAGED = "not here", "damaged"


@dataclass(frozen=True, slots=True)
class Person:
    """Who holds a key.

    Attributes:
        label: What the repository, or else the key itself, calls its owner.
        fingerprint: Of the public key, in hex.
        has_role: Whether what this key did counts under the repository's root.
    """

    label: str
    fingerprint: str
    has_role: bool

    def __str__(self) -> str:
        role = "" if self.has_role else ", no role"
        return f"{self.label} ({self.fingerprint[:8]}{role})"


@dataclass(frozen=True)
class View:
    """A repository, and what it held at one moment."""

    repository: Repository
    history: History
    _presences: dict[Digest, str] = field(default_factory=dict)

    @classmethod
    def of(cls, repository: Repository) -> "View":
        """Returns a view of what the repository holds now."""
        return cls(repository, repository.history())

    @cached_property
    def selection(self) -> Selection:
        """Selectors, and how nodes are called."""
        return Selection(self.repository, self.history)

    def title(self, node: Digest) -> str:
        """Returns the shortest way to call a node."""
        return self.selection.title(node)

    def person(self, key: bytes, *, has_role: bool) -> Person:
        """Returns who holds a key."""
        return Person(self._labels.get(key, "unknown"), fingerprint(key), has_role)

    def makers(self, node: Digest) -> tuple[Person, ...]:
        """Returns who states to have made a node: those with a role, or else those without."""
        claims = self.selection.provenance.about(node, CREATION)
        trusted = {claim.key: True for claim in claims if claim.is_trusted}
        found = trusted or {claim.key: False for claim in claims}
        return tuple(self.person(key, has_role=role) for key, role in sorted(found.items()))

    def presence(self, node: Digest) -> str:
        """Returns how much of a node is in this copy, in words."""
        if node not in self._presences:
            self._presences[node] = self._presence(node)
        return self._presences[node]

    def _presence(self, node: Digest) -> str:
        if node not in self.history.nodes:
            return NOT_HERE
        try:
            return presence(self.repository, self.history.nodes[node]).value
        except DamagedError:  # noted by the reader, and told by ``mgit fsck``
            return DAMAGED

    def absence(self, node: Digest) -> str:
        """Returns why something of a node is not in this copy; empty where all of it is."""
        if self.presence(node) == Presence.COMPLETE.value:
            return ""
        promised = self._absences.get(node)
        return promised.sentence() if promised else "damaged, or lost from this folder"

    def parts(self, node: Digest) -> Parts | None:
        """Returns the parts of a node; None where they are not in this copy, or damaged."""
        try:
            return read_parts(self.repository, self.history.nodes[node])
        except (AbsentError, DamagedError):
            return None

    @cached_property
    def _absences(self) -> dict[Digest, Absence]:
        return absences(self.repository)

    @cached_property
    def _labels(self) -> dict[bytes, str]:
        return self.history.names.labels()
