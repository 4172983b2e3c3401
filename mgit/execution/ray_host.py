"""The process that Ray lives in: a pool of actors, one job each; the only one that imports ray.

It reads settings and then commands from a socket, one a line, and answers with a line for each job
that ended. Commands and what Ray reports pass through one queue, so that one thread decides.
"""

import contextlib
import json
import os
import queue
import secrets
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from mgit.execution.inherited import pinned_variables
from mgit.execution.messages import done_from, done_text, job_from, job_text
from mgit.execution.port import Done, Job, LostReason
from mgit.execution.roster import Roster
from mgit.execution.worker import Worker, line_to_driver

_Act: TypeAlias = Callable[[], None]

# Only text passes through Ray's object store; 75 MiB is the least that Ray takes.
_STORE_BYTES = 80 << 20

# What somebody set for other clusters. Tensors without a copy would let a job rewrite what others
# read, without an error.
_NEVER = ("RAY_ADDRESS", "RAY_ENABLE_ZERO_COPY_TORCH_TENSORS")
_ALWAYS = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or a job would see no GPU
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under uv, Ray would upload the current folder
    "RAY_USAGE_STATS_ENABLED": "0",
}
_QUIET = {"logging_level": "ERROR", "log_to_driver": False}

# Whether a job is tried again is decided by whoever submits it.
_ONCE = {"num_cpus": 1, "max_restarts": 0, "max_task_retries": 0}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the driver wants.

    Attributes:
        jobs: How many actors at most.
        address: Of a cluster; empty: one of our own.
        folder: Where jobs work.
    """

    jobs: int
    address: str
    folder: str


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    job: Job
    actor: Any


class Pool:
    """The actors, and which job each of them does."""

    def __init__(self, ray: Any, capacity: int, new_actor: Callable[[], Any]) -> None:
        """Takes the module, how many actors there may be, and how one is made."""
        self.capacity = capacity
        self.acts: queue.SimpleQueue[_Act | None] = queue.SimpleQueue()
        self._ray = ray
        self._new_actor = new_actor
        self._roster = Roster(capacity)
        self._idle: list[Any] = []
        self._runs: dict[str, _Run] = {}

    def work(self, tell: Callable[[Done], None]) -> None:
        """Does what is in the queue, until it says None; tells of each job that ended."""
        while True:
            try:
                act = self.acts.get(timeout=self._roster.seconds_left())
            except queue.Empty:
                act = self._stop_overdue
            if act is None:
                return
            act()
            while done := self._roster.take():
                tell(done)

    def submit(self, job: Job) -> None:
        """Takes a job."""
        self._roster.add(job)
        self._begin()

    def cancel(self, job_id: str) -> None:
        """Kills the actor that does a job."""
        self._stop(job_id, LostReason.CANCELLED, "it was cancelled")

    def _begin(self) -> None:
        while job := self._roster.begin():
            is_new = not self._idle
            run = _Run(job, self._new_actor() if is_new else self._idle.pop())
            self._runs[job.id] = run
            if is_new:
                self._then(run.actor.is_ready.remote(), partial(self._perform, run))
            else:
                self._perform(run)

    def _perform(self, run: _Run, ready: Future[bool] | None = None) -> None:
        if ready and not self._is_alive(run, ready):
            return
        self._roster.restart_clock(run.job.id)
        self._then(run.actor.perform.remote(job_text(run.job)), partial(self._answered, run))

    def _answered(self, run: _Run, answer: Future[str]) -> None:
        if not self._is_alive(run, answer):
            return
        try:
            done = done_from(answer.result())
        except ValueError as error:
            self._stop(run.job.id, LostReason.CRASHED, f"the worker {error}")
            return
        del self._runs[run.job.id]
        self._idle.append(run.actor)
        self._roster.end(done)
        self._begin()

    def _is_alive(self, run: _Run, future: Future[Any]) -> bool:
        """Returns whether a job still runs; notes if Ray says that its actor is dead."""
        if self._runs.get(run.job.id) is not run:
            return False
        if error := future.exception():
            self._stop(run.job.id, LostReason.CRASHED, f"the worker died: {_reason(error)}")
        return error is None

    def _then(self, reference: Any, act: Callable[[Future[Any]], None]) -> None:
        """Puts into the queue what is to be done when Ray has an answer."""
        future = reference.future()
        future.add_done_callback(lambda done: self.acts.put(partial(act, done)))

    def _stop_overdue(self) -> None:
        for job_id in self._roster.overdue():
            self._stop(job_id, LostReason.TIMED_OUT, "it had its time and was killed")

    def _stop(self, job_id: str, reason: LostReason, detail: str) -> None:
        if run := self._runs.pop(job_id, None):
            self._ray.kill(run.actor, no_restart=True)
        self._roster.lose(job_id, reason, detail)
        self._begin()


def main() -> None:
    """Starts Ray and runs jobs until the driver hangs up."""
    with contextlib.suppress(ConnectionError), line_to_driver() as line:
        commands = line.makefile("rb")
        settings = Settings(**json.loads(commands.readline()))
        try:
            pool = _joined(settings) if settings.address else _started(settings)
        except BaseException as error:
            _say(line, json.dumps({"failed": _reason(error)}))
            raise
        _say(line, json.dumps({"capacity": pool.capacity}))
        threading.Thread(target=_obey, args=(commands, pool), daemon=True).start()
        pool.work(lambda done: _say(line, done_text(done)))


def _obey(commands: BinaryIO, pool: Pool) -> None:
    for command in commands:
        match json.loads(command):
            case {"submit": str(job)}:
                pool.acts.put(partial(pool.submit, job_from(job)))
            case {"cancel": str(job_id)}:
                pool.acts.put(partial(pool.cancel, job_id))
            case _:
                raise ValueError(f"no command: {command!r}")
    pool.acts.put(None)


def _say(line: socket.socket, text: str) -> None:
    line.sendall(f"{text}\n".encode("ascii"))


def _started(settings: Settings) -> Pool:
    """Starts Ray on this machine, with all it writes in the current, temporary folder."""
    scratch = Path.cwd()
    token = scratch / "token"  # because Ray listens on all interfaces, whatever it is told
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32), encoding="ascii")
    os.environ.pop("RAY_AUTH_TOKEN", None)  # goes before the path
    ray = _imported(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(token))
    ray.init(
        address="local",
        num_cpus=settings.jobs,
        include_dashboard=False,
        object_store_memory=_STORE_BYTES,
        _temp_dir=str(scratch),
        _node_ip_address="127.0.0.1",
        **_QUIET,
    )
    actor = ray.remote(Worker).options(**_ONCE)
    return Pool(ray, settings.jobs, lambda: actor.remote(settings.folder, str(Path.cwd())))


def _joined(settings: Settings) -> Pool:
    """Joins a cluster of the person's; what it needs for that is in the environment."""
    ray = _imported()
    ray.init(address=settings.address, **_QUIET)
    capacity = min(settings.jobs, int(ray.cluster_resources().get("CPU", 0)))
    if capacity < 1:  # an actor would wait for ever
        raise RuntimeError("the cluster has no CPU to run a job on")
    inherited = {"env_vars": pinned_variables()}
    actor = ray.remote(Worker).options(**_ONCE, runtime_env=inherited)
    return Pool(ray, capacity, lambda: actor.remote(settings.folder, str(Path.cwd())))


def _imported(**variables: str) -> Any:
    """Imports Ray, which reads the environment only then."""
    for name in _NEVER:
        os.environ.pop(name, None)
    os.environ.update(_ALWAYS | variables)
    import ray

    return ray


def _reason(error: BaseException) -> str:
    """Returns the part of what Ray says that is about this failure."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].partition(" Some common causes")[0]


if __name__ == "__main__":
    main()
