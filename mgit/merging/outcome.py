"""What a plan amounts to: clean, in need of a test, or a conflict (arXiv 2307.07507, section 5)."""

from dataclasses import dataclass
from typing import TypeAlias

from mgit.combine import Side
from mgit.merging.plan import (
    ByKeys,
    Combined,
    Conflicted,
    FileDecision,
    Plan,
    Taken,
    TensorDecision,
)


@dataclass(frozen=True, slots=True)
class Clean:
    """In all that behaviour depends on, the result is one of the two sides."""

    side: Side


@dataclass(frozen=True, slots=True)
class NeedsTest:
    """The result has something of both sides, so it behaves like neither, and is untested.

    Also where the edits do not touch each other: measured, such a union of two fine-tunes is worse
    than each of them at what each of them is for.

    Attributes:
        from_ours: Tensors and files that only ours has so.
        from_theirs: Tensors and files that only theirs has so.
        combined: Tensors and files that neither side has so.
    """

    from_ours: tuple[str, ...]
    from_theirs: tuple[str, ...]
    combined: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody has to decide first; nothing moves.

    Attributes:
        tensors: Tensors without a decision.
        files: Files without one.
    """

    tensors: tuple[str, ...]
    files: tuple[str, ...]


Outcome: TypeAlias = Clean | NeedsTest | Conflict


def outcome_of(plan: Plan) -> Outcome:
    """Returns what a plan amounts to."""
    tensors = tuple(d.name for d in plan.tensors if isinstance(d, Conflicted))
    files = tuple(d.name for d in plan.files if isinstance(d, Conflicted))
    if tensors or files:
        return Conflict(tensors, files)
    relevant: tuple[TensorDecision | FileDecision, ...] = (*plan.tensors, *plan.files)
    as_ours = {d.name for d in relevant if _is_as(d, Side.OURS)}
    as_theirs = {d.name for d in relevant if _is_as(d, Side.THEIRS)}
    names = tuple(d.name for d in relevant)
    if as_ours.issuperset(names):
        return Clean(Side.OURS)
    if as_theirs.issuperset(names):
        return Clean(Side.THEIRS)
    return NeedsTest(
        tuple(name for name in names if name in as_ours - as_theirs),
        tuple(name for name in names if name in as_theirs - as_ours),
        tuple(name for name in names if name not in as_ours | as_theirs),
    )


def _is_as(decision: TensorDecision | FileDecision, side: Side) -> bool:
    match decision:
        case Taken():
            return decision.is_as(side)
        case Combined() | ByKeys() | Conflicted():
            return False
