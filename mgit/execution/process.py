"""Runs jobs in processes of this machine, which are kept from job to job."""

import selectors
import time
from pathlib import Path

from mgit.errors import MachineError
from mgit.execution.child import Child
from mgit.execution.messages import done_from, job_text
from mgit.execution.port import Done, Executor, Job, LostReason
from mgit.execution.processes import Processes
from mgit.execution.roster import Roster

_WORKER = "mgit.execution.worker"
_LOOK_S = 0.25  # how often to look whether a worker died whose socket somebody holds open


class ProcessExecutor(Executor):
    """An executor of up to ``capacity`` worker processes, each started when it is first needed."""

    def __init__(self, jobs: int, folder: Path) -> None:
        """Takes how many jobs may run at once, and where the log of the executor lies.

        Raises:
            MachineError: The folder cannot be written.
        """
        self.capacity = jobs
        self._roster = Roster(jobs)
        self._processes = Processes(folder)
        self._idle: list[Child] = []
        self._busy: dict[str, Child] = {}

    def submit(self, job: Job) -> None:
        """Takes a job, and begins it if fewer run than may."""
        self._roster.add(job)
        self._begin()

    def wait(self, timeout_s: float | None = None) -> Done | None:
        """Returns the next job that ended; None if none did in that time."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            self._listen()
            for job_id in self._roster.overdue():
                self._stop(job_id, LostReason.TIMED_OUT, "it had its time and was killed")
            self._begin()
            if done := self._roster.collect():
                return done
            left = _LOOK_S if end is None else min(_LOOK_S, end - time.monotonic())
            if left <= 0:
                return None
            self._sleep(left)

    def cancel(self, job_id: str) -> None:
        """Kills the worker that does a job, unless it has answered already."""
        self._listen()
        self._stop(job_id, LostReason.CANCELLED, "it was cancelled")

    def close(self) -> None:
        """Kills the workers and whatever they started."""
        self._processes.close()
        self._roster = Roster(self.capacity)
        self._idle.clear()
        self._busy.clear()

    def _begin(self) -> None:
        while job := self._roster.begin():
            try:
                worker = self._worker()
            except MachineError as error:
                self._roster.lose(job.id, LostReason.NOT_STARTED, f"no worker for it: {error}")
                continue
            self._busy[job.id] = worker
            worker.tell(f"{job_text(job)}\n".encode("ascii"))

    def _worker(self) -> Child:
        while self._idle:
            worker = self._idle.pop()
            if not worker.has_ended:
                return worker
            self._processes.end(worker)
        return self._processes.start(_WORKER)

    def _sleep(self, longest_s: float) -> None:
        """Waits until a worker says something, or a job is overdue."""
        left = self._roster.seconds_left()
        with selectors.DefaultSelector() as selector:
            for worker in self._busy.values():
                selector.register(worker, selectors.EVENT_READ)
            selector.select(longest_s if left is None else min(longest_s, left))

    def _listen(self) -> None:
        for job_id, worker in list(self._busy.items()):
            has_ended = worker.has_ended  # before it is heard, or its last words are lost
            try:
                lines = worker.hear()
                if lines:
                    self._answered(job_id, worker, done_from(lines[0]))
                elif has_ended:
                    detail = f"the worker {worker.ending()}"
                    self._stop(job_id, LostReason.CRASHED, detail)
            except ValueError as error:
                self._stop(job_id, LostReason.CRASHED, f"the worker {error}")

    def _answered(self, job_id: str, worker: Child, done: Done) -> None:
        if done.job != job_id:
            raise ValueError(f"answered for job {done.job!r}, which is not its own")
        del self._busy[job_id]
        self._idle.append(worker)
        self._roster.end(done)

    def _stop(self, job_id: str, reason: LostReason, detail: str) -> None:
        if worker := self._busy.pop(job_id, None):
            self._processes.end(worker)
        self._roster.lose(job_id, reason, detail)
