"""The port between what decides which work is done, and what runs it.

A job is one call of an importable function that takes text and returns text. Small things travel:
digests, settings, numbers. Weights never do; a job reads and writes them where they lie.

Refuses to know recipes, checks and repositories.
"""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeAlias


@dataclass(frozen=True, slots=True)
class Job:
    """One call of a function, in a worker.

    Jobs are made by code of our own only: a worker imports whatever module it is told.

    Attributes:
        id: How the caller calls it.
        function: ``module:function``, importable in a worker; takes one text and returns one.
        argument: What the function is given; JSON by custom.
        log: Absolute path of a file that gets what the job prints, at its end.
        threads: Threads of numerical libraries; their number changes the bits of a result.
        timeout_s: The job is killed after that long; None: never.
    """

    id: str
    function: str
    argument: str
    log: str
    threads: int = 1
    timeout_s: float | None = None

    def __post_init__(self) -> None:
        if not Path(self.log).is_absolute():
            raise ValueError(f"{self.log!r} means another file in another folder")
        if self.threads < 1:
            raise ValueError(f"a job needs a thread, not {self.threads}")


@dataclass(frozen=True, slots=True)
class Finished:
    """The function returned.

    Attributes:
        result: What it returned.
    """

    result: str


@dataclass(frozen=True, slots=True)
class Raised:
    """The function raised, or could not be called; the worker goes on.

    Attributes:
        error: Name of the exception's class: ``ValueError``.
        message: What it says.
        hint: The next step, if it is an ``MgitError`` that has one; else empty.
        trace: The traceback, from the function on.
    """

    error: str
    message: str
    hint: str
    trace: str


class LostReason(Enum):
    """Why a job has no result."""

    NOT_STARTED = "not started"
    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no worker, or no more, and nothing is left of what the job had done.

    Attributes:
        reason: Who is to blame: the machine on which no worker could be started, the machine or the
            job, the clock, the caller.
        detail: What is known: ``the worker was killed by signal 9``.
    """

    reason: LostReason
    detail: str


Outcome: TypeAlias = Finished | Raised | Lost


@dataclass(frozen=True, slots=True)
class Done:
    """A job that ended.

    Attributes:
        job: Its id.
        outcome: How.
        duration_s: Seconds that it ran; 0 if it never began.
    """

    job: str
    outcome: Outcome
    duration_s: float


class Executor(Protocol):
    """Runs jobs; a context manager: leaving it ends every process that it started.

    Used from one thread. Jobs move on while ``wait`` is called; nothing is run twice.

    Attributes:
        capacity: How many jobs run at once.
    """

    capacity: int

    def submit(self, job: Job) -> None:
        """Takes a job; any number may be waiting.

        Raises:
            ValueError: A job with this id has not been collected by ``wait`` yet.
            UsageError: This executor cannot do what the job asks for.
        """

    def wait(self, timeout_s: float | None = None) -> Done | None:
        """Returns the next job that ended, each once; None if none did in that time.

        Raises:
            ValueError: No job is left that could end.
        """

    def cancel(self, job_id: str) -> None:
        """Kills a job, unless it has ended; ``wait`` tells it as lost."""

    def close(self) -> None:
        """Kills what still runs; a second time does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
