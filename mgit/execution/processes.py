"""The processes of an executor: marked, guarded, ended together.

Each leads a session of its own, so that Ctrl-C in a terminal reaches the driver alone.
"""

import contextlib
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mgit.errors import MachineError
from mgit.execution.child import Child
from mgit.execution.inherited import environment
from mgit.execution.leftovers import Owner, end_all

_GUARD = "mgit.execution.guard"
_GUARD_S = 15.0


class Processes:
    """Starts processes, and leaves none, even if this one is killed.

    Attributes:
        log: The file that gets what they print besides what jobs print.
    """

    def __init__(self, folder: Path, *, scratch: Path | None = None) -> None:
        """Starts the guard.

        Args:
            folder: Where the log lies; made if it is missing.
            scratch: A temporary folder that is removed when the processes are gone.

        Raises:
            MachineError: The folder cannot be written, or no process be started.
        """
        self.log = folder / "executor.log"
        self._mark = secrets.token_hex(16)
        self._scratch = scratch
        self._is_closed = False
        self._children: set[Child] = set()
        with _machine_errors("making the folder of an executor"):
            folder.mkdir(parents=True, exist_ok=True)
        words = [self._mark, *([str(scratch)] if scratch else [])]
        self._guard = self._start(_GUARD, words, mark="", folder=Path("/"))

    def start(self, module: str, *, folder: Path | None = None) -> Child:
        """Starts a module; it finds its end of the socket as descriptor 0.

        Args:
            module: ``package.module``.
            folder: Where it works; None: here.

        Raises:
            MachineError: It cannot be started.
            ValueError: The processes have been closed.
        """
        if self._is_closed:
            raise ValueError("the executor is closed")
        child = self._start(module, [], mark=self._mark, folder=folder)
        self._children.add(child)
        self._guard.tell(f"{child.session}\n".encode())
        return child

    def end(self, child: Child) -> None:
        """Kills a child and all of its session."""
        end_all(Owner({child.session}))
        self._guard.tell(f"{child.session}\n".encode())
        self._children.discard(child)
        child.close()

    def close(self) -> None:
        """Kills them all, as the guard would; a second time does nothing."""
        self._is_closed = True
        end_all(Owner({child.session for child in self._children}, self._mark))
        while self._children:
            self._children.pop().close()
        self._guard.hang_up()
        self._guard.ending(_GUARD_S)
        self._guard.close()
        if self._scratch:  # the guard does this, unless somebody killed it
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _start(self, module: str, words: Sequence[str], *, mark: str, folder: Path | None) -> Child:
        with _machine_errors(f"starting {module}"):
            ours, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as unless_started:
            unless_started.callback(ours.close)
            with _machine_errors(f"starting {module}"), self.log.open("ab") as log:
                process = subprocess.Popen(
                    # -P: no module is found in the folder that it happens to be started in
                    [sys.executable, "-P", "-m", module, *words],
                    stdin=theirs.fileno(),
                    stdout=log,
                    stderr=log,
                    cwd=folder,
                    env=environment(mark),
                    start_new_session=True,
                )
            unless_started.pop_all()
        return Child(process, ours)


@contextmanager
def _machine_errors(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MachineError(f"{doing}: {error}", hint="look at the disk, ulimit -a") from error
