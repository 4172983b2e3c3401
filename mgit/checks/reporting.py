"""What came out of running checks on models, as a value, and as JUnit XML for build servers.

Nothing is printed here, and no time of day is known.
"""

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from mgit.checks.judging import Verdict
from mgit.checks.scores import Flips
from mgit.digest import Digest
from mgit.objects import Severity
from mgit.objects.grammar import printable


class State(Enum):
    """What became of one check of one model."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ERRORED = "errored"  # the check raised, took too long or crashed
    UNTRUSTED = "untrusted"  # its code was not run
    ABSENT = "absent"  # the model, or the data, is not here


STATES: Mapping[Verdict, State] = {
    Verdict.PASS: State.PASSED,
    Verdict.FAIL: State.FAILED,
    Verdict.INCONCLUSIVE: State.INCONCLUSIVE,
}
_FINE = {State.PASSED, State.INCONCLUSIVE}


@dataclass(frozen=True, slots=True)
class Row:
    """One check of one model.

    Attributes:
        model: What the model is called.
        node: Its node; None for weights that are not published.
        content: Its content id.
        check: What the check is called.
        severity: What it means that the check fails.
        state: What became of it.
        sentences: Why: one for each gate, or what went wrong.
        scores: Name -> score.
        deltas: Name -> score less that of the previous version, where there is one.
        flips: Items that changed sides since the previous version, where that is known.
        duration_s: How long the check ran.
        is_cached: It was not run, since the result was known.
    """

    model: str
    node: Digest | None
    content: Digest
    check: str
    severity: Severity
    state: State
    sentences: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    deltas: Mapping[str, float] = field(default_factory=dict)
    flips: Flips | None = None
    duration_s: float = 0.0
    is_cached: bool = False

    @property
    def blocks(self) -> bool:
        """Whether the model must not be published for it: also where nothing could be checked."""
        return self.severity is Severity.BLOCK and self.state not in _FINE


@dataclass(frozen=True, slots=True)
class Report:
    """What came out of running checks.

    Attributes:
        rows: One for each check of each model, in the order in which they are shown.
    """

    rows: tuple[Row, ...]

    @property
    def is_ok(self) -> bool:
        """Whether nothing blocks."""
        return not any(row.blocks for row in self.rows)

    @property
    def counts(self) -> Mapping[State, int]:
        """How many rows each state has; 0 where none has it."""
        found = Counter(row.state for row in self.rows)
        return {state: found[state] for state in State}


def junit_xml(report: Report) -> str:
    """Returns a report as JUnit XML: a suite for each check, a case for each model.

    As pytest writes it and Jenkins reads it (``junit-10.xsd`` of its xUnit plugin). What blocks is
    a failure, or an error where nothing could be checked; so a build breaks exactly where the
    report is not ok. What else did not pass is skipped, with a message. Characters that XML cannot
    hold, or that could drive a terminal, are replaced.
    """
    root = ET.Element("testsuites", {"name": "mgit", **_totals(report.rows)})
    for check in dict.fromkeys(row.check for row in report.rows):
        rows = [row for row in report.rows if row.check == check]
        skipped = sum(_outcome(row) == "skipped" for row in rows)
        suite = ET.SubElement(root, "testsuite", {"name": printable(check), **_totals(rows)})
        suite.set("skipped", str(skipped))
        suite.extend(_case(row) for row in rows)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _totals(rows: Iterable[Row]) -> dict[str, str]:
    rows = tuple(rows)
    outcomes = Counter(map(_outcome, rows))
    return {
        "tests": str(len(rows)),
        "failures": str(outcomes["failure"]),
        "errors": str(outcomes["error"]),
        "time": f"{sum(row.duration_s for row in rows):.3f}",
    }


def _case(row: Row) -> ET.Element:
    case = ET.Element(
        "testcase",
        name=printable(row.model),
        classname=printable(row.check),
        time=f"{row.duration_s:.3f}",
    )
    outcome = _outcome(row)
    if outcome:
        label = row.state.value
        if row.state not in _FINE and not row.blocks:
            label += f" ({row.severity.value})"
        message = printable("; ".join([label, *row.sentences]))
        ET.SubElement(case, outcome, type=row.state.value, message=message).text = message
    if row.scores:
        lines = [f"{name} {score!r}" for name, score in sorted(row.scores.items())]
        ET.SubElement(case, "system-out").text = printable("\n".join(lines))
    return case


def _outcome(row: Row) -> str:
    """Returns the element that says what became of a row; empty if it passed."""
    if row.blocks:
        return "failure" if row.state is State.FAILED else "error"
    return "" if row.state is State.PASSED else "skipped"
