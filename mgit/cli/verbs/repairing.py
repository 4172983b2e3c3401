"""What is damaged in this copy, whom it affects, and what makes it whole."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from mgit.cli.application import verb
from mgit.cli.page import Block, Page, Styled, counted, line, listed, record, size, titled
from mgit.cli.progress import progress
from mgit.cli.session import session
from mgit.cli.verbs.peers import is_path
from mgit.cli.verbs.words import wrong_usage

if TYPE_CHECKING:
    from mgit.objects import Ref
    from mgit.repair import Damage, Lost, Mended, Report

_DAMAGED = 5
_MEND = "mgit fsck --repair"


@verb("fsck", "mgit fsck", "mgit fsck --repair --from lab")
def fsck(
    is_decoding: Annotated[
        bool, typer.Option("--decode", help="Decode every chunk too, and compare it with its id.")
    ] = False,
    is_mending: Annotated[
        bool, typer.Option("--repair", help="Make whole what is damaged or lost.")
    ] = False,
    remote: Annotated[
        str,
        typer.Option("--from", metavar="REMOTE", help="Repair from this remote; else from all."),
    ] = "",
) -> Page:
    """Reads every stored byte and compares it with its digest. Exits 5 if something is damaged.

    A repair takes what is damaged from other packs here and from remotes, verified; no name moves,
    and damaged packs that nobody needs any more go to .mgit/quarantine.
    """
    from mgit.repair import check, mend

    repository = session().repository()
    if remote and not is_mending:
        raise wrong_usage("--from says where a repair takes things from: give --repair too")
    if not is_mending:
        with progress("checking") as advance:
            report = check(repository, is_decoding=is_decoding, progress=advance)
        return _page(report)
    source = session().url(remote) if is_path(remote) else remote
    with progress("repairing") as advance:
        mended = mend(repository, source, is_decoding=is_decoding, progress=advance)
    return _page(mended.report, mended)


def _page(report: "Report", mended: "Mended | None" = None) -> Page:
    document = record(
        report,
        is_clean=report.is_clean,
        damage=[_damage_document(damage) for damage in report.damage],
        gaps=[_ref(ref) for ref in report.gaps],
        lost=[_lost_document(lost) for lost in report.lost],
        repair="" if report.is_clean else _MEND,
    )
    if mended:
        document["mended"] = {
            "healed": [{**_ref(one.ref), "source": one.source} for one in mended.healed],
            "put_aside": mended.put_aside,
            "has_new_settings": mended.has_new_settings,
            "failures": mended.failures,
        }
    return Page(
        document,
        answer=(*(_mended(mended) if mended else ()), *_told(report)),
        advice=tuple(_advice(report, mended)),
        exit_code=0 if report.is_clean else _DAMAGED,
    )


def _advice(report: "Report", mended: "Mended | None") -> Iterator[str]:
    if mended is None and not report.is_clean:
        yield f"to take what is missing from a remote: {_MEND} --from REMOTE"
    if mended and report.gone:
        yield "what was in packs that are gone may still come from a remote: mgit fetch REMOTE"


def _ref(ref: "Ref") -> dict[str, object]:
    return {"kind": ref.kind, "digest": ref.digest}


def _damage_document(damage: "Damage") -> dict[str, object]:
    place = {"pack": damage.place.pack, **_ref(damage.place.row.ref)}
    return record(damage, place=place, repair=_repair(damage))


def _lost_document(lost: "Lost") -> dict[str, object]:
    return record(lost, missing=[_ref(ref) for ref in lost.missing], repair=_MEND)


def _mended(mended: "Mended") -> Iterator[Block]:
    if mended.has_new_settings:
        yield line("the settings made no sense: new ones were written; look at mgit remote list")
    yield from listed(
        "whole again",
        [(one.ref.kind, one.ref.digest, _origin(one.source)) for one in mended.healed],
    )
    yield from listed("put aside, into .mgit/quarantine", [(name,) for name in mended.put_aside])
    yield from listed("remotes that were of no use", list(mended.failures.items()))


def _origin(source: str) -> str:
    return f"from {source}" if source else "another pack here has it"


def _told(report: "Report") -> Iterator[Block]:
    for damage in report.damage:
        yield from _damage(damage)
    if report.settings:
        yield line(f"settings: {report.settings}")
    yield from listed("files that are no complete pack, skipped", list(report.unready.items()))
    yield from listed("packs that were here and are gone", [(pack,) for pack in report.gone])
    for lost in report.lost:
        yield line("something is gone of ", titled(lost.title), f": {_kinds(lost)}")
    yield from listed(
        "gone, although entries here rest on them", [(ref.kind, ref.digest) for ref in report.gaps]
    )
    yield from listed(
        "entries with a forged signature, they count for nothing",
        [(entry,) for entry in report.forged],
    )
    checked = f"{counted(report.packs, 'pack')}, {counted(report.objects, 'object')}"
    verdict = "sound" if report.is_clean else "damaged"
    yield line(
        f"{checked}, {size(report.checked_bytes)}: ",
        Styled(verdict, "good" if report.is_clean else "bad"),
    )


def _kinds(lost: "Lost") -> str:
    kinds = [ref.kind for ref in lost.missing]
    return ", ".join(
        kind if kinds.count(kind) == 1 else f"{kinds.count(kind):,} of its {kind}s"
        for kind in dict.fromkeys(kinds)
    )


def _damage(damage: "Damage") -> Iterator[Block]:
    ref = damage.place.row.ref
    yield line(
        f"{ref.kind} ", ref.digest, " in pack ", damage.place.pack, f" is damaged: {damage.reason}"
    )
    if damage.has_good_copy:
        yield line("  another pack has it whole: nothing to do")
        return
    if damage.models:
        yield line(f"  affects: {', '.join(damage.models)}")
    elif damage.cited_by:
        yield line(f"  cited by: {', '.join(damage.cited_by)}")
    yield line(f"  repair: {_in_words(damage)}")


def _in_words(damage: "Damage") -> str:
    if damage.names:
        return f"add its checkpoint again, as in: {_repair(damage)}"
    return f"{_repair(damage)} --from REMOTE, one that has it"


def _repair(damage: "Damage") -> str:
    """Returns the command that repairs a damage; empty where there is nothing to do."""
    if damage.has_good_copy:
        return ""
    return f"mgit add PATH {damage.names[0]}" if damage.names else _MEND
