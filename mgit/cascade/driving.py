"""Carries a plan out: starts what is ready, takes what ended, tests it, and keeps count.

The schedule decides; this loop runs jobs, looks at what came out, and tells. It publishes nothing.
"""

import heapq
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import assert_never

from mgit.building import (
    Failure,
    FailureKind,
    Parent,
    Results,
    Work,
    job_of,
    parent_of,
    recipe_of,
    result_of,
    work_again,
)
from mgit.cascade.journal import Journal
from mgit.cascade.outcomes import Result
from mgit.cascade.plan import Binding, Plan, Recorded
from mgit.cascade.plan import Made as MadeBy
from mgit.cascade.replacing import Unit
from mgit.cascade.schedule import Schedule
from mgit.cascade.states import Blocked, Retry, State
from mgit.checks import Row
from mgit.checks.bench import Bench, Trial
from mgit.checks.measuring import Measurement, measured_in
from mgit.checks.measuring import job_of as check_job
from mgit.checks.registering import Registered, registered
from mgit.checks.running import trials_of
from mgit.checks.subjects import Subject, Subjects, Weighed, subjects
from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError, MachineError, MgitError
from mgit.execution import Done, Executor, Job
from mgit.objects import Edge, EdgeKind
from mgit.repository import History, Repository

_STATES = {
    FailureKind.RAISED: State.FAILED,
    FailureKind.TIMED_OUT: State.TIMED_OUT,
    FailureKind.OUT_OF_MEMORY: State.OUT_OF_MEMORY,
    FailureKind.CRASHED: State.CRASHED,
    FailureKind.CANCELLED: State.CANCELLED,
    FailureKind.MACHINE: State.MACHINE,
}
_PATIENCE_S = 0.5  # how long a look for the next result may take, so that a Ctrl-C is noticed

Told = Callable[[str, State], None]  # title of a step, how far it is


@dataclass(frozen=True, slots=True)
class _Making:
    """A recipe that runs."""

    unit: Unit
    work: Work


