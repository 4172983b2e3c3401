"""What a job finds around it, and what is put back when it has ended.

A worker runs many jobs, and the inline executor runs them in the person's own process: what one
job prints, or sets for the whole process, is no business of the next.
"""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from threadpoolctl import threadpool_limits  # it ships no types

from mgit.execution.inherited import thread_variables
from mgit.execution.port import Job

_OUTPUTS = (1, 2)  # the descriptors, because C code does not know sys.stdout


@contextmanager
def prepared_for(job: Job) -> Iterator[None]:
    """Sends what is printed inside to the job's log, with its number of threads.

    Folder, environment variables and thread pools are afterwards what they were before.

    Raises:
        OSError: The log cannot be written.
    """
    with _kept_folder(), _kept_environment(), _printing_to(Path(job.log)), _threads(job.threads):
        yield


@contextmanager
def _kept_folder() -> Iterator[None]:
    before = os.open(".", os.O_RDONLY)  # it may have been removed, then it has no name
    try:
        yield
    finally:
        os.fchdir(before)
        os.close(before)


@contextmanager
def _kept_environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _printing_to(log: Path) -> Iterator[None]:
    log.parent.mkdir(parents=True, exist_ok=True)
    target = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    _flush()
    before = [os.dup(output) for output in _OUTPUTS]
    try:
        for output in _OUTPUTS:
            os.dup2(target, output)
        with contextlib.redirect_stdout(_text(1)), contextlib.redirect_stderr(_text(2)):
            try:
                yield
            finally:
                _flush()
    finally:
        for output, kept in zip(_OUTPUTS, before, strict=True):
            os.dup2(kept, output)
            os.close(kept)
        os.close(target)


def _text(output: int) -> TextIO:
    """Returns a stream that can print any text, whatever the locale.

    It names the descriptor, not the log: a logger that keeps it writes to the log of later jobs.
    """
    return os.fdopen(
        output, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def _flush() -> None:
    """Writes out what Python and C hold back, so that it ends up where it was printed to."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # full disk, closed, None
            stream.flush()
    ctypes.CDLL(None).fflush(None)


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    """Pins the pools of libraries that are loaded, and by variables of those that will be."""
    os.environ.update(thread_variables(threads))
    torch = sys.modules.get("torch")  # never imported for this
    before = torch.get_num_threads() if torch else threads
    with threadpool_limits(threads):
        try:
            if torch:
                torch.set_num_threads(threads)
            yield
        finally:
            if torch:
                torch.set_num_threads(before)
