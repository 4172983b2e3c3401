"""Which jobs wait, which run and which have ended: the bookkeeping of every executor.

Starts and kills nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from mgit.execution.port import Done, Job, Lost, LostReason


@dataclass(slots=True)
class _Running:
    job: Job
    started: float


class Roster:
    """Jobs in order of arrival; at most ``capacity`` of them run.

    A job is on the roster from ``add`` until ``take`` or ``collect`` has returned it.
    """

    def __init__(self, capacity: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes how many jobs may run at once, and a clock in seconds."""
        self._capacity = capacity
        self._clock = clock
        self._waiting: dict[str, Job] = {}
        self._running: dict[str, _Running] = {}
        self._ended: dict[str, Done] = {}

    def add(self, job: Job) -> None:
        """Adds a job that waits.

        Raises:
            ValueError: Its id is on the roster.
        """
        if job.id in self._waiting or job.id in self._running or job.id in self._ended:
            raise ValueError(f"job {job.id!r} has been submitted already")
        self._waiting[job.id] = job

    def begin(self) -> Job | None:
        """Returns the next job that is to run, and counts it as running; None: none may."""
        if not self._waiting or len(self._running) >= self._capacity:
            return None
        job = self._waiting.pop(next(iter(self._waiting)))
        self._running[job.id] = _Running(job, self._clock())
        return job

    def restart_clock(self, job_id: str) -> None:
        """Lets a job's time begin now: its worker had to be started first."""
        if running := self._running.get(job_id):
            running.started = self._clock()

    def lose(self, job_id: str, reason: LostReason, detail: str) -> None:
        """Notes that a job waits or runs no more and has no result; one that ended stays so."""
        running = self._running.get(job_id)
        duration_s = self._clock() - running.started if running else 0.0
        self.end(Done(job_id, Lost(reason, detail), duration_s))

    def end(self, done: Done) -> None:
        """Notes that a job ended, unless it is known to have."""
        known = self._running.pop(done.job, None) or self._waiting.pop(done.job, None)
        if known:
            self._ended[done.job] = done

    def lose_all(self, reason: LostReason, detail: str) -> None:
        """Notes that no job waits or runs any more."""
        for job_id in (*self._running, *self._waiting):
            self.lose(job_id, reason, detail)

    def overdue(self) -> list[str]:
        """Returns the running jobs that have had their time."""
        now = self._clock()
        return [job_id for job_id, end in self._deadlines() if end <= now]

    def seconds_left(self) -> float | None:
        """Returns how long until the next job is overdue; None: no running job can be."""
        ends = [end for _, end in self._deadlines()]
        return max(0.0, min(ends) - self._clock()) if ends else None

    def take(self) -> Done | None:
        """Returns the job that ended first, and takes it off the roster; None: none ended."""
        return self._ended.pop(next(iter(self._ended))) if self._ended else None

    def collect(self) -> Done | None:
        """Does what ``take`` does.

        Raises:
            ValueError: The roster is empty, so that waiting would never end.
        """
        if not (self._ended or self._running or self._waiting):
            raise ValueError("no job was submitted that could end")
        return self.take()

    def _deadlines(self) -> list[tuple[str, float]]:
        return [
            (job_id, running.started + running.job.timeout_s)
            for job_id, running in self._running.items()
            if running.job.timeout_s is not None
        ]
