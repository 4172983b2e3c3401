"""Room for the decoded cache: what was used least recently goes first, what is leased stays."""

import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mgit.decoded.leases import remove_unless_leased, sweep
from mgit.decoded.seals import Seals, files_in
from mgit.store.files import machine_errors, require_space

# Four models of seven thousand million two-byte parameters: a base, and what is compared with it.
# On a smaller disk the free space decides.
LIMIT_BYTES = 64 << 30
_SPARE_BYTES = 1 << 30  # kept free while something unused is left to remove: for the packs
_SCAN_SHARE = 64  # the folder is looked through when this process added that part of the limit
_NAME = re.compile(r"[0-9a-f]{64}")
_PARTIAL = re.compile(r"\.[0-9a-f]{64}\.[0-9a-f]{8}\.part")


@dataclass(slots=True)
class Room:
    """The room that a cache has in a folder.

    Attributes:
        folder: Where its files lie.
        seals: Know when they were used.
        limit_bytes: What may be kept that nobody uses.
    """

    folder: Path
    seals: Seals
    limit_bytes: int
    _unseen_bytes: int | None = None  # added here since the folder was looked through

    def make(self, size_bytes: int) -> None:
        """Makes room for a file or folder of that size.

        Raises:
            MachineError: What is leased leaves no room on the disk.
        """
        with machine_errors("making room in the decoded cache"):
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
            unseen = None if self._unseen_bytes is None else self._unseen_bytes + size_bytes
            if unseen is None or unseen > self.limit_bytes // _SCAN_SHARE or free < _SPARE_BYTES:
                self.trim(size_bytes)
            self._unseen_bytes = (self._unseen_bytes or 0) + size_bytes
            require_space(self.folder, size_bytes)

    def trim(self, needed_bytes: int = 0) -> None:
        """Removes what was used least recently, until the rest and ``needed_bytes`` more fit.

        What is leased stays, even if the limit is exceeded. Unfinished work of processes that were
        killed is swept.
        """
        with machine_errors("trimming the decoded cache"):
            if not self.folder.is_dir():
                return
            sweep(self.folder, _PARTIAL)
            entries = sorted(self._entries())
            self.seals.forget_all_but({path.name for _, _, path in entries})
            kept = sum(size for _, size, _ in entries)
            disk = shutil.disk_usage(self.folder)
            spare = min(_SPARE_BYTES, disk.total // 20)
            excess = needed_bytes + max(kept - self.limit_bytes, spare - disk.free)
            for _, size, path in entries:
                if excess > 0 and remove_unless_leased(path):
                    excess -= size
        self._unseen_bytes = 0

    def partial(self, name: str) -> Path:
        """Returns a new path for the making of something; it is leased as soon as it is there."""
        return self.folder / f".{name}.{secrets.token_hex(4)}.part"

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """Yields (when it was last used, size in bytes, path)."""
        for path in self.folder.iterdir():
            if not _NAME.fullmatch(path.name):
                continue
            with suppress(FileNotFoundError):  # removed meanwhile
                facts = path.lstat()
                is_folder = stat.S_ISDIR(facts.st_mode)
                sizes = [f.lstat().st_size for f in (files_in(path) if is_folder else [path])]
                yield self.seals.used_at_s(path.name), sum(sizes), path
