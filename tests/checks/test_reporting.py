"""Reports, and what build servers read of them."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit.checks import STATES, Report, Row, State, Verdict, junit_xml
from mgit.digest import Digest
from mgit.objects import Severity

CONTENT = Digest.of(b"content")


def row(
    state: State = State.PASSED,
    *,
    model: str = "qa@v2",
    check: str = "answers",
    severity: Severity = Severity.BLOCK,
    sentences: tuple[str, ...] = (),
    scores: Mapping[str, float] | None = None,
    duration_s: float = 0.0,
) -> Row:
    return Row(
        model=model,
        node=None,
        content=CONTENT,
        check=check,
        severity=severity,
        state=state,
        sentences=sentences,
        scores=scores or {},
        duration_s=duration_s,
    )


rows = st.builds(
    row,
    st.sampled_from(State),
    model=st.text(),
    check=st.text(max_size=3),
    severity=st.sampled_from(Severity),
    sentences=st.lists(st.text(), max_size=3).map(tuple),
    scores=st.dictionaries(st.text(min_size=1), st.floats(allow_nan=False), max_size=2),
    duration_s=st.floats(0, 1e6),
)
reports = st.lists(rows, max_size=8).map(lambda listed: Report(tuple(listed)))


def outcome(case: ET.Element) -> ET.Element | None:
    """What a build server takes for the result of a case."""
    found = [part for part in case if part.tag in {"failure", "error", "skipped"}]
    assert len(found) < 2
    return found[0] if found else None


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("state", State)
def test_only_a_check_that_blocks_makes_a_report_bad(state: State, severity: Severity) -> None:
    report = Report((row(), row(state, severity=severity)))

    is_fine = state in {State.PASSED, State.INCONCLUSIVE} or severity is not Severity.BLOCK
    assert report.is_ok == is_fine


def test_a_report_counts_every_state() -> None:
    report = Report((row(State.PASSED), row(State.FAILED), row(State.FAILED)))

    assert report.counts == dict.fromkeys(State, 0) | {State.PASSED: 1, State.FAILED: 2}


def test_every_verdict_is_a_state() -> None:
    assert STATES == {
        Verdict.PASS: State.PASSED,
        Verdict.INCONCLUSIVE: State.INCONCLUSIVE,
        Verdict.FAIL: State.FAILED,
    }


# --- JUnit ---


def test_a_report_reads_so_in_a_build_server() -> None:
    report = Report(
        (
            row(model="qa@v2", duration_s=1.5, scores={"mrr": 0.75, "accuracy": 1.0}),
            row(
                State.FAILED, model="code@v3", sentences=("mrr 0.5, at least 0.7", "no <gate> & co")
            ),
            row(State.ERRORED, check="speed", sentences=("ValueError: no data",), duration_s=0.25),
            row(State.INCONCLUSIVE, model="math@v1", sentences=("may be chance",)),
        )
    )

    assert junit_xml(report) == (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<testsuites name="mgit" tests="4" failures="1" errors="1" time="1.750">\n'
        '  <testsuite name="answers" tests="3" failures="1" errors="0" time="1.500" skipped="1">\n'
        '    <testcase name="qa@v2" classname="answers" time="1.500">\n'
        "      <system-out>accuracy 1.0\nmrr 0.75</system-out>\n"
        "    </testcase>\n"
        '    <testcase name="code@v3" classname="answers" time="0.000">\n'
        '      <failure type="failed"'
        ' message="failed; mrr 0.5, at least 0.7; no &lt;gate&gt; &amp; co">'
        "failed; mrr 0.5, at least 0.7; no &lt;gate&gt; &amp; co</failure>\n"
        "    </testcase>\n"
        '    <testcase name="math@v1" classname="answers" time="0.000">\n'
        '      <skipped type="inconclusive" message="inconclusive; may be chance">'
        "inconclusive; may be chance</skipped>\n"
        "    </testcase>\n"
        "  </testsuite>\n"
        '  <testsuite name="speed" tests="1" failures="0" errors="1" time="0.250" skipped="0">\n'
        '    <testcase name="qa@v2" classname="speed" time="0.250">\n'
        '      <error type="errored" message="errored; ValueError: no data">'
        "errored; ValueError: no data</error>\n"
        "    </testcase>\n"
        "  </testsuite>\n"
        "</testsuites>\n"
    )


def test_an_empty_report_is_an_empty_list_of_suites() -> None:
    root = ET.XML(junit_xml(Report(())).encode())

    assert (root.tag, root.get("tests"), list(root)) == ("testsuites", "0", [])


@pytest.mark.parametrize(
    ("state", "severity", "tag"),
    [
        (State.PASSED, Severity.BLOCK, None),
        (State.FAILED, Severity.BLOCK, "failure"),
        (State.FAILED, Severity.WARN, "skipped"),
        (State.FAILED, Severity.INFO, "skipped"),
        (State.INCONCLUSIVE, Severity.BLOCK, "skipped"),
        (State.ERRORED, Severity.BLOCK, "error"),
        (State.ERRORED, Severity.WARN, "skipped"),
        (State.UNTRUSTED, Severity.BLOCK, "error"),
        (State.ABSENT, Severity.BLOCK, "error"),
        (State.ABSENT, Severity.INFO, "skipped"),
    ],
)
def test_what_became_of_a_check_is_what_build_servers_call_it(
    state: State, severity: Severity, tag: str | None
) -> None:
    (case,) = ET.XML(junit_xml(Report((row(state, severity=severity),))).encode()).iter("testcase")

    found = outcome(case)

    assert (None if found is None else found.tag) == tag


def test_a_failure_that_does_not_block_says_why_it_is_skipped() -> None:
    report = Report((row(State.FAILED, severity=Severity.WARN, sentences=("mrr 0.5",)),))

    (skipped,) = ET.XML(junit_xml(report).encode()).iter("skipped")

    assert skipped.get("message") == "failed (warn); mrr 0.5"


@given(reports)
def test_it_is_xml_whatever_names_and_messages_hold(report: Report) -> None:
    root = ET.XML(junit_xml(report).encode())

    assert len(list(root.iter("testcase"))) == len(report.rows)


@pytest.mark.parametrize(
    "bad", ["\0", "\x1b[2J", "\x7f", "\ud800", "\ufffe", "\uffff", "\u202e", "]]>"]
)
def test_what_xml_cannot_hold_or_terminals_obey_is_replaced(bad: str) -> None:
    name = f"qa{bad}"
    report = Report((row(State.FAILED, model=name, check=name, sentences=(name,)),))

    text = junit_xml(report)

    assert bad not in text or bad == "]]>"
    (case,) = ET.XML(text.encode()).iter("testcase")
    assert (case.get("name") or "").startswith("qa")


@given(reports)
def test_a_build_breaks_exactly_where_a_report_is_not_ok(report: Report) -> None:
    root = ET.XML(junit_xml(report).encode())

    broken = [*root.iter("failure"), *root.iter("error")]

    assert bool(broken) == (not report.is_ok)


@given(reports)
def test_the_totals_are_those_of_the_cases(report: Report) -> None:
    root = ET.XML(junit_xml(report).encode())

    for suite in root:
        found = [outcome(case) for case in suite]
        tags = [part.tag for part in found if part is not None]
        assert suite.get("tests") == str(len(suite))
        assert suite.get("failures") == str(tags.count("failure"))
        assert suite.get("errors") == str(tags.count("error"))
        assert suite.get("skipped") == str(tags.count("skipped"))
    assert root.get("tests") == str(len(report.rows))
    assert root.get("failures") == str(len(list(root.iter("failure"))))
    assert root.get("errors") == str(len(list(root.iter("error"))))
