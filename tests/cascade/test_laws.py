"""Laws of plans, over random families; and the rules once more, written slowly."""

import random
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cached_property

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgit.cascade import (
    KEPT,
    OBSTACLES,
    Action,
    Binding,
    Choices,
    Made,
    Opaque,
    Plan,
    Recorded,
    default_updates,
    make_plan,
    replacing,
)
from mgit.digest import Digest
from mgit.errors import UsageError
from mgit.lineage import Lineage
from mgit.objects import Edge, EdgeKind, Node, digest_of
from tests.cascade.drawing import Drawn, families, plans

MORE = settings(max_examples=settings().max_examples * 6)  # each is over in a millisecond


class Slowly:
    """The rules, one after the other, with no thought of how long that takes."""

    def __init__(self, drawn: Drawn) -> None:
        self.drawn, self.choices = drawn, drawn.choices
        self.live = set(drawn.names.values())

    def unit(self, node: Digest) -> tuple[Digest, ...]:
        groups = self.choices.groups
        if node not in groups:
            return (node,)
        return tuple(sorted(n for n in groups if groups[n] == groups[node]))

    def said(self, node: Digest, nodes: Collection[Digest]) -> bool:
        return any(member in nodes for member in self.unit(node))

    def is_stopped(self, node: Digest) -> bool:
        return self.said(node, self.choices.stop) or self.said(node, self.choices.pinned)

    def is_kept(self, node: Digest) -> bool:
        manual = {n for n, o in self.choices.obstacles.items() if o.action is Action.MANUAL}
        opaque = manual if self.choices.opaque is Opaque.KEEP else set()
        return self.is_stopped(node) or self.said(node, {*self.choices.skip, *opaque})

    def parents(self, node: Digest) -> list[tuple[str, Digest]]:
        edges = self.drawn.nodes[node].edges
        return sorted((e.role, e.parent) for e in edges if e.kind is EdgeKind.PROVENANCE)

    def replacement(self, node: Digest, parent: Digest) -> Digest:
        closed = set(self.unit(node))
        for member in self.unit(node):
            closed |= self.drawn.lineage.descendants(member)
        updated = self.drawn.updates.get(parent, parent)
        if updated != parent and updated not in closed:
            return updated
        heirs = self.drawn.lineage.descendants(parent, EdgeKind.VERSION) & self.live
        if parent not in self.live and len(heirs) == 1 and not heirs <= closed:
            return next(iter(heirs))
        return parent

    @cached_property
    def affected(self) -> set[Digest]:
        found: set[Digest] = set()
        while True:
            before = len(found)
            for node in self.drawn.nodes:
                if any(self.is_delivered(node, p, found) for _, p in self.parents(node)):
                    found.update(self.unit(node))
            if len(found) == before:
                return found

    def is_delivered(self, node: Digest, parent: Digest, found: set[Digest]) -> bool:
        replacement = self.replacement(node, parent)
        if self.is_stopped(replacement):
            return False
        if replacement in found and not self.is_kept(replacement):
            return True
        return replacement != parent and (parent in self.drawn.updates or parent in found)

    def binding(self, node: Digest, role: str, parent: Digest) -> Binding:
        replacement = self.replacement(node, parent)
        if self.is_stopped(replacement):
            return Binding(role, parent, Recorded(parent))
        if replacement in self.affected and not self.is_kept(replacement):
            return Binding(role, parent, Made(replacement))
        takes = self.choices.takes_latest or self.is_delivered(node, parent, self.affected)
        return Binding(role, parent, Recorded(replacement if takes else parent))

    def bindings(self, node: Digest) -> tuple[Binding, ...]:
        if self.is_kept(node):
            return tuple(Binding(role, p, Recorded(p)) for role, p in self.parents(node))
        return tuple(self.binding(node, role, p) for role, p in self.parents(node))

    @cached_property
    def steps(self) -> dict[Digest, tuple[Binding, ...]]:
        seen: set[Digest] = set()
        todo = list(self.live)
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo.extend(self.unit(node))
                above = [self.replacement(node, p) for _, p in self.parents(node)]
                todo.extend([] if self.is_kept(node) else above)
        return {node: self.bindings(node) for node in seen & self.affected}

    @cached_property
    def graph(self) -> "nx.DiGraph[tuple[Digest, ...]]":
        """What is needed -> what needs it."""
        graph = nx.DiGraph()
        graph.add_nodes_from(map(self.unit, self.steps))
        for node, bindings in self.steps.items():
            for new in (binding.new for binding in bindings):
                if isinstance(new, Made):
                    graph.add_edge(self.unit(new.step), self.unit(node))
        return graph


@MORE
@given(families())
def test_a_plan_is_what_the_rules_say(drawn: Drawn) -> None:
    slowly = Slowly(drawn)

    if not nx.is_directed_acyclic_graph(slowly.graph):
        with pytest.raises(UsageError):
            drawn.plan()
        return
    plan = drawn.plan()

    assert {step.node: step.bindings for step in plan.steps} == slowly.steps
    for step in plan.steps:
        assert step.group == slowly.unit(step.node)
        assert set(step.after) == {n for u in slowly.graph.predecessors(step.group) for n in u}
        assert (step.action in KEPT) == slowly.is_kept(step.node)
        assert (step.action in {Action.STOP, Action.PINNED}) == slowly.is_stopped(step.node)


