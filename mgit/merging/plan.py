"""What a merge would do, tensor by tensor and file by file. Pure: from manifests, not from weights.

A tensor counts as changed where its chunks, type or shape are others, so most are decided at once:
whatever only one side changed is taken. What both changed, each in its own way, takes a method that
somebody asked for, or is a conflict: a value like any other, on which nothing moves.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeAlias, TypeVar

from mgit.combine import Choice, Formula, Method, Side, Statistics, is_combinable
from mgit.comparing import Change
from mgit.errors import UsageError
from mgit.merging.configs import is_config
from mgit.merging.rules import Rules
from mgit.objects import FileEntry, TensorEntry
from mgit.repository import Parts

T = TypeVar("T", TensorEntry, FileEntry)


@dataclass(frozen=True, slots=True)
class Versions(Generic[T]):
    """One tensor or file in the three models; None where it is not in one."""

    base: T | None
    ours: T | None
    theirs: T | None

    def of(self, side: Side) -> T | None:
        """Returns the version of one side."""
        return {Side.BASE: self.base, Side.OURS: self.ours, Side.THEIRS: self.theirs}[side]

    @property
    def changed_by(self) -> frozenset[Side]:
        """The sides whose version is not the base's."""
        sides = {Side.OURS: self.ours, Side.THEIRS: self.theirs}
        return frozenset(side for side, version in sides.items() if version != self.base)

    @property
    def decided(self) -> Side | None:
        """The side whose version three-way merging takes; None where each changed it its own way.

        Ours where it does not matter.
        """
        if self.theirs in {self.ours, self.base}:
            return Side.OURS
        return Side.THEIRS if self.ours == self.base else None


class Origin(Enum):
    """Who made a tensor or file of the result what it is."""

    NOBODY = "equal"
    BOTH = "both"
    OURS = "ours"
    THEIRS = "theirs"
    BASE = "base"


class Reason(Enum):
    """Why a conflict is one."""

    EDITED = "edited on both sides"
    ADDED = "added on both sides, not the same"
    DELETED = "deleted on one side, edited on the other"
    KIND = "edited on both sides, with another shape or type"
    NOT_FLOAT = "edited on both sides; such values can be chosen, not combined"
    KEYS = "the same keys edited on both sides"


@dataclass(frozen=True, slots=True)
class Taken(Generic[T]):
    """The version of one side is the result.

    Attributes:
        name: Tensor or path.
        versions: What it is in the three models.
        side: Whose version it is.
        method: The method that chose the side, where both had changed it.
    """

    name: str
    versions: Versions[T]
    side: Side
    method: Method | None = None

    @property
    def result(self) -> T | None:
        """What it is in the merged model; None: it is not in it."""
        return self.versions.of(self.side)

    @property
    def change(self) -> Change:
        """What became of it since the base."""
        if self.result == self.versions.base:
            return Change.EQUAL
        if self.versions.base is None:
            return Change.ADDED
        return Change.REMOVED if self.result is None else Change.EDITED

    @property
    def origin(self) -> Origin:
        """Who made it so."""
        if not self.versions.changed_by:
            return Origin.NOBODY
        return (
            Origin.BOTH
            if self.is_as(Side.OURS) and self.is_as(Side.THEIRS)
            else Origin(self.side.value)
        )

    def is_as(self, side: Side) -> bool:
        """Returns whether the result is also the version of ``side``."""
        return self.result == self.versions.of(side)


@dataclass(frozen=True, slots=True)
class Combined:
    """A tensor is computed from the three versions, which have one shape and type."""

    name: str
    versions: Versions[TensorEntry]
    method: Method

    @property
    def entries(self) -> tuple[TensorEntry, TensorEntry, TensorEntry]:
        """Base, ours, theirs."""
        base, ours, theirs = self.versions.base, self.versions.ours, self.versions.theirs
        if base is None or ours is None or theirs is None:
            raise ValueError(f"{self.name} is not in all three models")
        return base, ours, theirs


@dataclass(frozen=True, slots=True)
class ByKeys:
    """A configuration file that both sides edited is joined key by key.

    Attributes:
        name: Its path.
        versions: What it is in the three models.
        content: The joined file; None where the versions were not read.
    """

    name: str
    versions: Versions[FileEntry]
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Conflicted(Generic[T]):
    """Somebody has to decide.

    Attributes:
        name: Tensor or path.
        versions: What it is in the three models.
        reason: Why.
        statistics: How far the sides moved, where that was measured.
        keys: For ``Reason.KEYS``: which.
    """

    name: str
    versions: Versions[T]
    reason: Reason
    statistics: Statistics | None = None
    keys: tuple[str, ...] = ()


