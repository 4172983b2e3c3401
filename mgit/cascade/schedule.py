"""What may start now, and what follows when something ended: a plan while it is carried out. Pure.

The caller runs things and tells; the schedule answers what comes next. It has no clock: how long to
wait before a retry is an answer, and that the wait is over is told like everything else. A run
concerns a whole group, a test or a comparison one model.
"""

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import NoReturn

from mgit.cascade.choices import Action
from mgit.cascade.plan import Made, Plan
from mgit.cascade.replacing import Unit
from mgit.cascade.states import BAD, GOOD, OPEN, UNDER_WAY, Blocked, Policy, Retry, State
from mgit.digest import Digest

_INITIAL = {
    Action.BUILD: State.WAITING,
    Action.SKIP: State.SKIPPED,
    Action.STOP: State.STOPPED,
    Action.PINNED: State.PINNED,
    Action.MANUAL: State.MANUAL,
    Action.UNTRUSTED: State.UNTRUSTED,
    Action.CHANGED: State.CHANGED,
    Action.ABSENT: State.ABSENT,
    Action.BLOCKED: State.BLOCKED,
}


class Schedule:
    """Where the steps of one plan stand. A method that takes a step takes any member of its group.

    Telling what cannot be so is a ValueError: a step started that is not ready, or ended that was
    not started.
    """

    def __init__(self, plan: Plan, policy: Policy) -> None:
        self._plan = plan
        self._policy = policy
        self._states = {step.node: _INITIAL[step.action] for step in plan.steps}
        self._open = sum(state in OPEN for state in self._states.values())
        self._blocked_by = {s.node: s.blocked_by[0] for s in plan.steps if s.blocked_by}
        self._reasons: dict[Digest, str] = {}
        self._tries: Counter[tuple[Unit, State]] = Counter()
        self._is_draining = False
        self._ranks = {unit: rank for rank, unit in enumerate(plan.units)}
        self._missing: dict[Unit, int] = {}  # how many of the units that it needs are not over
        self._below: defaultdict[Unit, list[Unit]] = defaultdict(list)
        self._ready: list[int] = []  # ranks, sorted: so that to look at the first costs nothing
        self._ready_alone: list[int] = []
        self._alone: set[Digest] = set()
        self._delayed: set[Unit] = set()
        self._under_way: set[Digest] = set()
        for unit in plan.units:
            needed = {plan.by_node[node].group for node in plan.by_node[unit[0]].after}
            self._missing[unit] = len(needed)
            for other in needed:
                self._below[other].append(unit)
            self._offer(unit)

    # --- what is so ---

    @property
    def states(self) -> Mapping[Digest, State]:
        """Step -> how far it is; changes as the schedule does."""
        return MappingProxyType(self._states)

    @property
    def blocked_by(self) -> Mapping[Digest, Digest]:
        """Blocked step -> the obstacle or failed step that blocked it first."""
        return MappingProxyType(self._blocked_by)

    @property
    def reasons(self) -> Mapping[Digest, str]:
        """Failed step -> what was said about it when it failed for good."""
        return MappingProxyType(self._reasons)

    @property
    def is_over(self) -> bool:
        """Whether nothing runs, waits, or is to be tried again."""
        return not self._open

    def ready(self, limit: int | None = None) -> tuple[Unit, ...]:
        """Returns what may start now, at most ``limit`` units, the most urgent first.

        What is to run alone comes when nothing is under way, and nothing comes beside it.
        """
        if not self._under_way and self._ready_alone:
            return (self._plan.units[self._ready_alone[0]],)[:limit]
        if not self._alone.isdisjoint(self._under_way):
            return ()
        return tuple(self._plan.units[rank] for rank in self._ready[:limit])

    def may_retry(self, step: Digest, state: State) -> bool:
        """Returns whether ``failed`` would answer with ``Retry``."""
        is_lost = any(self._states[other] in BAD for other in self._unit(step))
        tried = self._tries[self._concerned(step), state]
        is_used_up = tried >= self._policy.retries.get(state, 0)
        return not (self._is_draining or is_lost or is_used_up)

    # --- what the caller tells ---

    def started(self, step: Digest) -> None:
        """The group of ``step`` is being made; it was ready."""
        unit = self._ready_unit(step)
        self._withdraw(unit)
        self._move(unit, State.WAITING, State.RUNNING)

    def made(self, step: Digest) -> None:
        """The group of ``step`` was made, and is being tested."""
        if not self._move(self._unit(step), State.RUNNING, State.TESTING):
            self._refuse(step)

    def passed(self, step: Digest) -> None:
        """This model passed: it is done. What needs it is ready when its whole group is over."""
        if not self._move((step,), State.TESTING, State.DONE):
            self._refuse(step)
        self._deliver(self._unit(step))

    def unchanged(self, step: Digest) -> None:
        """This model turned out to be what it was; of a ready group: all would.

        A step of which every changed parent is made by a step that was unchanged, from the version
        that was recorded, becomes unchanged by itself. That a parent other than the recorded one
        has the same content is for the caller to notice, when the step is ready.
        """
        unit = self._unit(step)
        if self._states[step] in UNDER_WAY:
            self._set(step, State.UNCHANGED)
        else:
            self._withdraw(self._ready_unit(step))
            self._move(unit, State.WAITING, State.UNCHANGED)
        self._deliver(unit)

    def failed(self, step: Digest, state: State, reason: str) -> Retry | Blocked:
        """Making the group of ``step``, or testing this model, ended badly.

        Returns:
            ``Retry``: it waits again, all of it that was under way in the same way. ``Blocked``:
            it does not, and these steps, those below it, are blocked by it.
        """
        if state not in BAD:
            raise ValueError(f"{state.value!r} is no failure")
        concerned, is_test = self._concerned(step), self._states[step] is State.TESTING
        before = State.TESTING if is_test else State.RUNNING
        is_retried = self.may_retry(step, state)
        after = State.WAITING if is_retried else state
        ended = self._move(concerned, before, after)
        if not ended:
            self._refuse(step)
        if is_retried:
            return self._retry(concerned, state)
        self._reasons.update(dict.fromkeys(ended, reason))
        blocked = self._block(self._unit(step), step)
        if self._policy.is_fail_fast:
            self.drain()
        return Blocked(blocked)

    def due(self, step: Digest) -> None:
        """The time before a retry is over. Means nothing if it was cancelled meanwhile."""
        unit = self._unit(step)
        if unit in self._delayed:
            self._delayed.remove(unit)
            self._offer(unit)

    def drain(self) -> None:
        """Nothing more is started or tried again; what is under way goes on."""
        if not self._is_draining:
            self._is_draining = True
            self._ready, self._ready_alone = [], []
            self._move(tuple(self._states), State.WAITING, State.CANCELLED)

    # --- how one state becomes another ---

    def _unit(self, step: Digest) -> Unit:
        return self._plan.by_node[step].group

    def _refuse(self, step: Digest) -> NoReturn:
        raise ValueError(f"step {step.short} is {self._states[step].value}")

    def _set(self, step: Digest, state: State) -> None:
        self._open += (state in OPEN) - (self._states[step] in OPEN)
        self._states[step] = state
        if state in UNDER_WAY:
            self._under_way.add(step)
        else:
            self._under_way.discard(step)

    def _move(self, steps: Unit, before: State, after: State) -> list[Digest]:
        """Returns those of ``steps`` that were in the one state, and now are in the other."""
        moved = [step for step in steps if self._states[step] is before]
        for step in moved:
            self._set(step, after)
        return moved

    # --- what may start ---

    def _queue(self, unit: Unit) -> list[int]:
        return self._ready if self._alone.isdisjoint(unit) else self._ready_alone

    def _is_queued(self, unit: Unit) -> bool:
        queue, rank = self._queue(unit), self._ranks[unit]
        at = bisect_left(queue, rank)
        return queue[at : at + 1] == [rank]

    def _ready_unit(self, step: Digest) -> Unit:
        unit = self._unit(step)
        if not self._is_queued(unit):
            raise ValueError(f"step {step.short} is {self._states[step].value}, and not ready")
        return unit

    def _offer(self, unit: Unit) -> None:
        if not self._missing[unit] and any(self._states[n] is State.WAITING for n in unit):
            insort(self._queue(unit), self._ranks[unit])

    def _withdraw(self, unit: Unit) -> None:
        if self._is_queued(unit):
            self._queue(unit).remove(self._ranks[unit])

    # --- what follows when something ended ---

    def _deliver(self, unit: Unit) -> None:
        """Passes on that ``unit`` is over, if it is; what is unchanged by that is over, too."""
        todo = [unit]
        while todo:
            over = todo.pop()
            for below in self._below[over] if self._is_good(over) else ():
                self._missing[below] -= 1
                if not self._missing[below] and self._is_same(below):
                    self._move(below, State.WAITING, State.UNCHANGED)
                    todo.append(below)
                else:
                    self._offer(below)

    def _is_good(self, unit: Unit) -> bool:
        return all(self._states[step] in GOOD for step in unit)

    def _is_same(self, unit: Unit) -> bool:
        """Whether every changed parent turned out to be the one that was recorded."""
        bindings = (b for step in unit for b in self._plan.by_node[step].bindings)
        return all(
            binding.new == Made(binding.old) and self._states[binding.old] is State.UNCHANGED
            for binding in bindings
            if binding.is_changed
        )

    def _concerned(self, step: Digest) -> Unit:
        """What has failed if ``step`` failed now: the test of one model, or the run of a group."""
        return (step,) if self._states[step] is State.TESTING else self._unit(step)

    def _retry(self, concerned: Unit, state: State) -> Retry:
        unit = self._unit(concerned[0])
        self._withdraw(unit)
        tried = self._tries[concerned, state]
        self._tries[concerned, state] += 1
        if state is State.OUT_OF_MEMORY:
            self._alone.update(unit)
            self._offer(unit)
            return Retry(0.0)
        self._delayed.add(unit)
        return Retry(self._policy.delays_s[min(tried, len(self._policy.delays_s) - 1)])

    def _block(self, unit: Unit, culprit: Digest) -> frozenset[Digest]:
        """Returns what waits below ``unit``, or in it, and is blocked now."""
        blocked: set[Digest] = set()
        todo = [unit]
        while todo:
            lost = todo.pop()
            self._withdraw(lost)
            fresh = self._move(lost, State.WAITING, State.BLOCKED)
            blocked.update(fresh)
            if fresh or lost == unit:  # else it was blocked before, with all that is below it
                todo.extend(self._below[lost])
        self._blocked_by.update(dict.fromkeys(blocked, culprit))
        return frozenset(blocked)
