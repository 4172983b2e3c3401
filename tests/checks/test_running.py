"""What is measured, what is known already, how it is judged, and what is claimed of it.

base <── qa@v1 <── qa@v2
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mgit.checks import Flips, State, measured_from
from mgit.checks.known import scores_fact
from mgit.checks.registering import registered
from mgit.checks.running import run_checks
from mgit.objects import SCORES, TEST_RESULT, Node, Ref, Statement, Subject, digest_of
from mgit.provenance import Provenance
from mgit.repository import Repository, Step, record
from tests.checks.desk import ANSWERS, BAD, GOOD, WORSE, Desk, desk, joined
from tests.family import trusted


@pytest.fixture
def alice(tmp_path: Path) -> Desk:
    return desk(tmp_path)


def test_a_model_is_measured_once(alice: Desk) -> None:
    alice.register()

    first, second = alice.row(), alice.row()

    assert alice.runs() == 1
    assert (first.state, first.scores, first.is_cached) == (State.PASSED, {"accuracy": 1.0}, False)
    assert first.duration_s > 0
    assert second == replace(first, is_cached=True, duration_s=0.0)


def test_what_was_measured_is_known_to_a_process_that_starts_anew(alice: Desk) -> None:
    alice.register()
    alice.test()
    again = Repository.open(alice.repository.folder.parent, alice.person.home)

    assert run_checks(again, executor="inline").is_ok
    assert alice.runs() == 1


def test_other_gates_and_severities_judge_and_do_not_measure(alice: Desk) -> None:
    alice.register()
    alice.test()

    alice.register(gates=['at_least("accuracy", 1.1)'], severity="warn")

    assert alice.row().state is State.FAILED
    assert alice.row().sentences == ("accuracy 1.000, at least 1.100",)
    assert alice.runs() == 1


def test_another_name_of_the_same_content_is_not_measured(alice: Desk) -> None:
    alice.register(on="*")
    alice.test()

    alice.model("twin", GOOD, "base")

    assert {(row.model, row.state) for row in alice.test().rows} == {
        ("base", State.PASSED),
        ("twin", State.PASSED),
    }
    assert alice.runs() == 1


def test_two_names_of_one_content_are_measured_once(alice: Desk) -> None:
    alice.model("twin", GOOD, "base")
    alice.register(on="*")

    assert len(alice.test().rows) == 2
    assert alice.runs() == 1


def test_the_same_check_under_two_names_runs_once(alice: Desk) -> None:
    alice.register(name="one")
    alice.register(name="other", gates=[])

    assert len(alice.test().rows) == 2
    assert alice.runs() == 1


def test_a_comment_measures_nothing_anew(alice: Desk) -> None:
    alice.register()
    alice.test()

    alice.write("# why\n" + ANSWERS.replace("    with", "\n    # note\n    with"))
    alice.register()

    assert alice.row().is_cached
    assert alice.runs() == 1


def test_other_code_measures_anew(alice: Desk) -> None:
    alice.register()
    alice.test()

    alice.write(ANSWERS.replace("number > above", "number < above"))
    alice.register()

    assert alice.row().scores == {"accuracy": 0.0}
    assert alice.runs() == 2


def test_another_argument_measures_anew(alice: Desk) -> None:
    alice.register()
    alice.test()

    alice.register(arguments={"runs": str(alice.trace), "above": 2.0})

    assert alice.row().scores == {"accuracy": 0.0}
    assert alice.runs() == 2


def test_an_imported_file_measures_anew(alice: Desk) -> None:
    alice.write("LEAST = 0\n", "limits.py")
    alice.write("from limits import LEAST\n" + ANSWERS.replace("> above", "> LEAST"))
    alice.register()
    before = alice.row().scores

    alice.write("LEAST = 5\n", "limits.py")
    alice.register()

    assert (before, alice.row().scores) == ({"accuracy": 1.0}, {"accuracy": 0.0})
    assert alice.runs() == 2


def test_other_weights_measure_anew(alice: Desk) -> None:
    alice.register(gates=[])
    alice.test()

    alice.model("base", WORSE)

    assert alice.row().scores == {"accuracy": 0.75}
    assert alice.runs() == 2


DRAWS = """
import mgit


