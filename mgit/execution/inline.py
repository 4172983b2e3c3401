"""Runs jobs in this very process, one after the other: for little work, and to look for mistakes.

A job that hangs cannot be stopped, one that crashes takes the driver with it, and while one runs
everything that this process prints goes to the job's log.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mgit.errors import UsageError
from mgit.execution.performing import perform
from mgit.execution.port import Done, Executor, Job, LostReason
from mgit.execution.roster import Roster


class InlineExecutor(Executor):
    """An executor without processes: ``wait`` runs the next job and returns when it has ended."""

    capacity = 1

    def __init__(self) -> None:
        self._roster = Roster(self.capacity)

    def submit(self, job: Job) -> None:
        """Takes a job.

        Raises:
            ValueError: Its id is in use.
            UsageError: It has a time limit, which nobody could enforce here.
        """
        if job.timeout_s is not None:
            raise UsageError(
                f"job {job.id!r} has a time limit, and a job in this process cannot be stopped",
                hint="run it in a process of its own: --executor process",
            )
        self._roster.add(job)

    def wait(self, timeout_s: float | None = None) -> Done | None:  # noqa: ARG002  # of the port
        """Runs the next job to its end, however long that takes, and returns it."""
        if job := self._roster.begin():
            try:
                with _interruptible():
                    done = perform(job)
            except BaseException:
                self._roster.lose(job.id, LostReason.CANCELLED, "it was interrupted")
                raise
            self._roster.end(done)
        return self._roster.collect()

    def cancel(self, job_id: str) -> None:
        """Forgets to run a job that waits."""
        self._roster.lose(job_id, LostReason.CANCELLED, "it had not begun")

    def close(self) -> None:
        """Forgets the jobs that wait."""
        self._roster = Roster(self.capacity)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Raises in the end what the handler of Ctrl-C raised inside.

    It rises through the job, which looks as if the job itself had raised it.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    raised: list[BaseException] = []

    def noting(number: int, frame: FrameType | None) -> None:
        try:
            handler(number, frame)
        except BaseException as error:
            raised.append(error)
            raise

    signal.signal(signal.SIGINT, noting)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if raised:
        raise raised[0]
