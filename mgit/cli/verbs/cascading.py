"""Cascades: what is behind is made again, tested, and published."""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from mgit.cli.application import group, verb
from mgit.cli.page import Block, Cell, Page, Styled, Table, counted, line, number, titled
from mgit.cli.session import session
from mgit.cli.verbs.checking import told as told_report
from mgit.cli.verbs.making import DataPaths, Timeout, paths, roots
from mgit.cli.verbs.words import SelectedOrAll, wrong_usage

if TYPE_CHECKING:
    from mgit.cascade import PlannedStep, State
    from mgit.cascade.outcomes import Cascade, StepOutcome
    from mgit.cascade.planning import Wishes
    from mgit.store import Fact

_NO, _MOVED, _MACHINE = 1, 3, 8
_Choice = TypeVar("_Choice", bound=Enum)
_STYLES = {"build": "name", "done": "good", "unchanged": "faint", "skip": "faint", "stop": "faint"}

cascade = group(
    "cascade",
    "What is behind a new version is made again.",
    "mgit cascade plan",
    "mgit cascade run --executor ray --jobs 2",
)

Skip = Annotated[
    list[str] | None,
    typer.Option("--skip", metavar="SEL", help="Keep these, go on below them; repeatable."),
]
Stop = Annotated[
    list[str] | None, typer.Option("--stop", metavar="SEL", help="End at these; repeatable.")
]
Opaque = Annotated[
    str, typer.Option("--opaque", metavar="M", help="Models without a recipe: stop or keep.")
]
Latest = Annotated[
    bool, typer.Option("--latest-parents", help="Take the newest version of every parent.")
]
Recorded = Annotated[
    bool,
    typer.Option("--recorded", help="Run the recorded source, though it was changed on disk."),
]
RunName = Annotated[
    str, typer.Argument(metavar="[RUN]", help="What the run is called; else the last one.")
]


@verb(
    "cascade plan",
    "mgit cascade plan",
    "mgit cascade plan minilm --skip search-bold --json",
    of=cascade,
)
def cascade_plan(
    selector: SelectedOrAll = "",
    skip: Skip = None,
    stop: Stop = None,
    opaque: Opaque = "stop",
    is_latest: Latest = False,
    is_recorded: Recorded = False,
    data: DataPaths = None,
) -> Page:
    """Says what would be made again, and why. Runs nothing.

    SEL are models with new versions; without it, all are followed.
    """
    from mgit.cascade.planning import plan_cascade

    wishes = _wishes(selector, skip, stop, opaque, (is_latest, is_recorded), data=data)
    plan = plan_cascade(session().repository(), wishes)
    steps = plan.steps
    return Page(
        {"steps": [_planned(step) for step in steps]},
        answer=(Table([_plan_cells(step) for step in steps]),)
        if steps
        else (line("nothing is behind: nothing is to be made"),),
    )


@verb(
    "cascade run",
    "mgit cascade run",
    "mgit cascade run minilm --executor ray --jobs 2 --timeout 600",
    of=cascade,
)
def cascade_run(
    selector: SelectedOrAll = "",
    skip: Skip = None,
    stop: Stop = None,
    opaque: Opaque = "stop",
    is_latest: Latest = False,
    is_recorded: Recorded = False,
    data: DataPaths = None,
    executor: Annotated[
        str, typer.Option("--executor", metavar="E", help="auto, inline, process or ray.")
    ] = "auto",
    jobs: Annotated[
        int, typer.Option("--jobs", metavar="N", help="How many at once; else one a core.")
    ] = 0,
    address: Annotated[
        str, typer.Option("--address", metavar="A", help="A Ray cluster that runs already.")
    ] = "",
    publish: Annotated[
        str,
        typer.Option(metavar="P", help="If not all pass: closed, all (or nothing), none."),
    ] = "closed",
    is_fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Start nothing more after the first failure.")
    ] = False,
    timeout: Timeout = None,
) -> Page:
    """Makes again what is behind, tests it, and publishes what passed.

    Exits 1 if something could not be made or did not pass, 3 if somebody moved a name meanwhile,
    8 if this machine could not go on: its disk, say.
    What was made before is not made again: to go on after a stop, run it again.
    """
    from mgit.cascade import Publish
    from mgit.cascade.running import Means, run_cascade
    from mgit.threads import processors

    means = Means(
        executor=executor,
        jobs=jobs or processors(),
        address=address,
        publish=_choice(Publish, publish, "--publish"),
        is_fail_fast=is_fail_fast,
        timeout_s=timeout,
    )
    wishes = _wishes(selector, skip, stop, opaque, (is_latest, is_recorded), data=data)
    found = run_cascade(session().repository(), wishes, means, told=_tell)
    return Page(
        _document(found),
        answer=tuple(_told(found)),
        advice=_advice(found),
        exit_code=_exit_code(found),
    )


@verb("cascade show", "mgit cascade show", "mgit cascade show 20261123 --json", of=cascade)
def cascade_show(run: RunName = "") -> Page:
    """Shows what a cascade came to, or how far it got."""
    from mgit.cascade.journal import Journal

    journal = Journal.find(session().repository(), run)
    ended = journal.outcome()
    events = list(journal.events())
    listed = ended.get("steps") if ended else None
    steps = listed if isinstance(listed, list) else []
    rows: list[Sequence[Cell]] = [
        (_styled(str(s["state"])), titled(str(s["title"])), str(s["reason"])) for s in steps
    ]
    published = _published().get(journal.run, [])
    names = ", ".join(published) or "nothing"
    goes_on = f"cut off, or still running; published: {names}; mgit cascade run goes on"
    return Page(
        {"run": journal.run, "ended": ended, "events": events, "published": published},
        answer=(
            line("cascade ", titled(journal.run), "  ", "ended" if ended else goes_on),
            Table(rows),
        ),
    )


