"""Many small metadata packs of a remote also as one there, so that a fresh clone needs few reads.

Nothing that was there goes: where nobody can remove anything, a remote stays quick to clone.
"""

import contextlib
from collections.abc import Callable, Mapping
from functools import lru_cache

from mgit.errors import FormatError, MgitError
from mgit.objects import PackId, PackKind
from mgit.repository import Repository
from mgit.store import PackIndex, Place, crowd, write_together
from mgit.store.format import check_of
from mgit.sync.peer import Peer, write_pack


def join_small_packs(repository: Repository, peer: Peer, packs: Mapping[PackId, PackIndex]) -> None:
    """Adds a pack to a remote that stands for many small ones, where there are so many of them.

    Without it all is well too: a failure is nothing that anybody has to know.

    Args:
        repository: What it holds need not be read from the remote.
        peer: The remote.
        packs: What is there now.
    """
    found = crowd(packs)
    if not found:
        return
    with contextlib.suppress(MgitError), repository.store.writer(PackKind.META) as writer:
        for pack in write_together(found, _bodies(repository, peer, packs), writer):
            write_pack(repository, peer, pack)
            pack.remove()


def _bodies(
    repository: Repository, peer: Peer, packs: Mapping[PackId, PackIndex]
) -> Callable[[Place], bytes]:
    """Returns what gives the body of a row: from here, else its whole pack is read, once."""
    store = repository.store

    @lru_cache(maxsize=1)
    def whole(pack: PackId) -> bytes:
        return peer.read(pack, 0, packs[pack].bodies_bytes)

    def stored(place: Place) -> bytes:
        for here in store.catalog.places(place.row.ref):
            if here.row.check == place.row.check:
                return store.reader.stored(here)
        body = whole(place.pack)[place.row.offset : place.row.end]
        if check_of(body) != place.row.check:
            raise FormatError(f"{place.row.ref.digest.short} is damaged at {peer.name}")
        return body

    return stored
