"""Runs jobs on Ray, on this machine or on a cluster.

Ray prints, listens on all interfaces, hangs if it cannot start, and leaves processes behind. So it
lives in a process of its own, the host, which alone imports it; this module talks to the host.
"""

import contextlib
import importlib.util
import json
import selectors
import shutil
import tempfile
import time
from pathlib import Path

from mgit.errors import MachineError
from mgit.execution.child import Child
from mgit.execution.messages import done_from, job_text
from mgit.execution.port import Done, Executor, Job, LostReason
from mgit.execution.processes import Processes
from mgit.execution.roster import Roster

_HOST = "mgit.execution.ray_host"
_LOOK_S = 0.25  # how often to look whether the host died while somebody holds its socket open
_LEAVING_S = 5.0

# Ray makes sockets whose paths must not be longer than 107 bytes, 70 of which are its own.
_MAX_FOLDER_BYTES = 30


class RayExecutor(Executor):
    """An executor of up to ``capacity`` Ray actors."""

    def __init__(self, jobs: int, folder: Path, *, address: str = "", start_s: float = 60) -> None:
        """Starts Ray, or joins a cluster.

        Args:
            jobs: How many jobs may run at once; on a cluster no more than it has CPUs.
            folder: Where the log of the executor lies.
            address: Of a cluster; empty: none but this machine.
            start_s: Within which it must have started.

        Raises:
            MachineError: Ray is not installed, or cannot be started, or not in that time.
        """
        _check_installed()
        self._start_s = start_s
        self._settings = {"jobs": jobs, "address": address, "folder": str(Path.cwd())}
        with contextlib.ExitStack() as unless_started:
            self._scratch = _short_folder()
            unless_started.callback(shutil.rmtree, self._scratch, ignore_errors=True)
            self._processes = Processes(folder, scratch=self._scratch)
            unless_started.callback(self._processes.close)
            self._host: Child | None = self._start()
            unless_started.pop_all()
        self._roster = Roster(self.capacity)

    def submit(self, job: Job) -> None:
        """Takes a job; starts Ray again if it died.

        Raises:
            ValueError: Its id is in use.
            MachineError: Ray cannot be started again.
        """
        self._listen()
        if self._host is None:
            self._host = self._start()
        self._roster.add(job)
        self._tell({"submit": job_text(job)})

    def wait(self, timeout_s: float | None = None) -> Done | None:
        """Returns the next job that ended; None if none did in that time."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            self._listen()
            if done := self._roster.collect():
                return done
            left = _LOOK_S if end is None else min(_LOOK_S, end - time.monotonic())
            if left <= 0:
                return None
            if self._host:
                _await(self._host, left)

    def cancel(self, job_id: str) -> None:
        """Kills the actor that does a job, unless it has answered already."""
        self._tell({"cancel": job_id})

    def close(self) -> None:
        """Leaves the cluster, or ends it if it was started for this; kills what is left."""
        if self._host and self._settings["address"]:
            self._host.hang_up()
            self._host.ending(_LEAVING_S)
        self._host = None
        self._processes.close()
        self._roster = Roster(self.capacity)

    def _start(self) -> Child:
        host = self._processes.start(_HOST, folder=self._scratch)
        host.tell(_line(self._settings))
        match json.loads(_first_line(host, self._start_s)):
            case {"capacity": int(capacity)}:
                self.capacity = capacity
                return host
            case {"failed": str(reason)}:
                host.ending()  # it still writes the whole story to the log
            case _ if host.has_ended:
                reason = f"its process {host.ending()}"
            case _:
                reason = f"no answer within {self._start_s:g} s"
        self._processes.end(host)
        address = self._settings["address"]
        doing = f"joining the Ray cluster at {address}" if address else "starting Ray"
        hint = f"what Ray printed: {self._processes.log}; or do without it: --executor process"
        raise MachineError(f"{doing}: {reason}", hint=hint)

    def _tell(self, command: dict[str, str]) -> None:
        if self._host:
            self._host.tell(_line(command))

    def _listen(self) -> None:
        host = self._host
        if host is None:
            return
        has_ended = host.has_ended  # before it is heard, or its last words are lost
        for line in host.hear():
            self._roster.end(done_from(line))
        if has_ended:
            self._host = None
            detail = f"the process that Ray runs in {host.ending()}"
            self._processes.end(host)
            self._roster.lose_all(LostReason.CRASHED, detail)


def _check_installed() -> None:
    found = importlib.util.find_spec("ray")
    if found is None or found.origin is None:  # a folder of that name is no package
        raise MachineError(
            "Ray is not installed",
            hint="pip install 'mgit-models[ray]', or do without it: --executor process",
        )


def _short_folder() -> Path:
    parent = tempfile.gettempdir()
    if len(parent.encode()) > _MAX_FOLDER_BYTES:
        parent = "/tmp"  # noqa: S108  # mkdtemp makes a folder that nobody else can enter
    try:
        return Path(tempfile.mkdtemp(prefix="mgit-", dir=parent))
    except OSError as error:
        raise MachineError(f"making a temporary folder for Ray: {error}") from error


def _line(message: object) -> bytes:
    return json.dumps(message).encode("ascii") + b"\n"


def _first_line(host: Child, within_s: float) -> bytes:
    """Returns what the host says first; ``null`` if it ends or the time is over before."""
    end = time.monotonic() + within_s
    while not host.has_ended and (left := end - time.monotonic()) > 0:
        _await(host, min(left, _LOOK_S))
        for line in host.hear():
            return line
    return b"null"


def _await(host: Child, timeout_s: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(host, selectors.EVENT_READ)
        selector.select(timeout_s)