TensorDecision: TypeAlias = Taken[TensorEntry] | Combined | Conflicted[TensorEntry]
FileDecision: TypeAlias = Taken[FileEntry] | ByKeys | Conflicted[FileEntry]


@dataclass(frozen=True, slots=True)
class Plan:
    """Every tensor and file of the three models, by name, with what becomes of it.

    Attributes:
        tensors: The tensors.
        files: The files that behaviour may depend on.
        documents: The others. Ours is taken where both sides changed one: nothing depends on it.
    """

    tensors: tuple[TensorDecision, ...]
    files: tuple[FileDecision, ...]
    documents: tuple[Taken[FileEntry], ...]

    def counts(self) -> dict[str, int]:
        """Returns how many tensors are equal, taken from whom, combined, in conflict."""
        counted = Counter(_counted_as(decision) for decision in self.tensors)
        return {kind: counted[kind] for kind in _COUNTED}

    @property
    def overruled(self) -> tuple[str, ...]:
        """The documents of which theirs is lost."""
        return tuple(d.name for d in self.documents if d.versions.decided is None)


_COMBINED, _CONFLICT = "combined", "conflict"
_COUNTED = (*(origin.value for origin in Origin), _COMBINED, _CONFLICT)


def _counted_as(decision: TensorDecision) -> str:
    match decision:
        case Taken():
            return decision.origin.value
        case Combined():
            return _COMBINED
        case Conflicted():
            return _CONFLICT


def make_plan(base: Parts, ours: Parts, theirs: Parts, rules: Rules) -> Plan:
    """Returns what a merge would do.

    Args:
        base: What both sides come from.
        ours: The one side; decides what nothing else does.
        theirs: The other side.
        rules: What to do with what both changed.

    Raises:
        UsageError: A strategy that decides nothing: it is not what its writer meant.
    """
    models = (base, ours, theirs)
    tensors = list(_versions([m.weights.tensors for m in models]))
    files = list(_versions([m.content.files for m in models]))
    documents = _versions([m.manifest.documents for m in models])
    _check_used(rules, (*_disputed(tensors), *_disputed(files)))
    return Plan(
        tuple(_tensor(name, versions, rules) for name, versions in tensors),
        tuple(_file(name, versions, rules) for name, versions in files),
        tuple(Taken(name, v, v.decided or Side.OURS) for name, v in documents),
    )


def _versions(models: list[Mapping[str, T]]) -> Iterator[tuple[str, Versions[T]]]:
    for name in sorted({name for model in models for name in model}):
        base, ours, theirs = (model.get(name) for model in models)
        yield name, Versions(base, ours, theirs)


def _disputed(items: Iterable[tuple[str, Versions[T]]]) -> list[str]:
    return [name for name, versions in items if versions.decided is None]


def _check_used(rules: Rules, disputed: Iterable[str]) -> None:
    used = {rules.strategy(name) for name in disputed}
    unused = [str(strategy) for strategy in rules.strategies if strategy not in used]
    if unused:
        raise UsageError(
            f"nothing that both sides changed is left for the strategy {', '.join(unused)}",
            hint="mgit merge --dry-run shows what both changed; the first strategy that fits wins",
        )


def _tensor(name: str, versions: Versions[TensorEntry], rules: Rules) -> TensorDecision:
    side, method = versions.decided, rules.method(name)
    if side:
        return Taken(name, versions, side)
    if method and isinstance(method.rule, Choice):
        return Taken(name, versions, method.rule.side, method)
    reason = _reason(versions)
    if method and isinstance(method.rule, Formula) and reason is Reason.EDITED:
        return Combined(name, versions, method)
    return Conflicted(name, versions, reason)


def _reason(versions: Versions[TensorEntry]) -> Reason:
    base, ours, theirs = versions.base, versions.ours, versions.theirs
    if ours is None or theirs is None:
        return Reason.DELETED
    if base is None:
        return Reason.ADDED
    if len({(entry.dtype, entry.shape) for entry in (base, ours, theirs)}) > 1:
        return Reason.KIND
    return Reason.EDITED if is_combinable(base.dtype) else Reason.NOT_FLOAT


def _file(name: str, versions: Versions[FileEntry], rules: Rules) -> FileDecision:
    side, method = versions.decided, rules.method(name)
    if side:
        return Taken(name, versions, side)
    if method and isinstance(method.rule, Choice):
        return Taken(name, versions, method.rule.side, method)
    if versions.ours is None or versions.theirs is None:
        return Conflicted(name, versions, Reason.DELETED)
    if versions.base is None:
        return Conflicted(name, versions, Reason.ADDED)
    return ByKeys(name, versions) if is_config(name) else Conflicted(name, versions, Reason.EDITED)
