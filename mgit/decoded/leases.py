"""Leases: a shared lock on a file or folder of the cache while somebody uses it."""

import errno
import fcntl
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FRESH_S = 60  # between creating a file and locking it lies an instant


@contextmanager
def leased(path: Path) -> Iterator[int | None]:
    """Gives a descriptor with a shared lock, or None where there is nothing to be read.

    The lock outlives the context in a mapping of the descriptor, and in a duplicate.
    """
    descriptor = _opened(path)
    try:
        if descriptor is not None:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        is_there = descriptor is not None and os.fstat(descriptor).st_nlink > 0
        yield descriptor if is_there else None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def remove_unless_leased(path: Path) -> bool:
    """Removes a file or folder if nobody uses it; returns whether it did."""
    descriptor = _opened(path)
    if descriptor is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()
    except (BlockingIOError, FileNotFoundError):  # leased, or removed by somebody else
        return False
    finally:
        os.close(descriptor)
    return True


def sweep(folder: Path, partial: re.Pattern[str]) -> None:
    """Removes unfinished work of processes that were killed: what has such a name, and no lease."""
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            if partial.fullmatch(path.name) and time.time() - path.lstat().st_mtime >= _FRESH_S:
                remove_unless_leased(path)


def _opened(path: Path) -> int | None:
    try:  # a pipe that somebody put there is not waited for
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP}:
            return None
        raise
