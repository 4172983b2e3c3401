"""What is left of work that was cut off, and of caches: it can be made again, or is of no use."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mgit.building.calling import scratch
from mgit.decoded import Decoded
from mgit.errors import MgitError
from mgit.repository import Repository
from mgit.store.files import facts_below, size_of

_DAY_S = 86_400
_QUARANTINE_DAYS = 14
_RUN_DAYS = 30


@dataclass(frozen=True, slots=True)
class Swept:
    """What became of leftovers.

    Attributes:
        size_bytes: What those took that were removed.
        stuck: Paths of those that cannot be removed, or not as a whole.
    """

    size_bytes: int
    stuck: tuple[str, ...]


def sweep(repository: Repository) -> Swept:
    """Removes leftovers, as far as this machine lets us.

    Packs that were being written by processes that are gone; damaged packs that a repair put aside
    14 days ago; what recipes that were cut off keep to go on from, after 30 days; and what exceeds
    the limit of the decoded cache.
    """
    old = list(_old(repository))
    places = [repository.store.incoming, repository.folder / "decoded", *old]
    before = sum(map(size_of, places))
    repository.store.sweep()
    with contextlib.suppress(MgitError):  # a cache never stands in the way
        Decoded.of(repository).trim()
    for path in old:
        _remove(path)
    left = sum(map(size_of, places))
    return Swept(max(before - left, 0), tuple(str(path) for path in old if os.path.lexists(path)))


def _old(repository: Repository) -> Iterator[Path]:
    """Yields what nobody touched for so long that nobody will."""
    for folder, days in (
        (repository.folder / "quarantine", _QUARANTINE_DAYS),
        (scratch(repository), _RUN_DAYS),
    ):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if time.time() - _last_change(path) > days * _DAY_S:
                yield path


def _remove(path: Path) -> None:
    """Removes a file or a folder, or as much of it as can be: the rest must not wait for it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        path.unlink()


def _last_change(path: Path) -> float:
    """Returns when anything there changed last, by name or content."""
    return max((facts.st_ctime for facts in facts_below(path)), default=time.time())
