"""One collection from begin to end: ``mgit gc``."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mgit.digest import Digest
from mgit.objects import PackId
from mgit.progress import Progress, silent
from mgit.repacking.condemning import (
    Removal,
    alone,
    due_packs,
    install_and_condemn,
    remove_due,
)
from mgit.repacking.plan import Plan, plan_for
from mgit.repacking.reaching import (
    HeldForUndo,
    Kept,
    held_for_undo,
    modification_times,
    reach,
    require_collectable,
)
from mgit.repacking.replacing import write_replacements
from mgit.repacking.sweeping import sweep
from mgit.repository import Repository, log_operation
from mgit.store import Lease

GRACE = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection did, or would do.

    Attributes:
        is_dry_run: Nothing was done: new packs, condemned and removed ones are those of a plan.
        kept_nodes: Nodes whose weights are kept.
        copied_bytes: Bodies that were written into new packs.
        condemned_packs: Packs that were condemned now: what is needed of them is elsewhere.
        condemned_bytes: What they take.
        waiting_packs: Condemned packs that are still here.
        waiting_bytes: What they take.
        waiting_until: When the first of them may go; None where there is none.
        removed_packs: Packs that were removed.
        removed_bytes: What they took.
        dropped: Nodes whose weights went with them.
        held_by: What is at work here, so that packs had to stay.
        garbage_bytes: Bodies that nobody needs, in packs of which most is needed.
        unreadable_bytes: Bodies that are kept and cannot be decoded now: they, or what they rest
            on, are damaged or not here.
        held_bytes: Weights that stay only because a step of the last 90 days can be undone.
        held_until: When the last of these may go; None where there are none.
        swept_bytes: Leftovers of work that was cut off.
        stuck: Paths of leftovers that this machine does not let us remove.
    """

    is_dry_run: bool
    kept_nodes: int
    copied_bytes: int
    condemned_packs: int
    condemned_bytes: int
    waiting_packs: int
    waiting_bytes: int
    waiting_until: datetime | None
    removed_packs: int
    removed_bytes: int
    dropped: tuple[Digest, ...]
    held_by: tuple[Lease, ...]
    garbage_bytes: int
    unreadable_bytes: int
    held_bytes: int
    held_until: datetime | None
    swept_bytes: int
    stuck: tuple[str, ...]


def collect(
    repository: Repository,
    *,
    grace: timedelta = GRACE,
    is_dry_run: bool = False,
    progress: Progress = silent,
) -> Collected:
    """Removes what nobody needs, in two phases; cannot be undone.

    Args:
        repository: Where.
        grace: How long a condemned pack stays. With none, no other program may be using the
            repository from another machine, or without a lease.
        is_dry_run: Plans only.
        progress: Is told how far the writing of new packs is.

    Raises:
        ConflictError: Another collection, or a repack, is under way.
        UnknownCodecError: Something here needs a newer version: nothing is removed.
        DamagedError: Something that may lead to other things cannot be read: nothing is removed.
        MachineError: No space for the new packs.
    """
    if is_dry_run:
        return _foreseen(repository, _planned(repository), grace)
    repository.check_writable()
    with alone(repository):
        return _collected(repository, grace, progress)


@dataclass(frozen=True, slots=True)
class _Planned:
    """What is kept, what of it for an undo alone, and what is done with the packs."""

    kept: Kept
    held: HeldForUndo | None
    plan: Plan


def _planned(repository: Repository) -> _Planned:
    history = repository.history()
    require_collectable(repository.store)
    kept = reach(repository, history)
    store = repository.store
    plan = plan_for(store.catalog, kept, modification_times(store))
    return _Planned(kept, held_for_undo(repository, history, kept), plan)


def _collected(repository: Repository, grace: timedelta, progress: Progress) -> Collected:
    store = repository.store
    swept = sweep(repository)
    planned = _planned(repository)
    plan = planned.plan
    written = write_replacements(store, plan.copied, progress=progress)
    condemned = install_and_condemn(store, written, plan.condemned, planned.kept)
    if plan.pardoned:
        store.condemned.forget(plan.pardoned)
    condemned_bytes = _size(repository, condemned)
    removal = remove_due(repository, grace=grace)
    if condemned or removal.packs:
        log_operation(repository, "gc", removed_bytes=removal.size_bytes)
    found = _report(repository, planned, removal, grace)
    return replace(
        found,
        condemned_packs=len(condemned),
        condemned_bytes=condemned_bytes,
        swept_bytes=swept.size_bytes,
        stuck=swept.stuck,
    )


def _foreseen(repository: Repository, planned: _Planned, grace: timedelta) -> Collected:
    plan = planned.plan
    due = due_packs(repository.store, grace) | (frozenset() if grace else plan.condemned)
    going = due - plan.pardoned
    removal = Removal(len(going), _size(repository, going))
    return replace(_report(repository, planned, removal, grace), is_dry_run=True)


def _report(
    repository: Repository, planned: _Planned, removal: Removal, grace: timedelta
) -> Collected:
    store, plan, held = repository.store, planned.plan, planned.held
    since = store.condemned.since()
    waiting = {pack for pack in store.catalog.packs if pack in since}
    return Collected(
        is_dry_run=False,
        kept_nodes=len(planned.kept.nodes),
        copied_bytes=plan.copied_bytes,
        condemned_packs=len(plan.condemned),
        condemned_bytes=_size(repository, plan.condemned),
        waiting_packs=len(waiting),
        waiting_bytes=_size(repository, waiting),
        waiting_until=min((since[pack] + grace for pack in waiting), default=None),
        removed_packs=removal.packs,
        removed_bytes=removal.size_bytes,
        dropped=removal.dropped,
        held_by=removal.held_by,
        garbage_bytes=plan.garbage_bytes,
        unreadable_bytes=plan.unreadable_bytes,
        held_bytes=held.size_bytes if held else 0,
        held_until=held.until if held else None,
        swept_bytes=0,
        stuck=(),
    )


def _size(repository: Repository, packs: Iterable[PackId]) -> int:
    indexes = repository.store.catalog.packs
    return sum(indexes[pack].size_bytes for pack in packs if pack in indexes)
