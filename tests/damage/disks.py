"""Small disks that can be filled: file systems in memory, where one may be mounted."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.checkpoints import written


@contextmanager
def disk(folder: Path, options: str) -> Iterator[Path]:
    """A small file system in memory; skips where none may be mounted."""
    folder.mkdir(exist_ok=True)
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, *, but_pages: int) -> Path:
    """Takes all the room but some pages."""
    found = os.statvfs(folder)
    size = max(found.f_bavail - but_pages, 0) * found.f_frsize
    return written(folder / "filler", bytes(size))
