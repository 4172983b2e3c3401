"""The chunk packs of a family written anew, bases chosen over all of it: ``mgit repack``.

The new packs are complete, and read back, before the old ones are condemned: cut off anywhere, the
repository is as before or as after. The old packs go by ``mgit gc``, when their grace is over.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain

from mgit.codecs import OPTIONAL, entropy
from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError
from mgit.lineage import Lineage
from mgit.objects import CHUNK, PackId, PackKind, Ref
from mgit.progress import Progress, silent
from mgit.repacking.collecting import GRACE
from mgit.repacking.columns import Column, columns_of, in_order, relatives_of, strangers
from mgit.repacking.condemning import Removal, alone, install_and_condemn, remove_due
from mgit.repacking.growing import Draft, Growing
from mgit.repacking.nearness import by_nearness
from mgit.repacking.reaching import Kept, reach, require_collectable
from mgit.repacking.recoding import Recoder
from mgit.repository import (
    History,
    Parts,
    Repository,
    coding_of,
    log_operation,
    lost,
    read_parts,
)
from mgit.roots import closure
from mgit.selection import Selection
from mgit.store import Catalog, Coding, Effort, FinishedPack, PackIndex, Place, Reader, Row, Store
from mgit.store.files import require_space
from mgit.threads import map_in_order

_WORTH = 200  # less than this part of what is there is no reason to write everything again


@dataclass(frozen=True, slots=True)
class Repacked:
    """What writing anew did, or would do.

    Attributes:
        is_dry_run: Nothing was changed: all the work was done, and its result thrown away.
        is_changed: New packs stand for the old ones; else there was nothing to gain.
        models: How many models were looked at.
        chunks: How many chunks have a place in the new packs.
        recoded: How many of these are stored in another way than before.
        raw_bytes: What they take in a checkpoint.
        old_bytes: The packs that were to be replaced.
        new_bytes: The new packs; bodies alone where they were not written.
        unreadable: How many chunks cannot be read, because the entropy coder is not installed, or
            what they rest on is absent, as was known: they stay where they are.
        condemned_packs: Packs that were condemned now.
        waiting_until: When those that are still here may go; None where there are none.
        removal: Packs that were removed at once.
    """

    is_dry_run: bool
    is_changed: bool
    models: int
    chunks: int
    recoded: int
    raw_bytes: int
    old_bytes: int
    new_bytes: int
    unreadable: int
    condemned_packs: int = 0
    waiting_until: datetime | None = None
    removal: Removal = field(default_factory=Removal)


def repack(
    repository: Repository,
    selector: str = "",
    *,
    effort: Effort = Effort.NORMAL,
    grace: timedelta = GRACE,
    is_dry_run: bool = False,
    progress: Progress = silent,
) -> Repacked:
    """Writes the chunks of models anew, as small as they get; names and nodes stay as they are.

    Args:
        repository: Where.
        selector: Which models; empty: all that is kept. What shares packs with them is copied.
        effort: How much work goes into storing less.
        grace: How long the old packs stay; see ``collect``.
        is_dry_run: Changes nothing; takes as long.
        progress: Is told how far the work is, in bytes of checkpoints.

    Raises:
        ConflictError: A collection, or another repack, is under way.
        UnknownCodecError: Something here needs a newer version.
        DamagedError: Something that is kept is damaged or lost, or may lead to other things and
            cannot be read; or the new packs do not give back what was put in. Nothing was changed.
        UsageError, NotFoundError, AbsentError: The selector, or a setting.
        MachineError: No space for the new packs.
    """
    repository.check_writable()
    coding = coding_of(repository, effort)
    with alone(repository):
        task = _task(repository, selector, coding, progress)
        with _draft(task) as draft:
            found = _recoded(task, draft)
            if is_dry_run:
                return replace(found, is_dry_run=True)
            if found.is_changed:
                packs = _written(task, draft)
                condemned = install_and_condemn(repository.store, packs, task.old, task.kept)
                new_bytes = sum(pack.size_bytes for pack in packs)
                found = replace(found, new_bytes=new_bytes, condemned_packs=len(condemned))
                log_operation(repository, f"repack {selector}".rstrip(), condemned=len(condemned))
        removal = remove_due(repository, grace=grace)
        since = repository.store.condemned.since()
        until = [since[p] + grace for p in repository.store.catalog.packs if p in since]
        return replace(found, removal=removal, waiting_until=max(until, default=None))


@dataclass(slots=True)
class _Task:
    """What is written anew.

    Attributes:
        store: Where.
        kept: What is kept.
        lineage: Who came from whom.
        models: What is kept of models, ancestors first.
        columns: Their chunks, and kept ones that are in no model.
        old: The packs that are replaced.
        lasting: The catalog of those that stay.
        placed: Chunks that need a place in the new packs.
        chosen: Those of them that are coded anew.
        coding: How much work goes into it.
        progress: Is told how far the work is.
        total_bytes: Raw bytes that are to be coded, and read back.
        done_bytes: How many of them are done.
    """

    store: Store
    kept: Kept
    lineage: Lineage
    models: Mapping[Digest, Parts]
    columns: Sequence[Column]
    old: frozenset[PackId]
    lasting: Catalog
    placed: frozenset[Digest]
    chosen: frozenset[Digest]
    coding: Coding
    progress: Progress
    total_bytes: int
    done_bytes: int = 0

    def on_columns(self, work: Callable[[Column], int]) -> int:
        """Does some work on every column, on several threads; returns the raw bytes in all."""
        begun = self.done_bytes
        with closing(map_in_order(work, self.columns)) as sizes:
            for size in sizes:
                self.done_bytes += size
                self.progress(min(self.done_bytes, self.total_bytes), self.total_bytes)
        return self.done_bytes - begun


def _task(repository: Repository, selector: str, coding: Coding, progress: Progress) -> _Task:
    history, store = repository.history(), repository.store
    require_collectable(store)
    kept = reach(repository, history)
    _require_whole(repository, history, kept)
    found = _models(repository, history, kept)
    lineage = history.lineage
    chosen, old = kept.chunks, _chunk_packs(store.catalog)
    if selector:
        nodes = Selection(repository, history).nodes(selector) & found.keys()
        chosen = kept.chunks.intersection(chain(*(found[node].chunks() for node in nodes)))
        old = frozenset(p.pack for c in chosen for p in store.catalog.places(Ref(CHUNK, c)))
    staying = {p: store.catalog.packs[p] for p in _chunk_packs(store.catalog) - old}
    lasting = Catalog(staying, store.catalog.damaged)
    sizes = {
        chunk: choices[0].row.raw_bytes
        for chunk in kept.chunks
        if not lasting.choices(chunk) and (choices := store.catalog.choices(chunk))
    }
    first = by_nearness(store.reader, found, strangers(lineage, found))  # it may meet damage
    models = {node: found[node] for node in in_order(lineage, found, first)}
    return _Task(
        store=store,
        kept=kept,
        lineage=lineage,
        models=models,
        columns=columns_of(models, sorted(sizes)),
        old=old,
        lasting=lasting,
        placed=frozenset(sizes),
        chosen=chosen,
        coding=coding,
        progress=progress,
        total_bytes=2 * sum(sizes.values()),
    )


def _require_whole(repository: Repository, history: History, kept: Kept) -> None:
    """Refuses to write anew what is not whole: whatever is not read would stay beside the rest.

    Raises:
        DamagedError: A model that is kept is damaged or lost, and nobody said that it is absent.
    """
    found = lost(repository, history, kept.nodes)
    if found:
        title = Selection(repository, history).title(found[0])
        more = f" and {len(found) - 1} more" if found[1:] else ""
        raise _damaged(f"{title}{more} cannot be read: damaged, or lost from this folder")


def _damaged(what: str) -> DamagedError:
    hint = "mgit fsck --repair makes it whole if it can; then run this again"
    return DamagedError(f"{what}; nothing was changed", hint=hint)


def _models(repository: Repository, history: History, kept: Kept) -> dict[Digest, Parts]:
    found = {}
    for node in kept.nodes & history.nodes.keys():
        with contextlib.suppress(AbsentError, DamagedError):  # what of it is here stays
            found[node] = read_parts(repository, history.nodes[node])
    return found


def _chunk_packs(catalog: Catalog) -> frozenset[PackId]:
    return frozenset(p for p, index in catalog.packs.items() if index.kind is PackKind.CHUNKS)


@contextmanager
def _draft(task: _Task) -> Iterator[Draft]:
    with task.store.writer(PackKind.CHUNKS) as writer:
        try:
            yield Draft(writer, Growing(task.lasting))
        except DamagedError as error:  # met while reading
            raise _damaged(str(error)) from error
        finally:
            writer.discard()


def _recoded(task: _Task, draft: Draft) -> Repacked:
    """Decides on every chunk."""
    ordered = list(task.models)
    relatives = {
        node: relatives_of(task.lineage, node, ordered[:place])
        for place, node in enumerate(ordered)
    }
    catalog = task.store.catalog
    reader = task.store.reader
    recoder = Recoder(reader, draft, task.placed, task.chosen, relatives, task.coding)
    raw_bytes = task.on_columns(recoder.recode)
    _require_all_placed(task, draft)
    old = task.old - catalog.condemned
    old_bytes = sum(catalog.packs[pack].size_bytes for pack in old)
    bodies_bytes = sum(catalog.packs[pack].bodies_bytes for pack in old)
    new_bytes = sum(row.stored_bytes for row in draft.growing.fresh.values())
    is_asked = not task.coding.has_openzl and any(_has_optional(catalog, pack) for pack in old)
    return Repacked(
        is_dry_run=False,
        is_changed=is_asked or new_bytes + bodies_bytes // _WORTH < bodies_bytes,
        models=len(task.models),
        chunks=len(draft.growing.fresh),
        recoded=len(draft.growing.fresh) - len(draft.copied),
        raw_bytes=raw_bytes,
        old_bytes=old_bytes,
        new_bytes=new_bytes,
        unreadable=sum(1 for chunk in task.kept.chunks if _is_left(task, draft, chunk)),
    )


def _require_all_placed(task: _Task, draft: Draft) -> None:
    """Refuses to go on without chunks that could not be read.

    Raises:
        DamagedError: Some are damaged, or rest on what is. Those that want the entropy coder, which
            is not installed, are none.
    """
    left = [chunk for chunk in task.placed if not draft.growing.choices(chunk)]
    damaged = [chunk for chunk in left if entropy.is_available() or not _wants_coder(task, chunk)]
    if damaged:
        raise DamagedError(f"chunk {min(damaged).short} is damaged, or rests on what is")


def _wants_coder(task: _Task, chunk: Digest) -> bool:
    """Returns whether some row of a chunk, or of what it rests on, needs the entropy coder."""
    catalog = task.store.catalog
    below = closure([chunk], catalog.all_bases)
    places = chain.from_iterable(catalog.all_places(Ref(CHUNK, one)) for one in below)
    return any(place.row.codec in OPTIONAL for place in places)


def _is_left(task: _Task, draft: Draft, chunk: Digest) -> bool:
    """Returns whether a chunk is here in some way, and cannot be read."""
    is_placed = bool(draft.growing.choices(chunk))
    return not is_placed and any(task.store.catalog.all_places(Ref(CHUNK, chunk)))


def _has_optional(catalog: Catalog, pack: PackId) -> bool:
    return any(row.codec in OPTIONAL for row in catalog.packs[pack].rows())


def _written(task: _Task, draft: Draft) -> list[FinishedPack]:
    """Writes what was decided in the order of first use, and reads it back.

    Raises:
        DamagedError: What was written does not give back what was put in.
        MachineError: No space.
    """
    fresh = draft.growing.fresh
    coded = {pack.pack: pack for pack in draft.writer.finish()}
    drafted = _reader(task.store, {}, coded)
    require_space(task.store.folder, sum(row.stored_bytes for row in fresh.values()))
    chunks = (parts.chunks() for parts in task.models.values())
    with task.store.writer(PackKind.CHUNKS) as writer:
        for chunk in dict.fromkeys(chain(*chunks, sorted(fresh))):
            if row := fresh.get(chunk):
                old = draft.copied.get(chunk)
                reader, place = (task.store.reader, old) if old else (drafted, _place(coded, row))
                writer.copy(row, reader.stored(place))
        packs = writer.finish()
        _read_back(task, packs, fresh)
    return packs


def _place(packs: Mapping[PackId, FinishedPack], row: Row) -> Place:
    for pack in packs.values():
        if found := pack.index.find(row.ref):
            return Place(pack.pack, found)
    raise DamagedError(f"chunk {row.ref.digest.short} was not written", hint="run it again")


def _read_back(task: _Task, packs: Sequence[FinishedPack], fresh: Mapping[Digest, Row]) -> None:
    """Decodes every new row from the new packs and those that stay, and from nothing else."""
    written = {pack.pack: pack for pack in packs}

    def read_column(column: Column) -> int:
        reader = _reader(task.store, task.lasting.packs, written)
        chunks = {spot.chunk for spot in column.values()} & fresh.keys()
        return sum(len(reader.chunk(chunk)) for chunk in chunks)

    task.on_columns(read_column)


def _reader(
    store: Store, packs: Mapping[PackId, PackIndex], written: Mapping[PackId, FinishedPack]
) -> Reader:
    """Returns a reader of packs of the store, and of new ones that are not in it."""

    def read(pack: PackId, start: int, stop: int) -> bytes:
        return written.get(pack, store).read(pack, start, stop)

    indexes = {**packs, **{pack: finished.index for pack, finished in written.items()}}
    return Reader(Catalog(indexes), read, lambda _place, _reason: None)
