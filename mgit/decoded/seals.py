"""Seals: which files still are what they were when their bytes were verified.

Kept in the person's own cache, one small file each, whose time of change is also when the sealed
file was last used.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mgit.digest import Digest


@dataclass(frozen=True, slots=True)
class Seals:
    """The seals in a folder, by the name of what they are about."""

    folder: Path

    def holds(self, name: str, seal: str | None) -> bool:
        """Returns whether this is the seal; if so, notes that it is being used now."""
        path = self.folder / name
        try:
            if seal is None or path.read_text(encoding="ascii") != seal:
                return False
            os.utime(path)  # of the note: the times of the file itself belong to the seal
        except (OSError, UnicodeDecodeError):
            return False
        return True

    def write(self, name: str, seal: str | None) -> None:
        """Notes that bytes were verified; where that fails they are verified again next time."""
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(seal or "", encoding="ascii")

    def used_at_s(self, name: str) -> float:
        """Returns when something was last used; 0 where nobody knows."""
        try:
            return (self.folder / name).stat().st_mtime
        except FileNotFoundError:
            return 0

    def forget_all_but(self, kept: set[str]) -> None:
        """Removes the seals of what is gone."""
        for path in self.folder.glob("*"):
            if path.name not in kept:
                path.unlink(missing_ok=True)


def seal_of(facts: os.stat_result) -> str | None:
    """Returns what changes whenever a file does, or None where that cannot be known."""
    numbers = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
    return " ".join((_boot(), *map(str, numbers))) if _boot() else None


def seal_of_folder(folder: Path) -> str | None:
    """Returns what changes whenever a file in a folder does, comes or goes."""
    return seal_of_files(facts_in(folder))


def facts_in(folder: Path) -> dict[str, os.stat_result]:
    """Returns what the system knows about each file in a folder, by its path there."""
    return {str(path.relative_to(folder)): path.lstat() for path in files_in(folder)}


def seal_of_files(facts: dict[str, os.stat_result]) -> str | None:
    """Returns the seal of a folder in which these were the files."""
    if not _boot():
        return None
    lines = [f"{path} {seal_of(of_file)}" for path, of_file in facts.items()]
    return Digest.of("\n".join(lines).encode("utf-8", "surrogateescape")).hex()


def files_in(folder: Path) -> list[Path]:
    """Returns what lies in a folder and below, folders left out."""
    return sorted(p for p in folder.rglob("*") if p.is_symlink() or not p.is_dir())


@cache
def _boot() -> str:
    """Returns an id of the time since the machine started, or nothing where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
