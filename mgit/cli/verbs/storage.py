"""What is kept on the disk, and what may go."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mgit.cli.application import verb
from mgit.cli.page import Block, Page, counted, line, listed, record, size
from mgit.cli.progress import progress
from mgit.cli.session import session
from mgit.cli.verbs.words import GRACE_DAYS, Grace

if TYPE_CHECKING:
    from mgit.repacking import Collected
    from mgit.store import Lease


@verb("gc", "mgit gc --dry-run", "mgit gc --grace 0")
def gc(
    is_dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go; change nothing.")
    ] = False,
    grace_days: Grace = GRACE_DAYS,
) -> Page:
    """Removes what no name leads to, and no undo of the last 90 days. Cannot be undone.

    What is needed of a pack is written anew first; the pack itself goes when it was of no use for
    14 days, at a later gc. Entries, statements and nodes always stay.
    """
    from mgit.repacking import collect

    repository, grace = session().repository(), timedelta(days=grace_days)
    with progress("collecting") as advance:
        found = collect(repository, grace=grace, is_dry_run=is_dry_run, progress=advance)
    document = record(
        found,
        waiting_until=_day(found.waiting_until),
        held_until=_day(found.held_until),
        held_by=[_lease(held) for held in found.held_by],
    )
    return Page(document, done=tuple(_collected(found)))


def _day(moment: datetime | None) -> str:
    return moment.date().isoformat() if moment else ""


def _lease(held: "Lease") -> dict[str, object]:
    return record(held, since=held.since.isoformat(timespec="seconds"))


def _collected(found: "Collected") -> Iterator[Block]:
    would = "would be " if found.is_dry_run else ""
    yield line(f"kept: the weights of {counted(found.kept_nodes, 'node')}")
    if found.copied_bytes:
        yield line(f"{would}written anew: {size(found.copied_bytes)}")
    if found.condemned_packs:
        yield line(f"{would}condemned: {_packs(found.condemned_packs, found.condemned_bytes)}")
    if found.waiting_packs:
        waiting = _packs(found.waiting_packs, found.waiting_bytes)
        day = _day(found.waiting_until)
        yield line(f"condemned and still here: {waiting}; gc may remove them from {day} on")
    yield line(f"{would}removed: {_packs(found.removed_packs, found.removed_bytes)}")
    if found.dropped:
        yield line(f"  with the weights of {counted(len(found.dropped), 'node')}")
    yield from map(line, _staying(found))
    if found.swept_bytes:
        yield line(f"swept: {size(found.swept_bytes)} that work which was cut off had left")
    yield from listed("could not be removed: look at who owns it", [(p,) for p in found.stuck])
    yield from listed(
        "packs had to stay, because something is at work here",
        [(held.doing, f"process {held.process}") for held in found.held_by],
    )


def _staying(found: "Collected") -> Iterator[str]:
    """Yields what stays although no name leads to it, or nothing can be made of it now."""
    if found.held_bytes:
        day = _day(found.held_until)
        yield f"{size(found.held_bytes)} stay until {day}, so that undo can bring them back"
    if found.unreadable_bytes:
        unreadable = size(found.unreadable_bytes)
        yield f"{unreadable} rest on what is damaged, lost or not here: mgit fsck"
    if found.garbage_bytes:
        yield f"{size(found.garbage_bytes)} of no use in packs of which most is needed"


def _packs(count: int, size_bytes: int) -> str:
    return f"{counted(count, 'pack')}, {size(size_bytes)}"
