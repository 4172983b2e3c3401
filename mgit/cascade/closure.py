"""What may be published of a cascade that is over: nothing without what it was made from."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum

from mgit.cascade.choices import KEPT
from mgit.cascade.plan import Plan, PlannedStep
from mgit.cascade.states import GOOD, State
from mgit.digest import Digest


class Publish(Enum):
    """How much is published if not everything could be made.

    ``CLOSED``: each model with all that was made for it. ``ALL``: everything or nothing.
    """

    CLOSED = "closed"
    ALL = "all"
    NONE = "none"


def publishable(
    plan: Plan, states: Mapping[Digest, State], mode: Publish
) -> tuple[PlannedStep, ...]:
    """Returns the steps whose new version is published, in the order of the plan.

    Unchanged ones have none. Nor is one published if anything that was to be made for it, or
    together with it, was not made; nor what has no name, unless something published is made from
    it. For ``ALL``, whatever the plan could not do counts as not made; what it was told to keep
    does not.
    """
    good = {step.node for step in plan.steps if states[step.node] in GOOD}
    match mode:
        case Publish.NONE:
            closed = set()
        case Publish.ALL:
            wanted = {step.node for step in plan.steps if step.action not in KEPT}
            closed = good if wanted == good else set()
        case Publish.CLOSED:
            closed = good - _with_descendants(plan, states.keys() - good)
    done = (node for node in closed if states[node] is State.DONE)
    return _of_use(plan, frozenset(done))


def without_moved(
    plan: Plan, steps: Sequence[PlannedStep], moved: Collection[str]
) -> tuple[PlannedStep, ...]:
    """Returns ``steps`` without those whose name was moved by somebody meanwhile.

    And without what was made from these, or together with them, at any distance; and without what
    has no name and is needed no more.
    """
    moved = frozenset(moved)
    stale = {step.node for step in plan.steps if not moved.isdisjoint(step.names)}
    lost = _with_descendants(plan, stale)
    return _of_use(plan, frozenset(step.node for step in steps) - lost)


def _of_use(plan: Plan, nodes: Collection[Digest]) -> tuple[PlannedStep, ...]:
    """Returns the steps among ``nodes`` that have a name, or that such a one is made from."""
    used: list[PlannedStep] = []
    cited: set[Digest] = set()
    for step in reversed(plan.steps):
        if step.node in nodes and (step.names or step.node in cited):
            used.append(step)
            cited.update(step.after)
    return tuple(reversed(used))


def _with_descendants(plan: Plan, nodes: Iterable[Digest]) -> set[Digest]:
    """Returns ``nodes``, their groups, and every step that needs any of these."""
    found = set(nodes)
    for unit in plan.units:
        needed = plan.by_node[unit[0]].after
        if not found.isdisjoint(unit) or not found.isdisjoint(needed):
            found.update(unit)
    return found
