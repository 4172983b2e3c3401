"""``mgit check`` and ``mgit test`` at a terminal.

base <── legal, qa      the mean of every embedding is 31.5
"""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from textwrap import dedent

import pytest

from tests.cli.terminal import Terminal

SCORE = """
import mgit


@mgit.check(on="*", gates=[mgit.at_least("mean", {least})])
def {name}(model):
    numbers = model.arrays()["embedding"].ravel().tolist()
    return {{"mean": sum(numbers) / len(numbers), "size": len(numbers)}}
"""


def shown(text: str) -> str:
    return dedent(text).lstrip("\n")


@pytest.fixture
def checked(tmp_path: Path) -> Terminal:
    """Alice, with a check that all pass and one that none passes."""
    alice = Terminal("alice", tmp_path)
    alice.does("init --as alice")
    alice.does(f"add {alice.checkpoint(0)} base")
    alice.does(f"add {alice.checkpoint(1)} legal --parent base")
    alice.does(f"add {alice.checkpoint(2)} qa --parent base")
    easy, hard = SCORE.format(name="easy", least=1.0), SCORE.format(name="hard", least=99.0)
    (alice.folder / "tasks.py").write_text(easy + hard)
    return alice


def test_a_check_is_registered_listed_and_removed(checked: Terminal) -> None:
    added = checked.does("check add tasks:easy --on", "descendants(base)")
    listed = checked.does("check list")
    removed = checked.does("check remove easy")

    row = 'easy  aaaaaaaaaaaa  tasks:easy  block  on descendants(base)  at_least("mean", 1.0)'
    assert added.text == f"{row}\n"
    assert listed.text == f"{row}  2 models\n"
    assert removed.text == "easy is no check any more\n"
    assert checked.does("check list").text == ""


def test_a_check_that_fits_nothing_yet_is_registered_with_a_warning(checked: Terminal) -> None:
    fits = checked.does("check add tasks:easy --on qa")
    fits_nothing = checked.does("check add tasks:hard --on nosuch")

    assert fits.err == ""
    assert "nothing here fits 'nosuch' yet" in fits_nothing.err
    assert "hard" in checked.does("check list").out


@pytest.mark.parametrize("command", ["check add easy", "build x --recipe easy"])
def test_a_function_without_its_module_is_told_how_to_write_it(
    checked: Terminal, command: str
) -> None:
    ran = checked.run(command)

    assert ran.exit_code == 4
    assert "write MODULE:FUNCTION, as in train:easy" in ran.err


def test_a_check_whose_name_is_gone_is_seen_to_be_for_nothing(checked: Terminal) -> None:
    checked.does("check add tasks:easy --on qa")
    checked.does("rm qa")

    assert checked.does("check list").text.endswith("  0 models\n")
    assert checked.does("check list --json").document["checks"][0]["selects"] == 0
    assert checked.does("test").text == "no check is for these models\n"


def test_results_are_a_table_and_then_reasons(checked: Terminal) -> None:
    checked.does("check add tasks:easy")
    checked.does("check add tasks:hard --on qa")
    checked.run("test --executor inline")

    ran = checked.run("test --executor inline")

    assert ran.exit_code == 1
    assert ran.text == shown("""
        passed  base   easy  mean 31.500  size 64.000  known
        passed  legal  easy  mean 31.500  size 64.000  known
        passed  qa     easy  mean 31.500  size 64.000  known
        failed  qa     hard  mean 31.500  size 64.000  known
          hard of qa: mean 31.500, at least 99.000
    """)


@pytest.mark.parametrize("severity", ["warn", "info"])
def test_what_does_not_block_is_told_and_exits_0(checked: Terminal, severity: str) -> None:
    checked.does(f"check add tasks:hard --on qa --severity {severity}")

    ran = checked.does("test --executor inline")

    assert ran.text.startswith(f"failed ({severity})  qa  hard")


def test_only_the_checks_that_are_named_run(checked: Terminal) -> None:
    checked.does("check add tasks:easy --on qa")
    checked.does("check add tasks:hard --on qa")

    ran = checked.does("test qa --check easy --executor inline --json")
    unknown = checked.run("test qa --check eazy")

    assert [row["check"] for row in ran.document["rows"]] == ["easy"]
    assert unknown.exit_code == 4
    assert "there are: easy, hard" in unknown.err


def test_the_document_has_all_of_it(checked: Terminal) -> None:
    checked.does("check add tasks:hard --on qa")

    document = checked.run("test --executor inline --json").document

    (row,) = document["rows"]
    assert document["schema"] == "mgit.test/v1"
    assert document["is_ok"] is False
    assert row.pop("duration_s") > 0
    assert row.pop("node") == checked.does("show qa --json").document["node"]
    assert row.pop("content") == checked.does("show qa --json").document["content"]
    assert row == {
        "model": "qa",
        "check": "hard",
        "severity": "block",
        "state": "failed",
        "sentences": ["mean 31.500, at least 99.000"],
        "scores": {"mean": pytest.approx(31.5, abs=1e-3), "size": 64.0},
        "deltas": {},
        "flips": None,
        "is_cached": False,
    }


def test_a_build_server_reads_the_same_as_junit_xml(checked: Terminal) -> None:
    checked.does("check add tasks:easy --on qa")
    checked.does("check add tasks:hard --on qa")

    ran = checked.run("test --executor inline --junit report.xml")

    root = ET.fromstring((checked.folder / "report.xml").read_bytes())  # noqa: S314  # our own
    assert ran.exit_code == 1
    assert ran.out
    assert {suite.get("name"): suite.get("failures") for suite in root} == {
        "easy": "0",
        "hard": "1",
    }
    (failure,) = root.iter("failure")
    assert failure.get("message") == "failed; mean 31.500, at least 99.000"


def test_a_report_that_cannot_be_written_is_an_error_of_this_machine(checked: Terminal) -> None:
    checked.does("check add tasks:easy --on qa")

    ran = checked.run("test --executor inline --junit nowhere/report.xml")

    assert ran.exit_code == 8
    assert "nowhere" in ran.err


def test_what_was_found_is_shown_with_the_model(checked: Terminal) -> None:
    checked.does("check add tasks:hard --on qa")
    checked.run("test --executor inline")

    claims = json.loads(checked.does("show qa --json").out)["statements"]
    text = checked.does("show qa").out

    assert {claim["kind"] for claim in claims} >= {"test", "scores"}
    assert "hard" in text
