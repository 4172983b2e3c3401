"""A cascade from the plan to the publication: ``mgit cascade run``."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType

from mgit.cascade.closure import Publish
from mgit.cascade.driving import Driver, Told
from mgit.cascade.journal import Journal
from mgit.cascade.outcomes import Cascade, StepOutcome
from mgit.cascade.plan import Plan
from mgit.cascade.planning import Wishes, draw_up
from mgit.cascade.releasing import Released, release
from mgit.cascade.schedule import Schedule
from mgit.cascade.states import Policy
from mgit.errors import ConflictError, UsageError
from mgit.execution import Executor, open_executor
from mgit.repository import Repository, leased
from mgit.store.files import locked_if_free

_EXECUTORS = ("auto", "inline", "process", "ray")
_LONG_S = 60.0  # from here on starting Ray is worth its seconds


@dataclass(frozen=True, slots=True)
class Means:
    """How a cascade is carried out.

    Attributes:
        executor: ``auto``, ``inline``, ``process`` or ``ray``.
        jobs: How many recipes and checks run at once.
        address: Of a Ray cluster that runs already; empty: none.
        publish: How much is published if not everything could be made.
        is_fail_fast: Nothing more is started after the first failure.
        timeout_s: Longest time that one recipe or check may take.
    """

    executor: str = "auto"
    jobs: int = 1
    address: str = ""
    publish: Publish = Publish.CLOSED
    is_fail_fast: bool = False
    timeout_s: float | None = None


@leased("cascade", is_writing=True)
def run_cascade(
    repository: Repository,
    wishes: Wishes | None = None,
    means: Means | None = None,
    *,
    told: Told = lambda _title, _state: None,
) -> Cascade:
    """Makes again what is behind, tests it, and publishes what passed, in one step.

    What was made before from the same parents is not made again, so that a run that was cut off
    goes on where it was, and a second run does nothing. The first Ctrl-C lets what is under way
    end, the second ends it.

    Args:
        repository: Where.
        wishes: What is wanted; None: all that is behind.
        means: How it is carried out.
        told: Is told how far steps are.

    Raises:
        ConflictError: Another cascade runs here.
        UsageError: Models would each have to be made before the other; or the means make no sense.
        MachineError: The executor cannot be started.
    """
    means = means or Means()
    _check(means)
    repository.check_writable()
    repository.identity()  # a missing key is told before the work
    with _alone(repository), ExitStack() as opened:
        history = repository.history()
        plan = draw_up(repository, history, wishes or Wishes())
        journal = Journal.begin(repository, plan)
        driver = Driver(
            repository,
            history,
            plan,
            Schedule(plan, Policy(is_fail_fast=means.is_fail_fast)),
            _starter(repository, plan, means, opened),
            journal,
            means.timeout_s,
            told,
        )
        with _draining(driver.drain):
            driver.drive()
        released = release(driver, means.publish, journal.run)
    cascade = Cascade(
        run=journal.run,
        plan=plan,
        outcomes=tuple(_outcomes(driver, released)),
        published=released.names,
        moved=released.moved,
        jobs=driver.jobs,
    )
    _note_end(journal, cascade)
    return cascade


def _starter(
    repository: Repository, plan: Plan, means: Means, opened: ExitStack
) -> Callable[[], Executor]:
    """Returns what gives the executor: started when it is first asked for, and only then."""
    started: list[Executor] = []

    def start() -> Executor:
        if not started:
            executor = open_executor(
                _kind(plan, means),
                jobs=means.jobs,
                address=means.address,
                folder=repository.folder / "work",
            )
            started.append(opened.enter_context(executor))
        return started[0]

    return start


def _check(means: Means) -> None:
    """Refuses now what else would be told when the first recipe is to run."""
    if means.executor not in _EXECUTORS:
        raise UsageError(
            f"there is no executor {means.executor!r}", hint=f"choose from: {', '.join(_EXECUTORS)}"
        )
    if means.jobs < 1 or (means.timeout_s is not None and means.timeout_s <= 0):
        raise UsageError(
            "no job can run, or end, within that", hint="--jobs 1 or more, --timeout above 0"
        )
    if means.executor == "inline" and means.timeout_s is not None:
        raise UsageError(
            "nobody can keep a time limit in this very process", hint="--executor process"
        )
    if means.address and means.executor in {"inline", "process"}:
        raise UsageError(
            f"the executor {means.executor!r} runs on this machine and takes no address",
            hint="--executor ray works on a cluster",
        )


def _kind(plan: Plan, means: Means) -> str:
    if means.executor != "auto":
        return means.executor
    estimate = sum(step.estimate_s or 0.0 for step in plan.steps)
    is_long = means.jobs > 1 and estimate > _LONG_S * means.jobs
    return "ray" if means.address or (is_long and _has_ray()) else "process"


def _has_ray() -> bool:
    from importlib.util import find_spec

    return find_spec("ray") is not None


@contextmanager
def _alone(repository: Repository) -> Iterator[None]:
    """Lets one cascade run at a time in a repository; a dead one holds nothing."""
    with locked_if_free(repository.folder / "local" / "cascade.lock") as is_alone:
        if not is_alone:
            hint = "wait for it, or end it, then run this again"
            raise ConflictError("another cascade is running here", hint=hint)
        yield


@contextmanager
def _draining(drain: Callable[[], None]) -> Iterator[None]:
    """Makes the first Ctrl-C let what is under way end; the second one is as always."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def first(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        drain()

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _outcomes(driver: Driver, released: Released) -> Iterator[StepOutcome]:
    schedule = driver.schedule
    for step in driver.plan.steps:
        result = driver.results.get(step.group[0])
        reason = schedule.reasons.get(step.node, step.reason)
        blocker = schedule.blocked_by.get(step.node)
        if blocker:
            reason = f"blocked by {driver.plan.by_node[blocker].title}"
        yield StepOutcome(
            step=step,
            state=schedule.states[step.node],
            reason=reason,
            content=driver.repository.content_of(driver.manifest(step.node)) if result else None,
            is_known=bool(result and result.is_known),
            duration_s=result.made.duration_s if result else 0.0,
            rows=driver.rows.get(step.node, ()),
            published=released.nodes.get(step.node),
        )


def _note_end(journal: Journal, cascade: Cascade) -> None:
    journal.write(
        "ended",
        steps=[
            {
                "title": outcome.step.title,
                "state": outcome.state.value,
                "reason": outcome.reason,
                "content": str(outcome.content) if outcome.content else None,
                "published": str(outcome.published) if outcome.published else None,
            }
            for outcome in cascade.outcomes
        ],
        published={name: str(node) for name, node in cascade.published.items()},
        moved=list(cascade.moved),
        jobs=cascade.jobs,
        is_ok=cascade.is_ok,
    )
