"""Condemned packs: they go when nobody can be using them, and when nothing kept needs them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mgit.digest import Digest
from mgit.errors import AbsentError, ConflictError, DamagedError
from mgit.objects import CHUNK, Manifest, PackId, Ref
from mgit.repacking.plan import without
from mgit.repacking.reaching import Kept, reach, require_collectable
from mgit.repository import History, Reason, Repository, absences, read_parts
from mgit.roots import closure
from mgit.store import Catalog, FinishedPack, Lease, Store
from mgit.store.files import locked_if_free


@contextmanager
def alone(repository: Repository) -> Iterator[None]:
    """Lets no other collection or repack work here meanwhile.

    Raises:
        ConflictError: One does already.
    """
    with locked_if_free(repository.folder / "local" / "collecting") as is_free:
        if not is_free:
            raise ConflictError(
                "a collection or a repack is under way here", hint="wait until it has ended"
            )
        yield


def install_and_condemn(
    store: Store, written: Sequence[FinishedPack], condemned: Iterable[PackId], kept: Kept
) -> frozenset[PackId]:
    """Makes new packs part of the repository, and condemns those that they replace.

    Args:
        store: Where.
        written: New packs. One that was condemned before is needed again.
        condemned: Packs that are not needed any more; those that something kept needs stay.
        kept: What is kept.

    Returns:
        The packs that were condemned now.
    """
    if written:
        store.install(written)
    fresh = frozenset(pack.pack for pack in written)  # the same rows again are the same pack
    doomed = removable(store.catalog, frozenset(condemned) - fresh, kept)
    pardoned = fresh & store.catalog.condemned
    if pardoned:
        store.condemned.forget(pardoned)
    if doomed:
        store.condemned.add(doomed)
    store.refresh()
    return doomed


def removable(catalog: Catalog, doomed: frozenset[PackId], kept: Kept) -> frozenset[PackId]:
    """Returns the packs of ``doomed`` without which all that is kept can be read as now."""
    unreadable = {chunk for chunk in kept.chunks if not catalog.choices(chunk)}  # may be healed
    while doomed:
        rest = without(catalog, doomed)
        lost = {ref for ref in kept.objects if ref not in rest}
        stranded = {c for c in kept.chunks - unreadable if not rest.choices(c)}
        resting = closure(stranded | unreadable, lambda chunk: _bases(catalog, chunk))
        refs = lost | {Ref(CHUNK, chunk) for chunk in resting}
        needed = {p for p in doomed if any(catalog.packs[p].find(ref) for ref in refs)}
        if not needed:
            break
        doomed -= needed
    return doomed


def _bases(catalog: Catalog, chunk: Digest) -> list[Digest]:
    return [base for place in catalog.places(Ref(CHUNK, chunk)) for base in place.row.bases]


@dataclass(frozen=True, slots=True)
class Removal:
    """What was removed.

    Attributes:
        packs: How many packs.
        size_bytes: What they took.
        dropped: Nodes whose weights are not here any more.
        held_by: What was at work here, so that packs had to stay.
    """

    packs: int = 0
    size_bytes: int = 0
    dropped: tuple[Digest, ...] = ()
    held_by: tuple[Lease, ...] = ()


def due_packs(store: Store, grace: timedelta) -> frozenset[PackId]:
    """Returns the packs that were condemned at least ``grace`` ago."""
    limit = datetime.now(UTC) - grace
    since = store.condemned.since()
    return frozenset(p for p in store.catalog.packs if p in since and since[p] <= limit)


def remove_due(repository: Repository, *, grace: timedelta) -> Removal:
    """Removes the packs that were condemned at least ``grace`` ago.

    Looks at everything once more before that, so that what somebody came to need meanwhile stays.
    """
    store = repository.store
    with repository.writing(), store.leases.paused() as leases:
        history = repository.history()
        require_collectable(store)
        since = store.condemned.since()
        due = due_packs(store, grace)
        held = [lease for lease in leases if any(lease.protects(since[pack]) for pack in due)]
        free = {p for p in due if not any(lease.protects(since[p]) for lease in held)}
        if not free:
            return Removal(held_by=tuple(held))
        kept = reach(repository, history)
        doomed = removable(store.catalog, frozenset(free), kept)
        size_bytes = sum(store.catalog.packs[pack].size_bytes for pack in doomed)
        dropped = _dropped(repository, history, kept, doomed)
        _note_dropped(repository, dropped)
        store.remove(doomed)
        store.condemned.forget(doomed)
    return Removal(len(doomed), size_bytes, dropped, tuple(held))


def _dropped(
    repository: Repository, history: History, kept: Kept, doomed: frozenset[PackId]
) -> tuple[Digest, ...]:
    """Returns the nodes that are complete now and will not be without these packs."""
    catalog = repository.store.catalog
    rest = without(catalog, doomed)
    others = sorted(history.nodes.keys() - kept.nodes)
    return tuple(
        node
        for node in others
        if _is_whole(repository, history, node, catalog)
        and not _is_whole(repository, history, node, rest)
    )


def _is_whole(repository: Repository, history: History, node: Digest, catalog: Catalog) -> bool:
    manifest = history.nodes[node].manifest
    try:
        parts = read_parts(repository, history.nodes[node])
    except (AbsentError, DamagedError):
        return False
    described = (
        Ref(Manifest.kind, manifest),
        *(ref for part in parts.objects() for ref in part.keeps()),
    )
    return all(ref in catalog for ref in described)


def _note_dropped(repository: Repository, nodes: Iterable[Digest]) -> None:
    """Notes why weights are not here, before they are gone: else they would count as lost."""
    known = absences(repository)
    fresh = [node.hex() for node in nodes if node not in known]
    if fresh:
        fact = {"nodes": fresh, "reason": Reason.DROPPED.value, "remote": ""}
        repository.facts("promises").append(fact)
