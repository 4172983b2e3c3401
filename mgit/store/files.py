"""Durable steps on a file system: the only place that knows fsync, rename and locks.

Foreign ``OSError`` becomes ``MachineError`` here, once.
"""

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mgit.errors import MachineError

# What an ``OSError`` says of this machine, whoever met it, and what to do.
OF_THE_DISK = {
    errno.ENOSPC: "free some space on that disk, then run the same command again",
    errno.EDQUOT: "your quota is used up: free some space, then run the same command again",
    errno.EROFS: "the disk is mounted read-only",
    errno.EIO: "the disk reports an error: copy what matters elsewhere, then run mgit fsck",
    errno.EFBIG: "files may not grow that large here: look at ulimit -f",
}
OF_THIS_MACHINE = OF_THE_DISK | {
    errno.EACCES: "look at who owns it: ls -ld",
    errno.EPERM: "look at who owns it: ls -ld",
    errno.EMFILE: "too many open files: raise the limit with ulimit -n",
    errno.ENOMEM: "close other programs, then try again",
}

_SPARE_BYTES = 1 << 20


@contextmanager
def machine_errors(doing: str) -> Iterator[None]:
    """Turns an ``OSError`` inside into a ``MachineError`` that says what was being done."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        where = f" ({error.filename})" if error.filename else ""
        hint = OF_THIS_MACHINE.get(error.errno or 0, "")
        raise MachineError(f"{doing}: {reason}{where}", hint=hint) from error


def sync_folder(folder: Path) -> None:
    """Makes the names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(source: Path, target: Path) -> None:
    """Moves a complete, synced file into place, so that a reader sees all of it or none."""
    source.replace(target)
    sync_folder(target.parent)


def write_whole(target: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Writes a small file so that a reader, or a crash, sees the old content or the new."""
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        replace(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock between processes of this machine; it ends with the process."""
    with _opened_lock(path) as descriptor:
        with machine_errors(f"locking {path.parent}"):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Holds an exclusive lock on a folder itself, which is made; it leaves no file behind."""
    with machine_errors(f"locking {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with machine_errors(f"locking {folder}"):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Holds the same lock, unless somebody does; yields whether it is held, and never waits."""
    with _opened_lock(path) as descriptor:
        yield _take_if_free(descriptor)


@contextmanager
def _opened_lock(path: Path) -> Iterator[int]:
    with machine_errors(f"locking {path.parent}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_unlocked(path: Path) -> bool:
    """Returns whether no process holds a lock on a file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return _take_if_free(descriptor)
    finally:
        os.close(descriptor)


def _take_if_free(descriptor: int) -> bool:
    """Takes a lock if nobody holds it; returns whether it did."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def require_space(folder: Path, size_bytes: int) -> None:
    """Raises MachineError if a disk has no room for that much more."""
    free, needed = shutil.disk_usage(folder).free, size_bytes + _SPARE_BYTES
    if free < needed:
        raise MachineError(
            f"{needed / 1e3:,.0f} kB are needed in {folder}, and {free / 1e3:,.0f} kB are free",
            hint="free some space on that disk, then run the same command again",
        )


def size_of(path: Path) -> int:
    """Returns the bytes of a file, or of all files below a folder; links are not followed."""
    return sum(facts.st_size for facts in facts_below(path))


def facts_below(path: Path) -> Iterator[os.stat_result]:
    """Yields what the file system knows of a path, and of everything below it that is still there.

    Links are not followed.
    """
    for found in (path, *path.rglob("*")):
        try:
            yield found.lstat()
        except OSError:
            continue  # gone meanwhile