@dataclass(slots=True)
class Driver:
    """One run of a plan.

    Attributes:
        repository: Where.
        history: What it held when it was planned.
        plan: What is carried out.
        schedule: Where its steps stand.
        start: Gives an executor; called when the first job has to run, so that a run of which all
            results are known starts none.
        journal: What happened.
        timeout_s: Longest time that one job may take.
        told: Is told how far steps are.
        jobs: How many recipes and checks were started.
        results: First step of a unit -> what it made.
        trials: Step -> the checks that it has to stand.
        rows: Step -> what these said.
        bench: What was measured.
    """

    repository: Repository
    history: History
    plan: Plan
    schedule: Schedule
    start: Callable[[], Executor]
    journal: Journal
    timeout_s: float | None
    told: Told
    jobs: int = 0
    results: dict[Digest, Result] = field(default_factory=dict)
    trials: dict[Digest, list[Trial]] = field(default_factory=dict)
    rows: dict[Digest, tuple[Row, ...]] = field(default_factory=dict)
    bench: Bench = field(init=False)
    _known: Results = field(init=False)
    _seen: Subjects = field(init=False)
    _checks: list[Registered] = field(init=False)
    _running: dict[str, _Making | Measurement] = field(default_factory=dict)
    _delayed: list[tuple[float, Digest]] = field(default_factory=list)
    _parents: dict[tuple[str, Digest], Parent] = field(default_factory=dict)
    _is_draining: bool = False

    def __post_init__(self) -> None:
        self.bench = Bench.of(self.repository, self.history)
        self._known = Results(self.repository, self.history)
        self._seen = subjects(self.repository, self.history)
        self._checks = registered(self.history)

    def drive(self) -> None:
        """Goes on until nothing runs, waits, or is to be tried again."""
        while not self.schedule.is_over:
            if self._is_draining:
                self.schedule.drain()
            # only what can run now: what an executor has taken is not overtaken, nor called off
            ready = self.schedule.ready(1) if self._has_room() else ()
            for unit in ready:
                self._begin(unit)
            if not ready:
                self.journal.sync()
                self._wait()

    def drain(self) -> None:
        """Lets what is under way end, and starts nothing more.

        May be called by a signal handler: takes effect between two decisions, never within one.
        """
        self._is_draining = True

    def _has_room(self) -> bool:
        return not self._running or len(self._running) < self.start().capacity

    # --- a unit: decided, run, looked at ---

    def _begin(self, unit: Unit) -> None:
        if self._is_same(unit):
            self.schedule.unchanged(unit[0])
            self._note(unit)
            return
        self.schedule.started(unit[0])
        self._note(unit)
        if unit[0] in self.results:  # only its checks are tried again
            self._made(unit, self.results[unit[0]])
            return
        try:
            work = self._work(unit)
            known = self._known.find(work.action, work.outputs)
            job = None if known else self._job(unit, work)
        except MgitError as error:  # weights, data or code that went away since it was planned
            is_machine = isinstance(error, MachineError)
            self._failed(unit[0], State.MACHINE if is_machine else State.FAILED, str(error))
            return
        if job:
            self._run(job, _Making(unit, work))
        if known:
            self._made(unit, Result(work, known, is_known=True))

    def _is_same(self, unit: Unit) -> bool:
        """Whether every parent has the content of the recorded one, whichever node it is."""
        bindings = [b for step in unit for b in self.plan.by_node[step].bindings]
        try:
            return all(
                self.parent(b).content == self._content(b.old) for b in bindings if b.is_changed
            )
        except (AbsentError, DamagedError):
            return False  # told when it is to be made

    def parent(self, binding: Binding) -> Parent:
        """Returns the parent that a step is made from; it has no node if it was made just now."""
        match binding.new:
            case Recorded(node):
                return self._node(binding.role, node)
            case MadeBy(step) if self.schedule.states[step] is State.UNCHANGED:
                return self._node(binding.role, step)
            case MadeBy(step):
                manifest = self.manifest(step)
                content = self.repository.content_of(manifest)
                return Parent(binding.role, None, manifest, content)
            case _:
                assert_never(binding.new)

    def _node(self, role: str, node: Digest) -> Parent:
        """Returns a node as a parent; many steps may have the same one, so it is looked at once."""
        if (role, node) not in self._parents:
            title = self._seen.selection.title(node)
            self._parents[role, node] = parent_of(
                self.repository, self.history, role, node, title=title
            )
        return self._parents[role, node]

    def _work(self, unit: Unit) -> Work:
        parents = [self.parent(binding) for binding in self.plan.by_node[unit[0]].bindings]
        outputs = {self._output(step): step for step in unit}
        provenance = self._seen.selection.provenance
        return work_again(self.repository, provenance, outputs, parents, timeout_s=self.timeout_s)

    def _output(self, step: Digest) -> str:
        recipe = recipe_of(self.history, step)
        return recipe.output if recipe else ""

    def manifest(self, step: Digest) -> Digest:
        """Returns the manifest of what a step made."""
        unit = self.plan.by_node[step].group
        return self.results[unit[0]].made.manifests[self._output(step)]

    def _job(self, unit: Unit, work: Work) -> Job:
        name = f"make-{unit[0].hex()}"
        return job_of(self.repository, work, id=name, log=self.journal.log(name))

    def _run(self, job: Job, what: _Making | Measurement) -> None:
        self.journal.sync()
        self.start().submit(job)  # an executor that cannot be started ends all, not one step
        self._running[job.id] = what
        self.jobs += 1

    def _made(self, unit: Unit, result: Result) -> None:
        self.results[unit[0]] = result
        self.schedule.made(unit[0])
        self._note(unit)
        for step in [s for s in unit if self.schedule.states[s] is State.TESTING]:
            content = self.repository.content_of(self.manifest(step))
            if content == self._content(step):
                self.schedule.unchanged(step)
                self._note((step,))
            else:
                self._test(step)

    def _content(self, node: Digest) -> Digest | None:
        """Returns the content id of a node; None where that is not here: nothing is the same."""
        recorded = self.history.nodes.get(node)
        try:
            return self.repository.content_of(recorded.manifest) if recorded else None
        except (AbsentError, DamagedError):
            return None

    def _failed(self, step: Digest, state: State, reason: str) -> None:
        answer = self.schedule.failed(step, state, reason)
        self._note(self.plan.by_node[step].group, reason)
        match answer:
            case Retry(delay_s):
                heapq.heappush(self._delayed, (time.monotonic() + delay_s, step))
            case Blocked(steps):
                self._note(sorted(steps), f"blocked by {self.plan.by_node[step].title}")

    # --- what was made is tested ---

    def _test(self, step: Digest) -> None:
        checks = self._checks
        trials = trials_of(self._seen, self._subject(step), checks) if checks else []
        self.trials[step] = trials
        for name, wanted in self.bench.wanted(trials).items():
            if name in self._running:
                continue
            try:
                job = check_job(self.repository, wanted, timeout_s=self.timeout_s)
            except AbsentError as error:
                self.bench.refuse(wanted, error)
            except MachineError as error:
                self._failed(step, State.MACHINE, str(error))
                return
            else:
                self._run(job, wanted)
        self._judge(step)

    def _subject(self, step: Digest) -> Subject:
        """What a step made, against the version it would replace and the parents it was given."""
        planned = self.plan.by_node[step]
        work = self.results[planned.group[0]].work
        old = self.history.nodes[step]
        node = replace(
            old,
            manifest=self.manifest(step),
            edges=old.edges | {Edge(EdgeKind.VERSION, step)},
        )
        subject = self._seen.candidate(node, planned.title)
        parents = [Weighed(parent.role, parent.manifest, parent.content) for parent in work.parents]
        previous = self._seen.weighed([step])
        return replace(subject, previous=previous, parents=tuple(parents))

    def _judge(self, step: Digest) -> None:
        """Decides on a step, if everything that its checks need is measured."""
        trials = self.trials[step]
        if self.bench.wanted(trials):
            return
        rows = tuple(self.bench.row(trial) for trial in trials)
        self.rows[step] = rows
        bad = [row for row in rows if row.blocks]
        if bad:
            reasons = "; ".join([bad[0].check, *bad[0].sentences])
            self._failed(step, State.TEST_FAILED, reasons)
            return
        self.schedule.passed(step)
        self._note((step,))

    # --- what ended ---

    def _wait(self) -> None:
        if self._delayed and self._delayed[0][0] <= time.monotonic():
            self.schedule.due(heapq.heappop(self._delayed)[1])
            return
        if not self._running:
            time.sleep(_PATIENCE_S if self._delayed else 0)
            return
        done = self.start().wait(_PATIENCE_S)
        if done is not None:
            self._take(done)

    def _take(self, done: Done) -> None:
        match self._running.pop(done.job):
            case Measurement() as measured:
                self._measured(measured, done)
            case _Making(unit, work):
                result = result_of(self.repository, work, done)
                if isinstance(result, Failure):
                    self._failed(unit[0], _STATES[result.kind], result.message)
                    return
                self._known.keep(work.action, result)
                self._made(unit, Result(work, result, is_known=False))

    def _measured(self, measured: Measurement, done: Done) -> None:
        """Takes what came of a check and judges; a check that died is tried again, as a recipe.

        That it could not run on this machine is nothing to judge a model by.
        """
        testing = [s for s, state in self.schedule.states.items() if state is State.TESTING]
        asking = [s for s in testing if measured.id in self.bench.wanted(self.trials[s])]
        match measured_in(done):
            case Failure(kind, message) if kind is FailureKind.MACHINE or (
                asking and all(self.schedule.may_retry(step, _STATES[kind]) for step in asking)
            ):
                for step in asking:
                    self._failed(step, _STATES[kind], message)
            case _:
                self.bench.take(measured, done)
                for step in testing:
                    self._judge(step)

    def _note(self, steps: Iterable[Digest], reason: str = "") -> None:
        for step in steps:
            state = self.schedule.states[step]
            details = {"reason": reason} if reason else {}
            self.journal.note("step", step=step.hex(), state=state.value, **details)
            self.told(self.plan.by_node[step].title, state)
