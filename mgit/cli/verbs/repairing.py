"""What is damaged in this copy, whom it affects, and what makes it whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mgit.cli.application import verb
from mgit.cli.page import Block, Line, Page, Styled, counted, line, listed, record, size, titled
from mgit.cli.progress import progress
from mgit.cli.session import session
from mgit.cli.verbs.peers import is_path
from mgit.cli.verbs.words import wrong_usage
from mgit.errors import UsageError

if TYPE_CHECKING:
    from mgit.objects import Ref
    from mgit.repair import Damage, Lost, Mended, Report
    from mgit.repository import Repository

_DAMAGED = 5
_MEND = "mgit fsck --repair"
_MEND_FROM = f"{_MEND} --from REMOTE"
_ADDING = "add its checkpoint again, as in: "
_NOBODY = f"no remote is known here, so nobody was asked; name a copy: {_MEND_FROM}"
_EXPLAINED = {_MEND: "", _MEND_FROM: "from a copy that has it: "}


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
        return _page(_Finding(report, has_remotes=_has_remotes(repository)))
    source = session().url(remote) if is_path(remote) else remote
    with progress("repairing") as advance:
        mended = mend(repository, source, is_decoding=is_decoding, progress=advance)
    is_alone = not (mended.report.is_clean or remote or _has_remotes(repository))
    return _page(_Finding(mended.report, mended), advice=(_NOBODY,) if is_alone else ())


def _has_remotes(repository: "Repository") -> bool:
    from mgit.sync import remotes

    try:
        return bool(remotes(repository))
    except UsageError:  # the settings make no sense: that is told beside the damage
        return False


@dataclass(frozen=True, slots=True)
class _Finding:
    """What a check or a repair found, and who could still be asked.

    Attributes:
        report: What is wrong.
        mended: What a repair did; None where nothing was to be repaired.
        has_remotes: There is a remote that was not asked yet.
    """

    report: "Report"
    mended: "Mended | None" = None
    has_remotes: bool = False

    @property
    def serious(self) -> "list[Damage]":
        """Damage of which no pack here has a good copy."""
        return [damage for damage in self.report.damage if not damage.has_good_copy]

    @property
    def affected(self) -> "dict[str, Damage]":
        """Model -> damage because of which it cannot be read."""
        return {model: damage for damage in self.serious for model in damage.models}

    def repair(self, damage: "Damage | None") -> str:
        """Returns the one command that heals; without damage: what brings back what is gone."""
        if self.has_remotes:
            return _MEND
        return f"mgit add PATH {damage.names[0]}" if damage and damage.names else _MEND_FROM

    @property
    def repairs(self) -> list[str]:
        """The commands that heal all this; none where nothing is wrong."""
        report = self.report
        found = [self.repair(damage) for damage in self.serious]
        if report.gone or report.gaps or any(self.is_apart(lost) for lost in report.lost):
            found.append(self.repair(None))
        if not found and not report.is_clean and self.mended is None:
            found.append(_MEND)  # the settings, or files that are no pack
        return list(dict.fromkeys(found))

    def is_apart(self, lost: "Lost") -> bool:
        """Whether the damage that was told does not explain what is lost."""
        return bool(lost.gone) or lost.title not in self.affected


def _page(finding: _Finding, *, advice: tuple[str, ...] = ()) -> Page:
    report, mended = finding.report, finding.mended
    document = record(
        report,
        is_clean=report.is_clean,
        damage=[_damage_document(finding, damage) for damage in report.damage],
        gaps=[_ref(ref) for ref in report.gaps],
        lost=[_lost_document(finding, lost) for lost in report.lost],
        repair=next(iter(finding.repairs), ""),
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
        answer=(*(_mended(mended) if mended else ()), *_told(finding)),
        advice=advice,
        exit_code=0 if report.is_clean else _DAMAGED,
    )


def _ref(ref: "Ref") -> dict[str, object]:
    return {"kind": ref.kind, "digest": ref.digest}


def _damage_document(finding: _Finding, damage: "Damage") -> dict[str, object]:
    place = {"pack": damage.place.pack, **_ref(damage.place.row.ref)}
    repair = "" if damage.has_good_copy else finding.repair(damage)
    return record(damage, place=place, repair=repair)


def _lost_document(finding: _Finding, lost: "Lost") -> dict[str, object]:
    because = None if finding.is_apart(lost) else finding.affected[lost.title]
    return record(
        lost,
        missing=[_ref(ref) for ref in lost.missing],
        gone=[_ref(ref) for ref in lost.gone],
        repair=finding.repair(because),
    )


def _mended(mended: "Mended") -> Iterator[Block]:
    if mended.has_new_settings:
        yield line("the settings made no sense: new ones were written; look at mgit remote list")
    left = {damage.place.row.ref for damage in mended.report.damage}
    news = [one for one in mended.healed if one.source or one.ref not in left]
    yield from listed(
        "whole again", [(one.ref.kind, one.ref.digest, _origin(one.source)) for one in news]
    )
    yield from listed("put aside, into .mgit/quarantine", [(name,) for name in mended.put_aside])
    yield from listed("remotes that were of no use", list(mended.failures.items()))


def _origin(source: str) -> str:
    return f"from {source}" if source else "another pack here has it"


def _told(finding: _Finding) -> Iterator[Block]:
    report = finding.report
    for damage in finding.serious:
        yield _damage(damage)
    spare = len(report.damage) - len(finding.serious)
    if spare:
        yield line(
            f"{counted(spare, 'damaged copy', 'damaged copies')} of what another pack has whole:"
            " nothing to do; mgit gc removes such copies in time"
        )
    if report.settings:
        yield line(f"settings: {report.settings}")
    yield from listed("files that are no complete pack, skipped", list(report.unready.items()))
    yield from listed("packs that were here and are gone", [(pack,) for pack in report.gone])
    for lost in filter(finding.is_apart, report.lost):
        what = "is gone" if lost.gone else "cannot be read"
        kinds = _kinds(lost.gone or lost.missing)
        yield line(f"something {what} of ", titled(lost.title), f": {kinds}")
    yield from listed(
        "gone, although entries here rest on them", [(ref.kind, ref.digest) for ref in report.gaps]
    )
    yield from listed(
        "entries with a forged signature, they count for nothing",
        [(entry,) for entry in report.forged],
    )
    for repair in finding.repairs:
        yield line(f"repair: {_EXPLAINED.get(repair, _ADDING)}{repair}")
    checked = f"{counted(report.packs, 'pack')}, {counted(report.objects, 'object')}"
    verdict = "sound" if report.is_clean else "damaged"
    yield line(
        f"{checked}, {size(report.checked_bytes)}: ",
        Styled(verdict, "good" if report.is_clean else "bad"),
    )


def _kinds(refs: "Sequence[Ref]") -> str:
    kinds = [ref.kind for ref in refs]
    return ", ".join(
        kind if kinds.count(kind) == 1 else f"{kinds.count(kind):,} of its {kind}s"
        for kind in dict.fromkeys(kinds)
    )


def _damage(damage: "Damage") -> Line:
    ref = damage.place.row.ref
    affects = f"; affects: {', '.join(damage.models)}" if damage.models else ""
    cited = f"; cited by: {', '.join(damage.cited_by)}" if damage.cited_by and not affects else ""
    return line(
        f"{ref.kind} ",
        ref.digest,
        " in pack ",
        damage.place.pack,
        f" is damaged: {damage.reason}{affects}{cited}",
    )
