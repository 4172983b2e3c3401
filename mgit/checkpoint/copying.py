"""Copies of checkpoint folders, which share their bytes on disk where the file system can."""

import os
from pathlib import Path

from mgit.checkpoint.writing import Advance
from mgit.decoded.seals import files_in

_STEP_BYTES = 64 << 20  # a whole number of blocks of any file system: only then can they be shared


def copy_folder(source: Path, target: Path, advance: Advance) -> None:
    """Copies every file of a folder into another one.

    Args:
        source: Where they lie.
        target: Has none of them.
        advance: Is told the number of bytes copied.
    """
    for file in files_in(source):
        path = target / file.relative_to(source)
        path.parent.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as old, path.open("xb") as new:
            while size := _copy_on(old.fileno(), new.fileno()):
                advance(size)


def _copy_on(old: int, new: int) -> int:
    """Copies some more bytes; returns how many, none at the end.

    By a call that lets the file system share the blocks (btrfs, XFS, ZFS, NFS 4.2), or else copy
    them without this process; through it where there is no such call between the two.
    """
    try:
        size = os.copy_file_range(old, new, _STEP_BYTES)
    except OSError:
        size = 0
    return size or _copy_through(old, new)


def _copy_through(old: int, new: int) -> int:
    raw = memoryview(os.read(old, _STEP_BYTES))
    left = raw
    while left:
        left = left[os.write(new, left) :]
    return len(raw)
