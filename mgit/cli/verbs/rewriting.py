"""Storing what is here in less space: again without loss, or with one that was asked for."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mgit.cli.application import verb
from mgit.cli.page import (
    Block,
    Cell,
    Page,
    Table,
    counted,
    line,
    listed,
    number,
    ratio,
    record,
    size,
    titled,
)
from mgit.cli.progress import progress
from mgit.cli.session import session
from mgit.cli.verbs.checking import told
from mgit.cli.verbs.words import GRACE_DAYS, Grace, SelectedOrAll, wrong_usage

if TYPE_CHECKING:
    from mgit.repacking import Bound, Loss, Quantisation, Repacked
    from mgit.store import Effort

_NO = 1


@verb("repack", "mgit repack", "mgit repack 'family(minilm)' --lossy 0.5 --gate retrieval")
def repack(
    selector: SelectedOrAll = "",
    is_fast: Annotated[
        bool, typer.Option("--fast", help="The first base that fits, the fastest coding.")
    ] = False,
    is_max: Annotated[
        bool, typer.Option("--max", help="Try every base that may do: slower, a little smaller.")
    ] = False,
    is_dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do all the work, tell what it gives, keep nothing.")
    ] = False,
    grace_days: Grace = GRACE_DAYS,
    lossy: Annotated[
        float | None,
        typer.Option(
            "--lossy",
            metavar="REL",
            help="Make nearly equal versions: what a tensor changed is rounded to steps of REL"
            " times its root mean square.",
        ),
    ] = None,
    error: Annotated[
        float | None,
        typer.Option(metavar="ABS", help="The same, with no number off by more than ABS."),
    ] = None,
    gates: Annotated[
        list[str] | None,
        typer.Option(
            "--gate",
            metavar="CHECK",
            help="With --lossy or --error: a check that they have to pass; repeatable.",
        ),
    ] = None,
    executor: Annotated[
        str,
        typer.Option(
            metavar="E", help="Where the checks run: inline, process, ray; else in a process."
        ),
    ] = "",
) -> Page:
    """Writes the packs anew, as small as they get. No model, name or id changes.

    The old packs stay beside the new ones until their grace is over, and a gc after that: there has
    to be room for both.

    With --lossy or --error models change: new versions that take much less and pass the checks
    given, or nothing at all and exit code 1. The exact versions stay.
    """
    from mgit.repacking import repack, repack_lossy

    bound = _bound(lossy, error)
    if is_fast + is_max + (bound is not None) > 1:
        raise wrong_usage("give one of --fast, --max, --lossy, --error")
    if bound and is_dry_run:
        raise wrong_usage(
            "--dry-run does not go with --lossy or --error: what is tested has to be stored"
        )
    if (gates or executor) and not bound:
        raise wrong_usage(
            "--gate and --executor are for --lossy and --error: nothing else is tested"
        )
    repository = session().repository()
    if bound:
        with progress("quantising") as advance:
            found = repack_lossy(
                repository,
                bound,
                gates or (),
                selector,
                executor=executor or "process",
                progress=advance,
            )
        return Page(
            found,
            answer=tuple(_quantised(found)),
            advice=_ADVICE if found.is_kept else (),
            exit_code=0 if found.is_kept or not found.models else _NO,
        )
    with progress("repacking") as advance:
        repacked = repack(
            repository,
            selector,
            effort=_effort(is_fast=is_fast, is_max=is_max),
            grace=timedelta(days=grace_days),
            is_dry_run=is_dry_run,
            progress=advance,
        )
    document = record(repacked, waiting_until=_day(repacked))
    return Page(document, done=tuple(_repacked(repacked)))


_ADVICE = (
    "nothing is saved yet: the exact versions stay, as all older versions do;",
    "a copy without them: mgit clone --no-weights URL DIR, there: mgit backfill SEL",
)


def _bound(lossy: float | None, error: float | None) -> "Bound | None":
    from mgit.repacking import Absolute, Relative

    if lossy is not None and error is not None:
        raise wrong_usage("--lossy and --error are two ways to say how much may be lost")
    if lossy is not None:
        return Relative(lossy)
    return None if error is None else Absolute(error)


def _effort(*, is_fast: bool, is_max: bool) -> "Effort":
    from mgit.store import Effort

    if is_fast:
        return Effort.FAST
    return Effort.MAX if is_max else Effort.NORMAL


def _day(found: "Repacked") -> str:
    return found.waiting_until.date().isoformat() if found.waiting_until else ""


def _repacked(found: "Repacked") -> Iterator[Block]:
    would = "would be " if found.is_dry_run else ""
    models = f"{counted(found.models, 'model')}, {counted(found.chunks, 'chunk')}"
    yield line(f"{models}, {size(found.raw_bytes)} of weights and files")
    if not found.is_changed:
        yield line(f"{size(found.old_bytes)} in packs: nothing to gain, nothing was changed")
    else:
        gain = ratio(found.old_bytes, found.new_bytes)
        sizes = f"{size(found.old_bytes)} {would or 'are '}{size(found.new_bytes)} now"
        yield line(f"{sizes} ({gain}): {counted(found.recoded, 'chunk')} stored in another way")
    if found.condemned_packs or found.removal.packs:
        packs = counted(found.condemned_packs, "pack")
        removed = counted(found.removal.packs, "pack")
        yield line(f"condemned: {packs}; removed: {removed}, {size(found.removal.size_bytes)}")
        if found.removal.packs < found.condemned_packs:
            yield line(f"  the others take space; gc may remove them from {_day(found)} on")
    if found.unreadable:
        yield line(f"{counted(found.unreadable, 'chunk')} cannot be read and stay: mgit fsck")
    yield from listed(
        "packs had to stay, because something is at work here",
        [(held.doing, f"process {held.process}") for held in found.removal.held_by],
    )


def _quantised(found: "Quantisation") -> Iterator[Block]:
    headings = ("name", "node", "tensors", "stored", "max error", "rms error", "of its update")
    rows: list[list[Cell]] = [
        [
            titled(model.name),
            model.node,
            len(model.losses),
            number(size(model.stored_bytes)),
            *map(number, _errors(list(model.losses.values()))),
        ]
        for model in found.models
    ]
    if rows:
        yield Table(rows, headings)
    elif not found.skipped:
        yield line("nothing is selected")
    yield from listed("as before", [(titled(n), why) for n, why in found.skipped.items()])
    if found.report:
        yield from told(found.report)
    if found.models and not found.is_kept:
        yield line("not passed: no name moved; what was tried goes by mgit gc, in 90 days")
    if found.behind:
        yield line(f"behind now (mgit cascade plan): {', '.join(found.behind)}")


def _errors(losses: "list[Loss]") -> tuple[str, str, str]:
    elements = sum(loss.elements for loss in losses)
    lost, update = (
        (sum(value**2 * loss.elements for value, loss in pairs) / elements) ** 0.5
        for pairs in (
            [(loss.rms_error, loss) for loss in losses],
            [(loss.rms_update, loss) for loss in losses],
        )
    )
    most = max(loss.max_error for loss in losses)
    return f"{most:.3e}", f"{lost:.1e}", f"{lost / update:.1%}"
