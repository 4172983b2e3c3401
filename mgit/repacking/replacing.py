"""New packs with rows of others, as they are stored."""

import os
from collections.abc import Sequence

from mgit.objects import PackKind
from mgit.progress import Progress, silent
from mgit.repacking.reaching import modification_times
from mgit.store import FinishedPack, Place, Store
from mgit.store.files import machine_errors, require_space


def write_replacements(
    store: Store, places: Sequence[Place], *, progress: Progress = silent
) -> list[FinishedPack]:
    """Writes rows into new packs and returns these; nobody sees them until they are installed.

    The packs are as old as the newest that a row comes from: else nothing in them would ever be so
    old that it can go.

    Args:
        store: Where the rows are.
        places: The rows, each object once, in the order in which they are to lie.
        progress: Is told how many bytes are written.

    Raises:
        DamagedError: A body is not what its index promises.
        MachineError: No space.
    """
    ages = modification_times(store)
    total = sum(place.row.stored_bytes for place in places)
    require_space(store.folder, total)
    packs: list[FinishedPack] = []
    done = 0
    with store.writer(PackKind.CHUNKS) as chunks, store.writer(PackKind.META) as metadata:
        for place in places:
            row = place.row
            is_chunk = store.catalog.packs[place.pack].kind is PackKind.CHUNKS
            (chunks if is_chunk else metadata).copy(row, store.reader.stored(place))
            done += row.stored_bytes
            progress(done, total)
        packs += chunks.finish()
        packs += metadata.finish()
        newest = max((ages[place.pack] for place in places), default=0.0)
        with machine_errors("dating a pack"):
            for pack in packs:
                os.utime(pack.path, (newest, newest))
    return packs
