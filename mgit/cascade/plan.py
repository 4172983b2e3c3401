"""What has to be made again because something it was made from has a newer version. Pure.

A plan is a value: each affected model once, what it would be made from, why, and in which order. A
parent in the cascade counts in its new version, any other in the version that was recorded. Knows
nothing of recipes, files, trust or time: what of these matters comes in with the `Choices`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from mgit.cascade.affected import Affected, find_affected
from mgit.cascade.choices import OBSTACLES, Action, Choices
from mgit.cascade.ordering import by_priority, joined, topological
from mgit.cascade.replacing import Unit
from mgit.digest import Digest
from mgit.lineage import Lineage
from mgit.objects import EdgeKind, Node

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Recorded:
    """A node that exists is the parent."""

    node: Digest


@dataclass(frozen=True, slots=True)
class Made:
    """What a step of the plan makes is the parent."""

    step: Digest


Bound: TypeAlias = Recorded | Made


@dataclass(frozen=True, slots=True)
class Binding:
    """Who takes the place of one provenance parent.

    Attributes:
        role: What the parent is used as.
        old: The parent as recorded.
        new: Who it is now.
    """

    role: str
    old: Digest
    new: Bound

    @property
    def is_changed(self) -> bool:
        """Whether it is not the node that was recorded."""
        return self.new != Recorded(self.old)


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One affected model.

    Attributes:
        node: The version that would be replaced; the id of the step.
        names: What points to it, sorted; none for what only lies between.
        title: How it is called.
        action: What becomes of it.
        reason: Why, for people.
        bindings: What it would be made from, by role; as recorded where its version is kept.
        group: Everything that one run makes together with it, itself included; sorted.
        estimate_s: How long that run takes, where somebody knows.
        after: The steps that must be done before, with all of their groups; sorted.
        blocked_by: If blocked: the obstacles that it waits for, sorted; of those that block one
            and the same step that it needs, the first.
    """

    node: Digest
    names: tuple[str, ...]
    title: str
    action: Action
    reason: str
    bindings: tuple[Binding, ...]
    group: Unit
    estimate_s: float | None
    after: tuple[Digest, ...]
    blocked_by: tuple[Digest, ...] = ()

    @property
    def name(self) -> str:
        """The first of its names; empty where it has none."""
        return next(iter(self.names), "")


@dataclass(frozen=True)
class Plan:
    """Every affected model, once.

    Attributes:
        updates: Old node -> new node: what the plan follows from.
        steps: Each after all that it needs, and the start of the longest remaining path first; the
            members of a group stand together.
    """

    updates: Mapping[Digest, Digest]
    steps: tuple[PlannedStep, ...]

    @cached_property
    def by_node(self) -> Mapping[Digest, PlannedStep]:
        """The steps by id."""
        return {step.node: step for step in self.steps}

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """What is made together, in the order of the steps."""
        return tuple(dict.fromkeys(step.group for step in self.steps))


def make_plan(
    lineage: Lineage,
    names: Mapping[str, Digest],
    updates: Mapping[Digest, Digest],
    choices: Choices,
) -> Plan:
    """Returns what a cascade would do.

    Args:
        lineage: The graph.
        names: What each name points to, conflicted ones left out; all of it is here.
        updates: Old node -> new node, as `default_updates` returns it.
        choices: What is wanted, and what is known.

    Raises:
        NotFoundError: A new node, or what a name points to, is not here.
        UsageError: Models would each have to be made before the other.
    """
    updates = {old: new for old, new in updates.items() if old != new}
    live = frozenset(names.values())
    affected = find_affected(lineage, live, updates, choices)
    in_plan = sorted(affected.needed_for(live))
    scene = _Scene(choices, affected, _inverted(names), updates)
    bindings = {node: _bindings(scene, lineage[node], node) for node in in_plan}
    needed = {unit: _needed(scene, unit, bindings) for unit in map(affected.unit, in_plan)}
    titles = {unit: joined(map(scene.title, unit)) for unit in needed}
    verdicts: dict[Unit, _Verdict] = {}
    order = topological(needed, titles)
    for unit in order:
        before = {other: verdicts[other] for other in needed[unit]}
        verdicts[unit] = _verdict(scene, unit, before)
    seconds = {unit: _seconds(scene, unit, verdicts[unit]) for unit in order}
    steps = [
        _step(scene, node, verdicts[unit], {n: bindings[n] for n in unit})
        for unit in by_priority(order, needed, seconds, titles)
        for node in sorted(unit, key=scene.title)
    ]
    return Plan(updates, tuple(steps))


