"""Checks: registering them, running them, showing what came out."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgit.cli.application import group, verb
from mgit.cli.page import Block, Cell, Page, Styled, Table, counted, line, number, titled
from mgit.cli.progress import progress
from mgit.cli.session import session
from mgit.cli.verbs.making import (
    Arguments,
    DataPaths,
    ExecutorKind,
    Seed,
    Timeout,
    paths,
    roots,
    values,
)
from mgit.cli.verbs.words import SelectedOrAll

if TYPE_CHECKING:
    from mgit.checks import Report, Row
    from mgit.checks.registering import Registered

_NO = 1
STATE_STYLES = {"passed": "good", "failed": "bad", "errored": "bad", "untrusted": "bad"}

check = group(
    "check",
    "What models have to pass.",
    "mgit check list",
    "mgit check add retrieval:search --on 'descendants(minilm)'",
)

CheckName = Annotated[str, typer.Argument(metavar="NAME", help="What the check is called.")]


@verb(
    "check add",
    "mgit check add retrieval:search --on 'descendants(minilm)'",
    "mgit check add retrieval:search --name no-flips --on small --gate 'max_negative_flips(0.0)'",
    of=check,
)
def check_add(
    function: Annotated[
        str, typer.Argument(metavar="MOD:FN", help="A function marked @mgit.check.")
    ],
    on: Annotated[
        str, typer.Option("--on", metavar="SEL", help="Models it is for; else as its mark says.")
    ] = "",
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="What it is called; else as the function.")
    ] = "",
    severity: Annotated[
        str, typer.Option(metavar="S", help="If it fails: block, warn, info; else as marked.")
    ] = "",
    gates: Annotated[
        list[str] | None,
        typer.Option("--gate", metavar="GATE", help='at_least("mrr", 0.7); else as marked.'),
    ] = None,
    arguments: Arguments = None,
    data: DataPaths = None,
    seed: Seed = None,
) -> Page:
    """Registers a check for some models and their descendants of the same type.

    Naming a check is trusting it: its code runs here. One of yours of that name is replaced.
    """
    from mgit.checks.registering import CheckRequest, add_check
    from mgit.checks.subjects import subjects

    request = CheckRequest(
        function=function,
        name=name,
        on=on,
        severity=severity,
        gates=gates,
        arguments=values(arguments),
        seed=seed,
        data=paths(data),
        roots=roots(),
    )
    repository = session().repository()
    added = add_check(repository, request)
    fits = subjects(repository, repository.history()).selected(added)
    unfit = f"nothing here fits {added.on!r} yet: the check is for what will; mgit check list"
    return Page(_described(added), done=(Table([_cells(added)]),), advice=() if fits else (unfit,))


@verb("check list", "mgit check list", "mgit check list --json", of=check)
def check_list() -> Page:
    """Lists the checks, what they are on, and what they demand."""
    from mgit.checks.registering import registered
    from mgit.checks.subjects import subjects

    repository = session().repository()
    history = repository.history()
    seen, known = subjects(repository, history), registered(history)
    counts = {one.digest: len(seen.selected(one)) for one in known}
    rows = [[*_cells(one), number(counted(counts[one.digest], "model"))] for one in known]
    return Page(
        {"checks": [_described(one) | {"selects": counts[one.digest]} for one in known]},
        answer=(Table(rows),),
    )


@verb("check remove", "mgit check remove no-flips", "mgit check remove search", of=check)
def check_remove(name: CheckName) -> Page:
    """Takes a check of yours back; what it found stays."""
    from mgit.checks.registering import remove_check

    remove_check(session().repository(), name)
    return Page({"name": name}, done=(line(titled(name), " is no check any more"),))


def _described(one: "Registered") -> dict[str, object]:
    from mgit.checks import gate_text

    return {
        "name": one.name,
        "check": one.digest,
        "on": one.on,
        "function": one.check.code.function,
        "severity": one.check.severity,
        "gates": [gate_text(gate) for gate in one.check.gates],
    }


def _cells(one: "Registered") -> list[Cell]:
    from mgit.checks import gate_text

    gates = ", ".join(gate_text(gate) for gate in one.check.gates)
    code = one.check.code.function
    return [titled(one.name), one.digest, code, one.check.severity.value, f"on {one.on}", gates]


@verb("test", "mgit test search", "mgit test 'descendants(minilm)' --junit report.xml")
def run_checks(
    selector: SelectedOrAll = "",
    only: Annotated[
        list[str] | None, typer.Option("--check", metavar="C", help="Only this one; repeatable.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", metavar="N", help="How many at once.")] = 1,
    timeout: Timeout = None,
    executor: ExecutorKind = "process",
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write JUnit XML there as well.")
    ] = None,
) -> Page:
    """Runs the checks of models. Exits 1 if one that blocks is not passed.

    What was measured before, of the same content by the same code, is judged again, not measured.
    """
    from mgit.checks import junit_xml, running
    from mgit.store.files import machine_errors, write_whole

    with progress("testing") as advance:
        report = running.run_checks(
            session().repository(),
            selector,
            only=only or (),
            executor=executor,
            jobs=jobs,
            timeout_s=timeout,
            progress=advance,
        )
    if junit:
        with machine_errors(f"writing {junit}"):
            write_whole(session().path(junit), junit_xml(report).encode())
    return Page(
        {"rows": report.rows, "is_ok": report.is_ok},
        answer=tuple(told(report)),
        exit_code=0 if report.is_ok else _NO,
    )


def told(report: "Report") -> Iterator[Block]:
    """Yields a report as text: a table, and why what did not pass did not."""
    if not report.rows:
        yield line("no check is for these models")
        return
    yield Table([_row(row) for row in report.rows])
    for row in report.rows:
        if row.state.value != "passed":
            for sentence in row.sentences:
                yield line(f"  {row.check} of ", titled(row.model), f": {sentence}")


def _row(row: "Row") -> list[Cell]:
    scores = "  ".join(_score(row, name) for name in sorted(row.scores))
    lost = f"{row.flips.lost} lost, {row.flips.won} won" if row.flips else ""
    took = "known" if row.is_cached else f"{row.duration_s:.1f} s"
    state = row.state.value
    shown = (
        state
        if row.severity.value == "block" or state == "passed"
        else f"{state} ({row.severity.value})"
    )
    return [
        Styled(shown, STATE_STYLES.get(state, "faint")),
        titled(row.model),
        row.check,
        scores,
        lost,
        took if row.scores else "",
    ]


def _score(row: "Row", name: str) -> str:
    delta = f" ({row.deltas[name]:+.3f})" if name in row.deltas else ""
    return f"{name} {row.scores[name]:.3f}{delta}"
