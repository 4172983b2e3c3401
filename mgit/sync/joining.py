"""Many small metadata packs of a remote also as one there, so that a fresh clone needs few reads.

Nothing that was there goes: where nobody can remove anything, a remote stays quick to clone.
"""

import contextlib
from collections.abc import Callable, Mapping
from functools import lru_cache

from mgit.codecs import codec
from mgit.errors import FormatError, MgitError
from mgit.intake import verified
from mgit.objects import PackId, PackKind, Ref
from mgit.repository import Repository
from mgit.store import PackIndex, Place, crowd, write_together
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
    """Returns what gives the body of a row: from here, else its whole pack is read, once.

    What was read is verified: nobody is to pass on what a stranger has left there.
    """
    store = repository.store

    @lru_cache(maxsize=1)
    def sound(pack: PackId) -> Mapping[Ref, bytes]:
        places = [Place(pack, row) for row in packs[pack].rows()]
        return {p.row.ref: body for p, body in peer.bodies(places) if _is_sound(p, body)}

    def stored(place: Place) -> bytes:
        for here in store.catalog.places(place.row.ref):
            if here.row.check == place.row.check:
                return store.reader.stored(here)
        if place.row.ref not in sound(place.pack):
            raise FormatError(f"{place.row.ref.digest.short} is damaged at {peer.name}")
        return sound(place.pack)[place.row.ref]

    return stored


def _is_sound(place: Place, body: bytes) -> bool:
    row = place.row
    try:
        verified(row.ref, codec(row.codec).decode(body, (), row.raw_bytes))
    except MgitError:
        return False
    return True
