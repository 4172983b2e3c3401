"""Which models a check is for, whose it is, and how it travels.

base@v1 <── base@v2      legal (another type) and qa are made from base@v1; small from qa
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mgit import editing, sync
from mgit.checks import at_least, at_most
from mgit.checks.registering import CheckRequest, Registered, add_check, registered, remove_check
from mgit.errors import ConflictError, NotFoundError, TrustError, UsageError
from mgit.objects import REGISTRATION, Check, Ref, Severity, Statement, Subject, digest_of
from mgit.repository import Step, record
from tests.checks.desk import GOOD, WORSE, Desk, desk, joined
from tests.family import trusted


@pytest.fixture
def alice(tmp_path: Path) -> Desk:
    found = desk(tmp_path)
    found.model("qa", WORSE, "base")
    found.model("legal", [2.0, 1.0], "base", type="legal")
    found.model("small", [3.0, 1.0], "qa", tags=["edge"])
    return found


def models_of(at: Desk) -> set[str]:
    """The models that a check is for."""
    return {row.model for row in at.test().rows}


def names(at: Desk) -> list[str]:
    return [known.name for known in registered(at.repository.history())]


# --- which models ---


@pytest.mark.parametrize(
    ("on", "models"),
    [
        ("base", {"base", "qa", "small"}),
        ("qa", {"qa", "small"}),
        ("small", {"small"}),
        ("legal", {"legal"}),
        ("*a*", {"base", "legal", "qa", "small"}),
        ("l*", {"legal"}),
        ("type:legal", {"legal"}),
        ("type:tiny", {"base", "qa", "small"}),
        ("tag:edge", {"small"}),
        ("descendants(base)", {"qa", "legal", "small"}),
        ("descendants(qa)", {"small"}),
        ("type:tiny & descendants(base)", {"qa", "small"}),
    ],
)
def test_a_check_is_for_what_is_selected_and_descendants_of_the_same_type(
    alice: Desk, on: str, models: set[str]
) -> None:
    alice.register(on=on)

    assert models_of(alice) == models


def test_a_check_on_a_model_goes_on_with_its_next_version(alice: Desk) -> None:
    alice.register(on="qa")
    alice.model("qa", GOOD)

    assert models_of(alice) == {"qa", "small"}


def test_a_check_is_for_what_is_made_later(alice: Desk) -> None:
    alice.register(on="small")
    before = models_of(alice)
    alice.model("smaller", [1.0], "small")

    assert (before, models_of(alice)) == ({"small"}, {"small", "smaller"})


def test_a_check_on_a_name_that_is_gone_is_for_nothing_and_hinders_nobody(alice: Desk) -> None:
    alice.register(on="small", name="edge")
    alice.register(on="qa")
    editing.remove(alice.repository, "small")

    assert names(alice) == ["answers", "edge"]
    assert {(row.model, row.check) for row in alice.test().rows} == {("qa", "answers")}


def test_a_check_on_a_conflicted_name_is_for_all_its_sides(tmp_path: Path) -> None:
    alice = desk(tmp_path)
    trusted(alice.repository, (bob := joined(tmp_path, "bob", alice)).person)
    bob.pull(alice)
    alice.register(on="base")
    alice.model("base", WORSE)
    bob.model("base", [1.0, 2.0])

    alice.pull(bob)

    assert models_of(alice) == {"base@alice", "base@bob"}


# --- what is registered ---


def test_what_the_mark_says_is_the_default(alice: Desk) -> None:
    found = alice.register()

    assert (found.name, found.on, found.check.severity) == ("answers", "base", Severity.BLOCK)
    assert found.check.gates == (at_least("accuracy", 0.5),)
    assert found.check.code.arguments == {"runs": str(alice.trace), "above": 0.0}


def test_what_is_asked_for_overrides_the_mark(alice: Desk) -> None:
    gates = ['at_most("accuracy", 0.9)']

    found = alice.register(name="few", on="qa", severity="warn", gates=gates)

    assert (found.name, found.on, found.check.severity) == ("few", "qa", Severity.WARN)
    assert found.check.gates == (at_most("accuracy", 0.9),)
    assert alice.register(name="few", gates=[]).check.gates == ()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"on": "descendants("}, "selector, column 13"),
        ({"severity": "fatal"}, "'fatal'"),
        ({"gates": ["perfect()"]}, "perfect"),
        ({"gates": ["at_least('accuracy')"]}, "at_least"),
        ({"name": "no/such name"}, "no/such name"),
        ({"seed": 3}, "takes no seed"),
        ({"arguments": {"below": 1}}, "takes no 'below'"),
        ({"arguments": {}}, "needs a value for runs"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_registered(
    alice: Desk, more: dict[str, Any], says: str
) -> None:
    before = alice.entries()

    with pytest.raises(UsageError, match=says):
        alice.register(**more)

    assert (names(alice), alice.entries()) == ([], before)


def test_a_check_that_says_on_nothing_wants_to_know(alice: Desk) -> None:
    alice.write("import mgit\n\n\n@mgit.check\ndef answers(model):\n    return {'a': 1.0}\n")

    with pytest.raises(UsageError, match="on no model") as caught:
        alice.register(arguments={})

    assert "--on" in caught.value.hint


def test_a_recipe_is_no_check(alice: Desk) -> None:
    with pytest.raises(UsageError, match="recipe"):
        add_check(alice.repository, CheckRequest("prune", on="base"))


def test_registering_reads_the_code_and_does_not_run_it(alice: Desk, tmp_path: Path) -> None:
    trace = tmp_path / "imported"
    alice.write(f"open({str(trace)!r}, 'w')\n" + (alice.project / "tasks.py").read_text())

    alice.register()

    assert not trace.exists()
    assert alice.runs() == 0


# --- whose ---


def test_one_of_ones_own_is_replaced(alice: Desk) -> None:
    first = alice.register()

    second = alice.register(severity="info", on="qa")

    assert [known.digest for known in registered(alice.repository.history())] == [second.digest]
    assert first.digest != second.digest


def test_replacing_by_the_same_changes_nothing_that_shows(alice: Desk) -> None:
    first = alice.register()
    again = alice.register()
    third = alice.register()

    assert names(alice) == ["answers"]
    assert first.digest == again.digest == third.digest


def test_what_was_removed_can_be_registered_again(alice: Desk) -> None:
    alice.register()
    remove_check(alice.repository, "answers")
    assert names(alice) == []

    alice.register()

    assert names(alice) == ["answers"]
    assert models_of(alice) == {"base", "qa", "small"}


def test_what_is_not_there_cannot_be_removed(alice: Desk) -> None:
    alice.register()

    with pytest.raises(NotFoundError, match="no check 'answer'") as caught:
        remove_check(alice.repository, "answer")

    assert "answers" in caught.value.hint


def test_somebody_elses_is_neither_replaced_nor_removed(tmp_path: Path) -> None:
    _, bob, theirs = a_check_of_alice_at_bob(tmp_path)

    with pytest.raises(ConflictError, match="alice has a check 'answers'"):
        bob.register()
    with pytest.raises(ConflictError, match="alice has a check 'answers'"):
        remove_check(bob.repository, "answers")

    assert registered(bob.repository.history()) == [theirs]
    assert bob.register(name="mine").name == "mine"


# --- how it travels ---


def a_check_of_alice_at_bob(root: Path) -> tuple[Desk, Desk, Registered]:
    alice = desk(root)
    bob = joined(root, "bob", alice)
    trusted(alice.repository, bob.person)
    check = alice.register()
    bob.pull(alice)
    return alice, bob, check


def test_a_check_travels_with_its_source(tmp_path: Path) -> None:
    _, bob, check = a_check_of_alice_at_bob(tmp_path)

    (found,) = registered(bob.repository.history())

    assert found == check
    assert found.source is not None
    assert found.source.files == {"tasks.py": (bob.project / "tasks.py").read_text()}


def test_a_check_travels_with_a_clone_of_nothing_but_its_name(tmp_path: Path) -> None:
    alice = desk(tmp_path)
    alice.model("other", [1.0])
    check = alice.register()

    carol = alice.person.clone(str(tmp_path / "alice"), "carol", select="other", weights=False)

    assert registered(carol.history()) == [check]


def test_a_check_travels_with_a_push_and_so_does_its_end(tmp_path: Path) -> None:
    alice, bob, check = a_check_of_alice_at_bob(tmp_path)
    mine = bob.register(name="mine")
    sync.push(bob.repository, str(tmp_path / "alice"))
    assert registered(alice.repository.history()) == [check, mine]

    remove_check(bob.repository, "mine")
    sync.push(bob.repository, str(tmp_path / "alice"))

    assert registered(alice.repository.history()) == [check]


def test_who_has_no_role_registers_nothing(tmp_path: Path) -> None:
    mallory = joined(tmp_path, "mallory", desk(tmp_path))
    before = mallory.entries()

    with pytest.raises(TrustError, match="has no role here"):
        mallory.register(name="planted")

    assert mallory.entries() == before


def test_a_check_that_somebody_without_a_role_signed_is_none(tmp_path: Path) -> None:
    alice = desk(tmp_path)
    mallory = joined(tmp_path, "mallory", alice)
    known = alice.register()
    check = replace(known.check, severity=Severity.INFO)
    about = Subject(Ref(Check.kind, digest_of(check)), "planted")
    statement = Statement((about,), REGISTRATION, known.claim.statement.predicate)
    with mallory.repository.writing():
        history = mallory.repository.history()
        record(mallory.repository, history, Step("x", objects=[check], statements=[statement]))

    alice.pull(mallory)

    assert digest_of(check) in alice.repository.history().checks
    assert names(alice) == ["answers"]


def test_two_who_chose_one_name_apart_both_keep_their_check(tmp_path: Path) -> None:
    alice = desk(tmp_path)
    bob = joined(tmp_path, "bob", alice)
    trusted(alice.repository, bob.person)
    bob.pull(alice)
    alice.register()
    bob.register(severity="warn")

    alice.pull(bob)

    assert names(alice) == ["answers", "answers"]
    with pytest.raises(ConflictError, match="bob"):
        alice.register(severity="info")
