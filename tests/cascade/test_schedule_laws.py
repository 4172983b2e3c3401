"""Laws of a schedule, carried out by an executor that does whatever chance says."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit.cascade import (
    BAD,
    GOOD,
    UNDER_WAY,
    Action,
    Blocked,
    Choices,
    Plan,
    Policy,
    Publish,
    Retry,
    Schedule,
    State,
    Unit,
    default_updates,
    make_plan,
    publishable,
    without_moved,
)
from mgit.digest import Digest
from mgit.lineage import Lineage
from mgit.objects import digest_of
from tests.cascade.drawing import plans
from tests.cascade.test_laws import descendants, large

ENDINGS = (State.FAILED, State.TIMED_OUT, State.OUT_OF_MEMORY, State.CRASHED)
MAX_EVENTS = 1_000  # a plan here has at most 27 steps, and each ends after a few events


@dataclass
class Executor:
    """Starts what is ready and lets it end, one event after the other, in any order."""

    plan: Plan
    policy: Policy
    chance: Random
    badness: float
    drain_at: int | None = None
    failed: list[Digest] = field(default_factory=list)
    runs: Counter[Unit] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.schedule = Schedule(self.plan, self.policy)
        self.delayed: list[Digest] = []
        self.alone: set[Unit] = set()

    @property
    def states(self) -> Mapping[Digest, State]:
        return self.schedule.states

    def carry_out(self) -> None:
        for event in range(MAX_EVENTS):
            if self.schedule.is_over:
                return
            if event == self.drain_at:
                self.schedule.drain()
            running = [step for step, state in self.states.items() if state in UNDER_WAY]
            ready = self.schedule.ready(self.chance.choice((1, 2, None)))
            assert ready or running or self.delayed or self.schedule.is_over
            doable: list[Unit | Digest] = [*ready, *running, *self.delayed]
            if doable:
                self.do(self.chance.choice(doable))
        pytest.fail("it does not end")

    def do(self, what: Unit | Digest) -> None:
        match what:
            case tuple():
                self.start(what)
            case _ if what in self.delayed:
                self.delayed.remove(what)
                self.schedule.due(what)
            case _ if self.states[what] is State.RUNNING:
                self.end_run(what)
            case _:
                self.end_test(what)

    def start(self, unit: Unit) -> None:
        under_way = {step for step, state in self.states.items() if state in UNDER_WAY}
        for step in unit:
            assert all(self.states[needed] in GOOD for needed in self.plan.by_node[step].after)
            assert self.plan.by_node[step].action is Action.BUILD
        assert unit not in self.alone or not under_way
        assert not any(step in other for other in self.alone for step in under_way)
        if self.chance.random() < 0.1:
            self.schedule.unchanged(self.chance.choice(unit))
            return
        self.schedule.started(self.chance.choice(unit))
        self.runs[unit] += 1

    def end_run(self, step: Digest) -> None:
        if self.chance.random() < self.badness:
            self.fail(step, self.chance.choice(ENDINGS))
        else:
            self.schedule.made(step)

    def end_test(self, step: Digest) -> None:
        if self.chance.random() < self.badness:
            self.fail(step, self.chance.choice((State.TEST_FAILED, State.CRASHED)))
        elif self.chance.random() < 0.3:
            self.schedule.unchanged(step)
        else:
            self.schedule.passed(step)

    def fail(self, step: Digest, state: State) -> None:
        before = {node for node, found in self.states.items() if found is State.BLOCKED}
        match self.schedule.failed(step, state, "chance"):
            case Retry() if state is State.OUT_OF_MEMORY:
                self.alone.add(self.plan.by_node[step].group)
            case Retry():
                self.delayed.append(step)
            case Blocked(steps):
                self.failed.append(step)
                after = {node for node, found in self.states.items() if found is State.BLOCKED}
                assert steps == after - before


@st.composite
def executors(draw: st.DrawFn, policy: Policy | None = None, *, drains: bool = False) -> Executor:
    return Executor(
        draw(plans()),
        policy or Policy(),
        Random(draw(st.integers(0, 1 << 32))),  # noqa: S311
        draw(st.sampled_from((0.0, 0.1, 0.3))),
        draw(st.integers(0, 40)) if drains else None,
    )


def below(plan: Plan, step: Digest) -> set[Digest]:
    return {node for member in plan.by_node[step].group for node in descendants(plan, member)}


@given(executors())
def test_it_ends_and_blocks_exactly_what_is_below_a_failure(executor: Executor) -> None:
    plan, states = executor.plan, executor.states

    executor.carry_out()

    failed = {step for step, state in states.items() if state in BAD}
    planned = {step.node for step in plan.steps if step.action is Action.BLOCKED}
    blocked = {step for step, state in states.items() if state is State.BLOCKED}
    obstacles = {step.node for step in plan.steps if step.action is Action.UNTRUSTED}
    lost = planned.union(*(below(plan, step) for step in failed)) - obstacles
    group_mates = {mate for step in failed for mate in plan.by_node[step].group} - failed
    assert lost <= blocked <= lost | group_mates
    for step in plan.steps:
        if step.action is Action.BUILD and step.node not in blocked | failed:
            assert states[step.node] in GOOD
        if step.node in blocked - planned:
            culprit = executor.schedule.blocked_by[step.node]
            assert states[culprit] in BAD
            assert step.node in below(plan, culprit) | set(plan.by_node[culprit].group)
    assert set(executor.schedule.reasons) == failed


@given(executors())
def test_nothing_runs_more_often_than_the_policy_allows(executor: Executor) -> None:
    executor.carry_out()

    allowed = 1 + sum(executor.policy.retries.values())
    assert all(count <= allowed for count in executor.runs.values())


@given(executors())
def test_whatever_order_things_end_in_the_blame_of_lasting_failures_is_the_same(
    executor: Executor,
) -> None:
    plan = executor.plan
    doomed = {step.node for step in plan.steps if executor.chance.random() < 0.2}

    ends = []
    for seed in range(3):
        schedule, chance = Schedule(plan, Policy()), Random(seed)  # noqa: S311
        while not schedule.is_over:
            unit = chance.choice(schedule.ready())
            schedule.started(unit[0])
            if doomed.isdisjoint(unit):
                schedule.made(unit[0])
                for step in unit:
                    schedule.passed(step)
            else:
                schedule.failed(unit[0], State.FAILED, "")
        ends.append(dict(schedule.states))

    assert ends[0] == ends[1] == ends[2]


@given(executors(Policy(is_fail_fast=True)))
def test_to_fail_fast_is_to_start_nothing_after_the_first_failure(executor: Executor) -> None:
    runs: list[int] = []
    fail = executor.fail

    def noting(step: Digest, state: State) -> None:
        fail(step, state)
        if executor.failed:
            runs.append(executor.runs.total())

    executor.fail = noting  # type: ignore[method-assign]
    executor.carry_out()

    assert len(set(runs)) <= 1
    assert not runs or executor.runs.total() == runs[0]


@given(executors(drains=True))
def test_draining_ends_with_nothing_left_open(executor: Executor) -> None:
    executor.carry_out()

    assert executor.schedule.is_over
    assert executor.schedule.ready() == ()
    assert not {State.WAITING, *UNDER_WAY} & set(executor.states.values())


@given(executors(drains=True))
def test_what_is_published_is_closed_and_nothing_closed_is_left_out(executor: Executor) -> None:
    plan, states = executor.plan, executor.states
    executor.carry_out()

    steps = publishable(plan, states, Publish.CLOSED)

    published = {step.node for step in steps}
    for step in plan.steps:
        needed = {*step.group, *step.after}
        is_closed = all(n in published or states[n] is State.UNCHANGED for n in needed)
        if step.node in published:
            assert states[step.node] is State.DONE
            assert is_closed
        elif states[step.node] is State.DONE:
            around = set(step.group).union(
                *(plan.by_node[n].group for n in plan.by_node if step.node in below(plan, n))
            )
            assert any(states[node] not in GOOD for node in around)
    everything = publishable(plan, states, Publish.ALL)
    assert everything in {(), steps}


@given(executors())
def test_what_is_left_after_somebody_moved_names_needs_nothing_that_was_moved(
    executor: Executor,
) -> None:
    plan = executor.plan
    moved = {step.name for step in plan.steps if executor.chance.random() < 0.2}

    left = {step.node for step in without_moved(plan, plan.steps, moved)}

    stale = {step.node for step in plan.steps if step.name in moved}
    lost = {mate for step in stale for mate in plan.by_node[step].group}
    assert left == set(plan.by_node) - lost.union(*(below(plan, step) for step in stale))


def test_ten_thousand_steps_are_carried_out_without_looking_at_each_again_and_again() -> None:
    nodes = [(name, digest_of(node), node) for name, node in large(10_000)]
    names = {name: node_id for name, node_id, _ in nodes}
    lineage = Lineage({node_id: node for _, node_id, node in nodes})
    plan = make_plan(lineage, names, default_updates(lineage, names), Choices())
    counting = Counting(plan.by_node)
    object.__setattr__(plan, "by_node", counting)

    schedule = Schedule(plan, Policy())
    while not schedule.is_over:
        for unit in schedule.ready(4):
            schedule.started(unit[0])
            schedule.made(unit[0])
            schedule.passed(unit[0])

    assert counting.asked < 12 * len(plan.steps)


class Counting(dict[Digest, object]):
    asked = 0

    def __getitem__(self, key: Digest) -> object:
        self.asked += 1
        return super().__getitem__(key)