@mgit.check(on="base")
def draws(model, *, runs, seed, context):
    with open(runs, "a") as file:
        file.write("run\\n")
    return {"seed": seed, "size": len(context.data["questions"].read_text())}
"""


def test_another_seed_or_other_data_measure_anew(alice: Desk) -> None:
    alice.write(DRAWS)
    questions = alice.project / "questions.txt"
    questions.write_text("why")
    given: dict[str, Any] = {"function": "tasks:draws", "data": {"questions": questions}}
    alice.register(**given)
    found = [alice.row().scores]

    alice.register(**given, seed=3)
    found.append(alice.row().scores)
    questions.write_text("why not")
    alice.register(**given, seed=3)
    found.append(alice.row().scores)

    assert [(row["seed"], row["size"]) for row in found] == [(0, 3), (3, 3), (3, 7)]
    assert alice.runs() == 3


def test_data_that_are_gone_are_told(alice: Desk) -> None:
    alice.write(DRAWS)
    questions = alice.project / "questions.txt"
    questions.write_text("why")
    alice.register("tasks:draws", data={"questions": questions})
    questions.write_text("changed meanwhile")

    row = alice.row()

    assert row.blocks
    assert "questions" in row.sentences[0]
    assert alice.runs() == 0


# --- whose word counts ---


def told_to_bob(root: Path, *, as_maintainer: bool = True) -> tuple[Desk, Desk]:
    """Alice has measured, and Bob, who trusts her code, has what she signed."""
    alice = desk(root)
    bob = joined(root, "bob", alice)
    if as_maintainer:
        trusted(alice.repository, bob.person)
    check = alice.register()
    bob.pull(alice)
    assert check.source
    bob.person.home.trust_code(check.source.verbatim, "read")
    return alice, bob


def test_scores_that_a_trusted_key_signed_are_not_measured_again(tmp_path: Path) -> None:
    alice, bob = told_to_bob(tmp_path)
    alice.test()
    assert alice.runs() == 1

    bob.pull(alice)

    assert bob.row().state is State.PASSED
    assert (alice.runs(), bob.runs()) == (0, 0)


def test_who_tests_signs_once_with_their_own_key_too(tmp_path: Path) -> None:
    alice, bob = told_to_bob(tmp_path)
    alice.test()
    bob.pull(alice)
    bob.test()
    alice.pull(bob)
    before = alice.entries()

    alice.test()
    bob.test()

    assert (alice.entries(), bob.entries()) == (before, before)
    history = alice.repository.history()
    claims = Provenance(history).about(alice.node("base"), TEST_RESULT)
    assert sorted(claim.key for claim in claims) == sorted([alice.person.key, bob.person.key])
    (scores,) = alice.claims("base", SCORES)
    assert history.signers(digest_of(scores.payload())) == {alice.person.key, bob.person.key}


def claim(at: Desk, *statements: Statement) -> None:
    with at.repository.writing():
        record(at.repository, at.repository.history(), Step("x", statements=statements))


def forged(at: Desk, accuracy: float) -> Statement:
    """Scores of base that nobody measured."""
    (check,) = registered(at.repository.history())
    node, content = at.node("base"), at.row().content
    fact = scores_fact(content, check.check.code, measured_from({"accuracy": accuracy}))
    return Statement((Subject(Ref(Node.kind, node), "base"),), SCORES, fact)


def test_scores_that_anybody_else_signed_are_measured_all_the_same(tmp_path: Path) -> None:
    alice, bob = told_to_bob(tmp_path, as_maintainer=False)
    claim(bob, forged(bob, 0.0))
    bob.runs()
    alice.runs()

    alice.pull(bob)

    assert alice.row().scores == {"accuracy": 1.0}
    assert alice.runs() == 1


def test_nobody_passes_by_saying_so(tmp_path: Path) -> None:
    alice, bob = told_to_bob(tmp_path)
    alice.register(gates=['at_least("accuracy", 2.0)'])
    alice.test()
    result = alice.claims("base", TEST_RESULT)[0]
    claim(bob, replace(result, predicate={**result.predicate, "result": "PASSED"}))

    alice.pull(bob)

    assert alice.row().state is State.FAILED


def test_what_was_measured_here_goes_before_what_others_say(tmp_path: Path) -> None:
    alice, bob = told_to_bob(tmp_path)
    alice.test()
    claim(bob, forged(bob, 0.0))

    alice.pull(bob)

    assert alice.row().scores == {"accuracy": 1.0}


@pytest.mark.parametrize(
    "spoil",
    [
        {"content": "no digest"},
        {"content": 3},
        {"code": None},
        {"measured": {}},
        {"measured": []},
        {"measured": {"scores": {"accuracy": 5.0}}},
    ],
)
def test_scores_that_make_no_sense_are_passed_over(
    tmp_path: Path, spoil: dict[str, object]
) -> None:
    alice, bob = told_to_bob(tmp_path)
    said = forged(bob, 0.0)
    claim(bob, replace(said, predicate={**said.predicate, **spoil}))

    alice.pull(bob)
    alice.runs()

    assert alice.row().scores == {"accuracy": 1.0}


# --- gates ---


def test_a_model_is_compared_with_the_version_before(alice: Desk) -> None:
    alice.model("qa", GOOD * 5, "base")
    alice.register(on="qa", gates=['no_worse_than("previous", "accuracy")'])
    first = alice.row("qa")

    alice.model("qa", GOOD * 3 + BAD * 2)
    second = alice.row("qa")

    assert first.sentences == ("nothing to compare with: no previous version",)
    assert second.state is State.FAILED
    assert second.deltas["accuracy"] == pytest.approx(-0.4)
    assert second.flips == Flips(lost=8, won=0, count=20)
    assert "qa@v1 has 1.000; hardly chance: 8 items lost" in second.sentences[0]
    assert alice.runs() == 2


def test_a_loss_of_one_item_is_inconclusive_and_blocks_nothing(alice: Desk) -> None:
    alice.register(gates=['no_worse_than("previous", "accuracy")'])
    alice.model("base", WORSE)

    report = alice.test()

    assert (report.rows[0].state, report.is_ok) == (State.INCONCLUSIVE, True)


def test_a_model_is_compared_with_its_parent(alice: Desk) -> None:
    alice.model("qa", WORSE, "base")
    alice.register(on="qa", gates=['max_negative_flips(0.0, "parent")'])

    row = alice.row("qa")

    assert row.state is State.FAILED
    assert row.flips is None
    assert alice.runs() == 2


def test_a_strict_gate_on_one_descendant_is_for_that_one_alone(alice: Desk) -> None:
    for name, first in (("qa", 2.0), ("legal", 3.0)):
        alice.model(name, [first, *GOOD], "base")
        alice.model(name, [first, *WORSE])
    alice.register(name="good")
    alice.register(name="no-flips", on="legal", gates=["max_negative_flips(0.0)"])

    found = {(row.model, row.check): row.state for row in alice.test().rows}

    assert found == {
        ("base", "good"): State.PASSED,
        ("qa", "good"): State.PASSED,
        ("legal", "good"): State.PASSED,
        ("legal", "no-flips"): State.FAILED,
    }


@pytest.mark.parametrize("severity", ["block", "warn", "info"])
def test_only_what_blocks_makes_a_report_bad(alice: Desk, severity: str) -> None:
    alice.register(gates=['at_least("accuracy", 2)'], severity=severity)

    report = alice.test()

    assert report.rows[0].state is State.FAILED
    assert report.is_ok is (severity != "block")


def test_only_what_gates_ask_for_is_measured_of_other_models(alice: Desk) -> None:
    alice.model("qa", WORSE, "base")
    alice.register(on="qa", gates=['at_least("accuracy", 0.5)'])

    alice.test("qa")

    assert alice.runs() == 1


def test_old_versions_are_tested_when_they_are_asked_for(alice: Desk) -> None:
    alice.model("base", BAD)
    alice.register()

    assert alice.row("base@v1").state is State.PASSED
    assert alice.row("base").state is State.FAILED
