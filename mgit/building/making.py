"""Runs a recipe on an executor, and looks at what came of it."""

import json
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from mgit.building.results import Made, Results
from mgit.building.work import Work
from mgit.building.working import job_of
from mgit.digest import Digest
from mgit.errors import MachineError, RunError
from mgit.execution import Done, Executor, Finished, Lost, LostReason, Raised
from mgit.repository import Presence, Repository, presence_of

# What torch and the kernel say where memory ends; the first is the class of numpy's error too.
_MEMORY = ("MemoryError", "OutOfMemoryError", "DefaultCPUAllocator: can't allocate memory")


class FailureKind(Enum):
    """Why a run made nothing."""

    RAISED = "failed"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    MACHINE = "could not run here"  # the disk, say: no function and no model is to blame


# What a job that has no result is told as, and what to do.
_LOST = {
    LostReason.NOT_STARTED: (FailureKind.MACHINE, "look at the disk, ulimit -a"),
    LostReason.CRASHED: (FailureKind.CRASHED, ""),
    LostReason.TIMED_OUT: (FailureKind.TIMED_OUT, "allow more: --timeout SECONDS"),
    LostReason.CANCELLED: (FailureKind.CANCELLED, ""),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that made nothing.

    Attributes:
        kind: Why.
        message: What happened, in a line.
        hint: What to do; may be empty.
        trace: Where in the recipe; may be empty.
    """

    kind: FailureKind
    message: str
    hint: str = ""
    trace: str = ""

    def error(self, what: str, *, hint: str = "") -> RunError | MachineError:
        """Returns it as an error to raise.

        Args:
            what: What ran.
            hint: What to do if nothing better is known.
        """
        kind = MachineError if self.kind is FailureKind.MACHINE else RunError
        return kind(f"{what} {self.kind.value}: {self.message}", hint=self.hint or hint)


def result_of(repository: Repository, work: Work, done: Done) -> Made | Failure:
    """Returns what a job made, after looking whether all of it is really in the store."""
    match done.outcome:
        case Finished(result):
            return _made(repository, work, done, json.loads(result))
        case Raised() | Lost():
            return failure_of(done)
        case _:
            assert_never(done.outcome)


def failure_of(done: Done) -> Failure:
    """Returns why a job that did not finish made nothing."""
    match done.outcome:
        case Raised(MachineError.__name__, message, hint, trace):
            return Failure(FailureKind.MACHINE, message, hint, trace)
        case Raised(error, message, hint, trace):
            if any(sign in f"{error} {message}" for sign in _MEMORY):
                return Failure(FailureKind.OUT_OF_MEMORY, message or error, hint, trace)
            told = message if error == RunError.__name__ else f"{error}: {message}".rstrip(": ")
            return Failure(FailureKind.RAISED, told, hint, trace)
        case Lost(reason, detail):
            kind, hint = _LOST[reason]
            return Failure(kind, detail, hint)
        case Finished():
            raise ValueError(f"job {done.job} finished")
        case _:
            assert_never(done.outcome)


def make(repository: Repository, work: Work, results: Results, executor: Executor) -> Made:
    """Returns the result of running it now.

    Raises:
        RunError: The run made nothing.
        MachineError: The run could not go on here.
    """
    name = work.action.hex()
    log = repository.folder / "work" / "logs" / f"{name}.log"
    executor.submit(job_of(repository, work, id=name, log=log))
    done = executor.wait()
    if done is None:
        raise ValueError("an executor that waits without end gave nothing")
    result = result_of(repository, work, done)
    if isinstance(result, Failure):
        raise result.error(work.code.function, hint=f"what it printed: {log}")
    results.keep(work.action, result)
    return result


def _made(
    repository: Repository, work: Work, done: Done, told: dict[str, object]
) -> Made | Failure:
    match told:
        case {"outputs": dict(outputs), "started": str(started), "finished": str(finished)}:
            manifests = {o: Digest.from_text(found["manifest"]) for o, found in outputs.items()}
        case _:
            return Failure(FailureKind.CRASHED, f"the worker gave back {told!r:.80}")
    repository.store.refresh()  # what the worker wrote
    for output in work.outputs:
        if presence_of(repository, manifests[output]) is not Presence.COMPLETE:
            return Failure(FailureKind.CRASHED, "the worker did not store what it says it made")
    return Made(manifests, work.environment, started, finished, round(done.duration_s, 3))