@MORE
@given(families())
def test_an_obstacle_blocks_exactly_what_is_below_it(drawn: Drawn) -> None:
    plan = planned(drawn)

    obstacles = {step.node for step in plan.steps if step.action in OBSTACLES}
    below = {n for obstacle in obstacles for n in descendants(plan, obstacle)} - obstacles
    assert {step.node for step in plan.steps if step.action is Action.BLOCKED} == below
    for step in plan.steps:
        assert bool(step.blocked_by) == (step.action is Action.BLOCKED)
        assert all(step.node in descendants(plan, blocker) for blocker in step.blocked_by)
        assert obstacles.issuperset(step.blocked_by)


@MORE
@given(families())
def test_each_step_comes_once_and_after_all_it_needs_and_needs_only_steps(drawn: Drawn) -> None:
    plan = planned(drawn)

    order = [step.node for step in plan.steps]
    assert len(order) == len(set(order))
    for i, step in enumerate(plan.steps):
        assert set(step.after) <= set(order[:i])
    assert [node for unit in plan.units for node in sorted(unit)] == [
        node for unit in plan.units for node in sorted(set(order) & set(unit))
    ]
    for step in plan.steps:
        if step.action is Action.BUILD:
            assert {plan.by_node[node].action for node in step.after} <= {Action.BUILD}
            changed = [b for node in step.group for b in plan.by_node[node].bindings]
            assert any(binding.is_changed for binding in changed)


@given(plans())
def test_units_come_by_the_longest_path_that_is_left(plan: Plan) -> None:
    def own(unit: tuple[Digest, ...]) -> float:
        step = plan.by_node[unit[0]]
        return (step.estimate_s or 0.0) if step.action is Action.BUILD else 0.0

    def left(unit: tuple[Digest, ...]) -> float:
        below = [other for other in plan.units if unit[0] in plan.by_node[other[0]].after]
        return own(unit) + max(map(left, below), default=0.0)

    lengths = [left(unit) for unit in plan.units]
    assert lengths == pytest.approx(sorted(lengths, reverse=True))


@given(families(), st.randoms())
def test_a_plan_does_not_depend_on_any_order(drawn: Drawn, shuffled: random.Random) -> None:
    names, updates = list(drawn.names.items()), list(drawn.updates.items())
    nodes = list(drawn.nodes.items())
    for items in (names, updates, nodes):
        shuffled.shuffle(items)

    again = replace(drawn, lineage=Lineage(dict(nodes)), names=dict(names), updates=dict(updates))

    assert planned(again) == planned(drawn)


@given(families())
def test_however_few_units_one_sweep_answers_for_the_plan_is_the_same(drawn: Drawn) -> None:
    plan = planned(drawn)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(replacing, "_BLOCK_BITS", 2)
        again = planned(drawn)

    assert again == plan


@given(families())
def test_when_nothing_newer_is_in_use_nothing_is_to_be_done(drawn: Drawn) -> None:
    assert make_plan(drawn.lineage, drawn.names, {}, drawn.choices).steps == ()


def planned(drawn: Drawn) -> Plan:
    try:
        return drawn.plan()
    except UsageError:  # said and tested elsewhere
        return Plan({}, ())


def descendants(plan: Plan, node: Digest) -> set[Digest]:
    found = {node}
    for step in plan.steps:
        if not found.isdisjoint(step.after):
            found.update(step.group)
    return found - {node}


# --- cost ---


class Counting(Lineage):
    """A lineage that counts how often it is asked."""

    asked = 0

    def parents(self, node: Digest, *kinds: EdgeKind) -> frozenset[Digest]:
        self.asked += 1
        return super().parents(node, *kinds)

    def __getitem__(self, node: Digest) -> Node:
        self.asked += 1
        return super().__getitem__(node)


def large(count: int) -> Iterator[tuple[str, Node]]:
    """Yields ``count`` models in one family, and then a second version of every tenth of them.

    Each is made from two that came not long before it.
    """
    ids: list[Digest] = []
    drawn = random.Random(count)  # noqa: S311
    for i in range(count):
        made_from = {drawn.randrange(max(0, i - 100), i) for _ in range(2)} if i else set()
        edges = {Edge(EdgeKind.PROVENANCE, ids[parent], "base") for parent in made_from}
        node = Node(Digest.of(str(i).encode()), frozenset(edges), None, "import", "")
        ids.append(digest_of(node))
        yield f"m{i}", node
    for i in range(0, count, 10):
        edge = Edge(EdgeKind.VERSION, ids[i])
        yield f"m{i}", Node(Digest.of(f"{i} new".encode()), frozenset({edge}), None, "import", "")


def test_a_plan_of_ten_thousand_steps_asks_for_each_node_a_few_times() -> None:
    nodes = [(name, digest_of(node), node) for name, node in large(10_000)]
    lineage = Counting({node_id: node for _, node_id, node in nodes})
    names = {name: node_id for name, node_id, _ in nodes}

    updates = default_updates(lineage, names)
    plan = make_plan(lineage, names, updates, Choices())

    assert len(updates) == 1_000
    assert len(plan.steps) > 8_900
    assert lineage.asked < 6 * len(nodes)