@verb("cascade log", "mgit cascade log", "mgit cascade log --json", of=cascade)
def cascade_log() -> Page:
    """Lists the cascades that ran here, the last one first."""
    from mgit.cascade.journal import Journal

    repository = session().repository()
    runs = Journal.runs(repository)[::-1]
    ended = {run: Journal.find(repository, run).outcome() for run in runs}
    published = _published()
    rows: list[Sequence[Cell]] = [
        (titled(run), _ended(ended[run], published.get(run, []))) for run in runs
    ]
    found = [{"run": run, "ended": ended[run], "published": published.get(run, [])} for run in runs]
    return Page({"runs": found}, answer=(Table(rows),))


def _published() -> dict[str, list[str]]:
    """Run -> the names that it moved: as the log of operations has it, for a journal may be cut."""
    from mgit.editing import operations

    verbs = [done.verb.partition(": ") for done in operations(session().repository())]
    return {verb.removeprefix("cascade "): names.split() for verb, _, names in verbs}


def _ended(outcome: "Fact | None", published: Sequence[str]) -> str:
    how = ("ok" if outcome.get("is_ok") else "not all passed") if outcome else "cut off"
    return f"{how}; published: {', '.join(published) or 'nothing'}"


def _wishes(
    selector: str,
    skip: list[str] | None,
    stop: list[str] | None,
    opaque: str,
    flags: tuple[bool, bool],
    *,
    data: list[str] | None,
) -> "Wishes":
    from mgit.cascade import Opaque
    from mgit.cascade.planning import Wishes

    return Wishes(
        selector=selector,
        skip=skip or (),
        stop=stop or (),
        opaque=_choice(Opaque, opaque, "--opaque"),
        takes_latest=flags[0],
        is_recorded_source=flags[1],
        roots=roots(),
        data=paths(data),
    )


def _choice(kind: type[_Choice], text: str, option: str) -> _Choice:
    try:
        return kind(text)
    except ValueError as error:
        choices = ", ".join(str(each.value) for each in kind)
        raise wrong_usage(f"{option} {text!r}: choose from {choices}") from error


def _planned(step: "PlannedStep") -> dict[str, object]:
    return {
        "node": step.node,
        "names": step.names,
        "title": step.title,
        "action": step.action,
        "reason": step.reason,
        "parents": step.bindings,
        "group": step.group,
        "after": step.after,
        "estimate_s": step.estimate_s,
    }


def _plan_cells(step: "PlannedStep") -> list[Cell]:
    took = "" if step.estimate_s is None else f"about {step.estimate_s:.1f} s"
    return [_styled(step.action.value), titled(step.title), step.reason, number(took)]


def _styled(state: str) -> Styled:
    return Styled(state, _STYLES.get(state, "bad"))


def _tell(title: str, state: "State") -> None:
    """One line a change, on a terminal that wants it."""
    here = session()
    if not here.is_quiet and not here.is_json and here.stderr.isatty():
        from mgit.cli.output import clean

        here.stderr.write(clean(f"{state.value:>13}  {title}") + "\n")


def _document(found: "Cascade") -> dict[str, object]:
    steps = [
        _planned(o.step)
        | {
            "state": o.state,
            "reason": o.reason,
            "content": o.content,
            "is_known": o.is_known,
            "duration_s": o.duration_s,
            "checks": o.rows,
            "published": o.published,
        }
        for o in found.outcomes
    ]
    return {
        "run": found.run,
        "steps": steps,
        "published": found.published,
        "moved": found.moved,
        "jobs": found.jobs,
        "is_ok": found.is_ok,
    }


def _told(found: "Cascade") -> Iterator[Block]:
    if not found.outcomes:
        yield line("nothing is behind: nothing was made")
        return
    yield Table([_outcome_cells(outcome) for outcome in found.outcomes])
    from mgit.checks import Report

    rows = tuple(row for outcome in found.outcomes for row in outcome.rows)
    if rows:
        yield line(Styled("checks:", "heading"))
        yield from told_report(Report(rows))
    names = ", ".join(sorted(found.published)) or "nothing"
    yield line(f"published: {names}; {counted(found.jobs, 'job')} ran; cascade {found.run}")


def _outcome_cells(outcome: "StepOutcome") -> list[Cell]:
    made = outcome.content is not None
    took = "known" if outcome.is_known else f"{outcome.duration_s:.1f} s"
    return [
        _styled(outcome.state.value),
        titled(outcome.step.title),
        outcome.published or "",
        outcome.reason,
        number(took if made else ""),
    ]


def _exit_code(found: "Cascade") -> int:
    if found.moved:
        return _MOVED
    if found.is_stopped_by_machine:
        return _MACHINE
    return 0 if found.is_ok else _NO


def _advice(found: "Cascade") -> tuple[str, ...]:
    if found.moved:
        return (f"somebody moved {', '.join(found.moved)} meanwhile: look, then run it again",)
    if found.is_stopped_by_machine:
        return ("look at the disk of this machine, then run it again: it goes on",)
    return ()
