"""Damaged packs that nobody needs any more, and files that will never be packs, go aside.

Nothing is deleted: they move to where no reader stumbles over them.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from mgit.digest import Digest
from mgit.errors import FormatError, MgitError, UnknownCodecError
from mgit.objects import PackId, Ref
from mgit.repair.affecting import is_readable
from mgit.repository import Repository
from mgit.store import Catalog, PackIndex
from mgit.store.opening import PACK_NAME, fits, read_index

_DAY_S = 86_400


def spare_packs(
    repository: Repository, damaged: Iterable[PackId], unneeded: frozenset[Ref]
) -> list[PackId]:
    """Returns the damaged packs without which everything can be read that can be read now.

    A pack that holds something which is needed and cannot be read stays: its index says what it is.

    Args:
        repository: Where.
        damaged: Packs with rows that are bad.
        unneeded: Objects that cannot be read and that nobody needs.
    """
    catalog = repository.store.catalog
    readable = {
        row.ref
        for index in catalog.packs.values()
        for row in index.rows()
        if is_readable(catalog, row.ref)
    }
    spare: list[PackId] = []
    for pack in sorted(set(damaged)):
        left = {p: i for p, i in catalog.packs.items() if p != pack and p not in spare}
        rest = Catalog(left, catalog.damaged)
        held = {row.ref for row in catalog.packs[pack].rows()}
        if all(is_readable(rest, ref) for ref in readable | (held - unneeded)):
            spare.append(pack)
    return spare


def broken_files(repository: Repository, now_s: float) -> Iterator[str]:
    """Yields files among the packs that will never be any: none that may still be arriving.

    Args:
        repository: Where.
        now_s: Seconds since the epoch.
    """
    store = repository.store
    for name in sorted(store.unready):
        path = store.packs_folder / name
        match = PACK_NAME.fullmatch(name)
        if not match or path.is_symlink() or not path.is_file():
            continue  # not ours
        facts = path.stat()
        is_old = now_s - max(facts.st_mtime, facts.st_ctime) > _DAY_S
        if is_old and _is_broken(path):
            yield name


def _is_broken(path: Path) -> bool:
    """Returns whether a file is no complete pack; one of a newer version is complete."""
    try:
        pack, data = read_index(path)
    except FormatError:
        return True
    except (OSError, UnknownCodecError):
        return False  # it cannot be looked at, or a newer version may have written it
    if path.stem != pack.hex() or Digest.of(data) != pack:
        return True
    try:
        return not fits(path, PackIndex(pack, data))
    except MgitError:
        return False
