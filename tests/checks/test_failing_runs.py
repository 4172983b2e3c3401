"""Checks that go wrong, and what is claimed of those that ran.

base: alone, and its check is called wrong; another check of it, answers, goes well
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mgit.checks import State
from mgit.checks.registering import registered
from mgit.checks.running import run_checks
from mgit.digest import Digest
from mgit.editing import undo
from mgit.errors import NotFoundError
from mgit.objects import SCORES, TEST_RESULT, Check, Edge, EdgeKind, digest_of
from mgit.provenance import result_statement
from mgit.repository import Home, Repository, Step, record
from mgit.viewing import show
from tests.checks.desk import ANSWERS, BAD, Desk, desk

WRONG = (
    ANSWERS
    + """

@mgit.check(on="base")
def wrong(model):
    {body}
"""
)


@pytest.fixture
def alice(tmp_path: Path) -> Desk:
    found = desk(tmp_path)
    found.register()
    return found


def registered_wrong(at: Desk, body: str) -> None:
    at.write(WRONG.format(body=body))
    at.register()
    at.register("tasks:wrong", arguments={})


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('raise KeyError("head")', "KeyError"),
        ("return None", "a value of type NoneType"),
        ("return {}", "no score"),
        ('return {"loss": float("nan")}', "loss is nan"),
        ('return {"loss": float("inf")}', "loss is inf"),
        ('return {"Loss": 1.0}', "Loss"),
        ('return {"loss": "low"}', "not a number"),
        ("return mgit.Samples([1, 0])", "not only bools"),
        ("return mgit.Samples([])", "is empty"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ('raise ValueError("\\udc80")', "ValueError"),
        ('raise ValueError("x" * 5_000_000)', "ValueError: xxx"),
    ],
)
def test_what_goes_wrong_is_told_and_the_others_are_judged(
    alice: Desk, body: str, says: str
) -> None:
    registered_wrong(alice, body)

    report = alice.test()

    good, bad = report.rows
    assert (good.state, bad.state) == (State.PASSED, State.ERRORED)
    assert says in bad.sentences[0]
    assert bad.scores == {}
    assert not report.is_ok
    results = [said.predicate["result"] for said in alice.claims("base", TEST_RESULT)]
    assert sorted(map(str, results)) == ["FAILED", "PASSED"]


def test_what_went_wrong_is_tried_again(alice: Desk) -> None:
    registered_wrong(alice, "return {}")
    alice.test()
    alice.runs()

    again = alice.test()

    assert [row.state for row in again.rows] == [State.PASSED, State.ERRORED]
    assert alice.runs() == 0


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("import time; time.sleep(60)", "--timeout"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal 9"),
    ],
)
def test_a_run_that_hangs_or_dies_is_lost_alone(alice: Desk, body: str, says: str) -> None:
    registered_wrong(alice, body)

    report = alice.test(executor="process", timeout_s=4.0)

    good, bad = report.rows
    assert (good.state, bad.state) == (State.PASSED, State.ERRORED)
    assert says in " ".join(bad.sentences)
    assert not report.is_ok
    assert alice.claims("base", SCORES) != []
    assert {said.predicate["result"] for said in alice.claims("base", TEST_RESULT)} == {
        "PASSED",
        "FAILED",
    }


def test_what_cannot_be_compared_since_the_other_model_went_wrong_is_no_pass(alice: Desk) -> None:
    alice.model("base", BAD)
    body = 'return {"m": 1.0} if model.arrays()["w"][0] < 0 else {}'
    alice.write(WRONG.format(body=body))
    alice.register("tasks:wrong", arguments={}, gates=['no_worse_than("previous", "m")'])

    row = alice.row(only=["wrong"])

    assert row.state is State.ERRORED
    assert row.blocks


def test_a_model_that_is_not_here_is_told(alice: Desk, tmp_path: Path) -> None:
    home = Home(tmp_path / "homes" / "alice", tmp_path / "elsewhere")
    for path in (alice.repository.folder / "packs").glob("*.chunks"):
        path.unlink()
    fresh = Repository.open(alice.repository.folder.parent, home)

    (row,) = run_checks(fresh, executor="inline").rows

    assert row.blocks
    assert row.state is State.ABSENT
    assert row.sentences[0] == "the weights of base are not here, or damaged"
    assert alice.claims("base", TEST_RESULT) == []  # nothing was found out


def test_data_that_are_not_here_are_no_result(alice: Desk) -> None:
    questions = alice.project / "questions.txt"
    questions.write_text("why")
    alice.write(WRONG.format(body="raise ValueError").replace("(model)", "(model, context)"))
    alice.register("tasks:wrong", arguments={}, data={"questions": questions})
    questions.unlink()

    row = alice.row(only=["wrong"])

    assert (row.state, row.blocks) == (State.ABSENT, True)
    assert "questions" in row.sentences[0]
    assert alice.claims("base", TEST_RESULT) == []


@pytest.mark.parametrize("gate", ['no_worse_than("previous", "accuracy")', "max_negative_flips(0)"])
def test_a_previous_version_that_is_not_here_is_not_as_if_there_were_none(
    alice: Desk, gate: str
) -> None:
    gone = Digest.of(b"gone")
    node = alice.repository.history().nodes[alice.node("base")]
    newer = replace(node, edges=frozenset({Edge(EdgeKind.VERSION, gone)}))
    with alice.repository.writing():
        step = Step("add", {"base": digest_of(newer)}, [newer])
        record(alice.repository, alice.repository.history(), step)
    alice.register(gates=[gate])

    row = alice.row()

    assert (row.state, row.blocks) == (State.ABSENT, True)
    assert row.sentences == (
        f"{gone.short} is not here",
        f"mgit fetch, or: mgit backfill {gone.short}",
    )


def test_a_check_that_is_unknown_is_told(alice: Desk) -> None:
    with pytest.raises(NotFoundError, match="no check 'answer'") as caught:
        alice.test(only=["answers", "answer"])

    assert "answers" in caught.value.hint


# --- what is claimed ---


def test_what_was_found_is_signed(alice: Desk) -> None:
    row = alice.row()

    (scores,) = alice.claims("base", SCORES)
    (result,) = alice.claims("base", TEST_RESULT)
    assert scores.predicate["content"] == row.content.hex()
    assert scores.predicate["function"] == "tasks:answers"
    assert result.predicate["result"] == "PASSED"
    assert {subject.ref.digest for subject in result.subjects} == {alice.node("base")}


def test_a_result_is_that_of_in_toto(alice: Desk) -> None:
    """https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md"""
    alice.register(gates=['at_least("accuracy", 2)'])
    alice.test()

    (result,) = alice.claims("base", TEST_RESULT)
    predicate: dict[str, Any] = dict(result.predicate)
    (configuration,) = predicate["configuration"]

    assert predicate["result"] == "FAILED"  # of PASSED, WARNED and FAILED
    assert configuration["name"] == "answers"
    assert Check.kind in configuration["mediaType"]
    assert set(configuration["digest"]) == {"sha256"}
    assert predicate["annotations"] == {
        "sentences": ["accuracy 1.000, at least 2.000"],
        "state": "failed",
    }


def test_a_second_test_signs_nothing(alice: Desk) -> None:
    alice.test()
    before = alice.entries()

    alice.test()
    alice.model("twin", [9.0])
    alice.test()

    assert alice.entries() == before + 1  # that of the model


def test_another_gate_signs_another_result_and_not_the_scores_again(alice: Desk) -> None:
    alice.test()

    alice.register(gates=[])
    alice.test()

    assert len(alice.claims("base", SCORES)) == 1
    assert len(alice.claims("base", TEST_RESULT)) == 2


def shown_tests(alice: Desk) -> list[str]:
    statements = show(alice.repository, "base").statements
    return [statement.text for statement in statements if statement.kind == "test"]


def test_of_the_results_of_a_check_the_newest_is_shown(alice: Desk) -> None:
    flag = alice.project / "flag"
    registered_wrong(alice, f'import os; os.stat({str(flag)!r}); return {{"loss": 1.0}}')

    alice.test()
    first = shown_tests(alice)
    flag.touch()
    alice.test()

    assert sorted(first) == ["answers: passed", "wrong: failed"]
    assert sorted(shown_tests(alice)) == ["answers: passed", "wrong: passed"]


def test_a_result_that_comes_back_is_the_newest_again(alice: Desk) -> None:
    alice.test()
    (passed,) = alice.claims("base", TEST_RESULT)
    told = []
    for result in ("FAILED", "PASSED", "FAILED"):
        said = result_statement("base", alice.node("base"), {**passed.predicate, "result": result})
        with alice.repository.writing():
            record(alice.repository, alice.repository.history(), Step("test", statements=[said]))
        told += shown_tests(alice)

    alice.test()

    assert told == ["answers: failed", "answers: passed", "answers: failed"]
    assert shown_tests(alice) == ["answers: passed"]


def test_a_result_that_was_undone_is_claimed_again(alice: Desk) -> None:
    alice.test()
    undo(alice.repository)
    undone = shown_tests(alice)

    alice.test()

    assert undone == []
    assert shown_tests(alice) == ["answers: passed"]


def test_a_twin_of_a_tested_model_gets_claims_of_its_own(alice: Desk) -> None:
    alice.test()
    alice.model("twin", [1.0] * 4, "base")
    alice.test()

    assert len(alice.claims("twin", SCORES)) == 1
    assert len(alice.claims("twin", TEST_RESULT)) == 1
    assert alice.runs() == 1


def test_more_than_can_be_signed_is_refused_as_a_result(alice: Desk) -> None:
    registered_wrong(alice, "return mgit.Samples(None, {n: [0.5] * 500_000 for n in ('a', 'b')})")

    good, bad = alice.test().rows

    assert (good.state, bad.state) == (State.PASSED, State.ERRORED)
    assert "4,000,000 bytes" in bad.sentences[0]
    assert len(alice.claims("base", TEST_RESULT)) == 2


def test_who_has_no_key_may_look_and_signs_nothing(alice: Desk, tmp_path: Path) -> None:
    stranger = Home(tmp_path / "homes" / "nobody", tmp_path / "caches" / "nobody")
    (check,) = registered(alice.repository.history())
    assert check.source
    stranger.trust_code(check.source.verbatim, "read")
    before = alice.entries()

    report = run_checks(Repository.open(tmp_path / "alice", stranger), executor="inline")

    assert [row.state for row in report.rows] == [State.PASSED]
    assert alice.entries() == before
