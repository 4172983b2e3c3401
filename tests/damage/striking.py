"""Ends a command, or lets the disk refuse it something, at the n-th thing that it does to the disk.

By hand, where Python tells the disk something: quick, and everywhere. Or by ``strace``, at the
system calls themselves, writes too. The command runs in a fork of this process: nothing is
imported again.
"""

import errno
import io
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgit.cli import main

KILL = 0
BLOWS = {"killed": KILL, "an I/O error": errno.EIO, "a full disk": errno.ENOSPC}
KILLED = 137
NEVER = 1 << 30  # further than any command gets
_STEPS = ("fsync", "rename", "replace", "link", "mkdir", "unlink", "rmdir", "utime")
_FREEING = {"unlink", "rmdir", "utime"}  # a full disk does not refuse these
# Grouped by what they do: strace counts each on its own, and a machine has one of a group.
CALLS = {
    "write": "write",
    "place": "?pwrite64,?ftruncate",
    "sync": "fsync",
    "move": "?rename,?renameat,?renameat2",
    "link": "?link,?linkat",
    "make a folder": "?mkdir,?mkdirat",
    "remove": "?unlink,?unlinkat,?rmdir",
}


def calls_for(blow: int) -> list[str]:
    """The system calls that may end so."""
    return [calls for what, calls in CALLS.items() if blow != errno.ENOSPC or what != "remove"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    Attributes:
        exit_code: Of the command; ``KILLED`` if it was killed.
        said: What it wrote, to whichever stream.
        is_struck: Whether it got as far as that point.
        steps: What it told the disk, in number, as counted by hand; 0 if it was killed or traced.
    """

    exit_code: int
    said: str
    is_struck: bool
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """A command to be run in a process of its own.

    Attributes:
        words: After ``mgit``.
        folder: Where.
        environment: What it has beside the environment of this process.
        said: The file that takes its output.
    """

    words: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    said: Path

    def by_hand(self, point: int = NEVER, blow: int = KILL) -> Ended:
        """Runs it, and strikes at the n-th step that Python tells the disk."""
        reading, writing = os.pipe()

        def run() -> int:
            steps = _Steps(point, blow)
            code = self._main()
            os.write(writing, str(steps.taken).encode())
            return code

        process = self._forked(run)
        os.close(writing)
        code = _waited_for(process)
        steps = int(os.read(reading, 64) or b"0")
        os.close(reading)
        return Ended(code, self.said.read_text(), code == KILLED or steps >= point, steps)

    def traced(self, calls: str, point: int, blow: int) -> Ended:
        """Runs it, and strikes at the n-th of these system calls in any of its threads."""
        reading, writing = os.pipe()

        def run() -> int:
            os.read(reading, 1)
            return self._main()

        process, log = self._forked(run), self.said.with_name("trace")
        what = f"error={errno.errorcode[blow]}" if blow else "signal=KILL"
        traced = ["strace", "-f", "-o", str(log), "-e", f"trace={calls}", "-p", str(process)]
        traced += ["-e", f"inject={calls}:{what}:when={point}"]
        with subprocess.Popen(traced, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            assert "attached" in tracer.stderr.readline()
            os.write(writing, b"!")
            code = _waited_for(process)
            tracer.stderr.read()
        os.close(reading)
        os.close(writing)
        is_struck = code == KILLED or "INJECTED" in log.read_text()
        return Ended(code, self.said.read_text(), is_struck)

    def _forked(self, run: Callable[[], int]) -> int:
        """Runs something in a child whose output goes to the file; returns its process id."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons fear for threads
            child = os.fork()
        if child:
            return child
        code = 99
        try:
            said = os.open(self.said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(said, 1)
            os.dup2(said, 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            code = run()
        finally:
            os._exit(code)

    def _main(self) -> int:
        os.environ.update(self.environment)
        os.chdir(self.folder)
        code = main(self.words)
        sys.stdout.flush()
        sys.stderr.flush()
        return code


def _waited_for(process: int) -> int:
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return KILLED if status < 0 else status


class _Steps:
    """Counts what this process tells the disk, and strikes at one of the steps."""

    def __init__(self, point: int, blow: int) -> None:
        self.taken, self.point, self.blow = 0, point, blow
        for name in _STEPS:
            if blow != errno.ENOSPC or name not in _FREEING:
                setattr(os, name, self._counted(getattr(os, name), lambda *_given: True))
        os.open = self._counted(os.open, lambda _path, flags, *_: bool(flags & os.O_CREAT))
        io.open = self._counted(io.open, lambda _path, mode="r", *_: bool(set(mode) & set("wxa")))

    def _counted(self, real: Callable[..., Any], is_step: Callable[..., bool]) -> Any:
        def call(*given: object, **named: object) -> object:
            if is_step(*given):
                self._take()
            return real(*given, **named)

        return call

    def _take(self) -> None:
        self.taken += 1
        if self.taken != self.point:
            return
        if self.blow == KILL:
            os._exit(KILLED)  # nothing is flushed, nothing cleaned up
        raise OSError(self.blow, os.strerror(self.blow))


def can_trace() -> bool:
    """Whether strace may watch a process of ours here."""
    if shutil.which("strace") is None:
        return False
    ran = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], check=False)
    return ran.returncode == 0