@dataclass(frozen=True, slots=True)
class _Scene:
    """What is known before the first step is drawn up."""

    choices: Choices
    affected: Affected
    names: Mapping[Digest, tuple[str, ...]]
    updates: Mapping[Digest, Digest]

    def title(self, node: Digest) -> str:
        named = next(iter(self.names.get(node, ())), node.short)
        return self.choices.titles.get(node, named)

    def titles(self, nodes: Iterable[Digest]) -> str:
        return _listed(sorted(map(self.title, nodes)))


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What becomes of a unit.

    Attributes:
        action: The action of all its members.
        after: All members of the units that it needs.
        reason: Why; empty: because of its changed parents.
        blocked_by: The obstacles that it waits for.
    """

    action: Action
    after: tuple[Digest, ...] = ()
    reason: str = ""
    blocked_by: tuple[Digest, ...] = ()


def _inverted(names: Mapping[str, Digest]) -> dict[Digest, tuple[str, ...]]:
    found: defaultdict[Digest, list[str]] = defaultdict(list)
    for name in sorted(names):
        found[names[name]].append(name)
    return {node: tuple(called) for node, called in found.items()}


# --- what it is made from ---


def _bindings(scene: _Scene, node: Node, node_id: Digest) -> tuple[Binding, ...]:
    cited = sorted((e.role, e.parent) for e in node.edges if e.kind is EdgeKind.PROVENANCE)
    standing = scene.affected.standing[node_id]
    return tuple(
        Binding(role, parent, _bound(scene, parent, standing.get(parent, parent)))
        for role, parent in cited
    )


def _bound(scene: _Scene, parent: Digest, stand_in: Digest) -> Bound:
    """Returns what takes the place of ``parent`` where something is made from it again."""
    if scene.affected.is_stopped(stand_in):
        return Recorded(parent)
    if scene.affected.is_remade(stand_in):
        return Made(stand_in)
    is_out_of_date = parent in scene.updates or parent in scene.affected.nodes
    return Recorded(stand_in if is_out_of_date or scene.choices.takes_latest else parent)


def _needed(
    scene: _Scene, unit: Unit, bindings: Mapping[Digest, tuple[Binding, ...]]
) -> tuple[Unit, ...]:
    """Returns the units that are made before this one."""
    if unit[0] in scene.affected.kept:
        return ()
    bound = {binding.new for node in unit for binding in bindings[node]}
    return tuple(sorted({scene.affected.unit(b.step) for b in bound if isinstance(b, Made)}))


# --- what becomes of it, and why ---


def _verdict(scene: _Scene, unit: Unit, before: Mapping[Unit, _Verdict]) -> _Verdict:
    choices = scene.choices
    obstacles = [choices.obstacles[node] for node in unit if node in choices.obstacles]
    kept = scene.affected.kept.get(unit[0])
    if kept:
        is_opaque = kept is Action.SKIP and not any(node in choices.skip for node in unit)
        return _Verdict(kept, reason=obstacles[0].reason if is_opaque else "")
    after = tuple(sorted(node for other in before for node in other))
    if obstacles:
        return _Verdict(obstacles[0].action, after, obstacles[0].reason)
    blockers = {blocker for other in before for blocker in _blockers(other, before[other])}
    if blockers:
        reason = f"blocked by {scene.titles(blockers)}"
        return _Verdict(Action.BLOCKED, after, reason, tuple(sorted(blockers)))
    return _Verdict(Action.BUILD, after)


def _blockers(unit: Unit, verdict: _Verdict) -> tuple[Digest, ...]:
    """Returns what a unit means for those that need it: lists of all would grow with each step."""
    if verdict.action in OBSTACLES:
        return unit[:1]
    return verdict.blocked_by[:1]


def _seconds(scene: _Scene, unit: Unit, verdict: _Verdict) -> float:
    return _estimate(scene, unit) or 0.0 if verdict.action is Action.BUILD else 0.0


def _estimate(scene: _Scene, unit: Unit) -> float | None:
    estimates = scene.choices.estimates
    return max((estimates[node] for node in unit if node in estimates), default=None)


def _step(
    scene: _Scene, node: Digest, verdict: _Verdict, bindings: Mapping[Digest, tuple[Binding, ...]]
) -> PlannedStep:
    """Draws up one step; ``bindings`` are those of its whole unit."""
    unit = scene.affected.unit(node)
    changed = [other for other in unit if any(b.is_changed for b in bindings[other])]
    changes = [_change(scene, b) for b in bindings[node] if b.is_changed]
    reason = _listed(dict.fromkeys(changes)) or f"made together with {scene.titles(changed)}"
    is_kept = node in scene.affected.kept
    return PlannedStep(
        node,
        scene.names.get(node, ()),
        scene.title(node),
        verdict.action,
        verdict.reason or reason,
        tuple(_as_recorded(b) if is_kept else b for b in bindings[node]),
        unit,
        _estimate(scene, unit),
        verdict.after,
        verdict.blocked_by,
    )


def _as_recorded(binding: Binding) -> Binding:
    return replace(binding, new=Recorded(binding.old))


def _change(scene: _Scene, binding: Binding) -> str:
    match binding.new:
        case Recorded(node):
            return f"{scene.title(binding.old)} -> {scene.title(node)}"
        case Made(step) if step == binding.old:
            return f"new {scene.title(step)}"
        case Made(step):
            return f"{scene.title(binding.old)} -> new {scene.title(step)}"


def _listed(texts: Iterable[str]) -> str:
    shown = list(texts)
    more = [f"{len(shown) - _SHOWN} more"] if len(shown) > _SHOWN else []
    return ", ".join([*shown[:_SHOWN], *more])
