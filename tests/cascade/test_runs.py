"""What is behind is made again, once, from the right parents, and published in one step.

base --> a --> b --> c --> d      d is made from a, too
"""

from pathlib import Path

import pytest

from mgit import editing
from mgit.cascade import Action
from mgit.cascade.planning import plan_cascade
from mgit.objects import CREATION, SCORES, TEST_RESULT, EdgeKind
from mgit.provenance import Provenance
from tests.cascade.workshop import Workshop, reason, states, workshop

DIAMOND = ("a", "b <- a", "c <- a", "d <- base=b, other=c")


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """base, and a made from it."""
    return workshop(tmp_path, "a")


def test_each_model_of_a_diamond_is_made_once(tmp_path: Path) -> None:
    shop = workshop(tmp_path, *DIAMOND)
    shop.new()

    found = shop.cascade()

    assert states(found) == dict.fromkeys("abcd", "done")
    assert found.is_ok
    assert sorted(shop.runs()) == ["a", "b", "c", "d"]
    assert shop.made_from("d") == {"base": shop.id("b"), "other": shop.id("c")}
    assert shop.is_sound()


def test_a_model_that_is_reached_twice_waits_for_the_longer_way(tmp_path: Path) -> None:
    shop = workshop(tmp_path, "a", "b <- a", "c <- b", "d <- base=a, other=c")
    shop.new()

    shop.cascade()

    assert shop.runs() == ["a", "b", "c", "d"]
    assert shop.made_from("d") == {"base": shop.id("a"), "other": shop.id("c")}
    assert shop.first("d") == (shop.first("a") + shop.first("c")) / 2 + 1


def test_a_parent_outside_the_cascade_stays_as_recorded(shop: Workshop) -> None:
    teacher = shop.new("teacher")
    shop.tuned("pupil", "base", "teacher=teacher")
    shop.new("teacher", 16.0)
    shop.new()

    shop.cascade(selector="base")

    assert shop.made_from("pupil") == {"base": shop.id("base"), "teacher": teacher}


def test_every_parent_may_be_taken_in_its_newest_version(shop: Workshop) -> None:
    shop.new("teacher")
    shop.tuned("pupil", "base", "teacher=teacher")
    shop.new("teacher", 16.0)
    shop.new()

    shop.cascade(selector="base", takes_latest=True)

    assert shop.made_from("pupil") == {"base": shop.id("base"), "teacher": shop.id("teacher")}


def test_what_is_skipped_keeps_its_version_and_what_is_below_goes_on(tmp_path: Path) -> None:
    shop = workshop(tmp_path, "a", "b <- a", "c <- base=b, other=base")
    before = shop.names()
    shop.new()

    found = shop.cascade(skip=["a"])

    assert states(found) == {"a": "skipped", "c": "done"}
    assert shop.names()["a"] == before["a"]
    assert shop.made_from("c") == {"base": shop.id("b"), "other": shop.id("base")}


def test_a_cascade_ends_where_it_is_told_to(tmp_path: Path) -> None:
    shop = workshop(tmp_path, "a", "b <- a", "other")
    shop.new()

    found = shop.cascade(stop=["a"])

    assert states(found) == {"a": "stopped", "other": "done"}
    assert shop.runs() == ["other"]
    assert found.is_ok


def test_what_is_tagged_as_pinned_stops_it(tmp_path: Path) -> None:
    shop = workshop(tmp_path, "a", "b <- a")
    editing.add_tags(shop.repository, "a", ["pinned"])
    shop.new()

    found = shop.cascade()

    assert states(found) == {"a": "pinned"}
    assert shop.runs() == []


def test_what_one_run_made_is_made_again_by_one_run(shop: Workshop) -> None:
    shop.pair("left", "right")
    shop.tuned("below", "left")
    shop.runs()
    before = shop.entries()
    shop.new()

    found = shop.cascade(selector="base", stop=["a"])

    assert shop.runs() == ["pair", "below"]
    assert states(found) == {"a": "stopped", "left": "done", "right": "done", "below": "done"}
    assert shop.first("left") == 9.0
    assert shop.first("right") == 10.0
    assert shop.entries() == before + 2  # the base, and all of the rest


def test_a_model_that_comes_out_as_it_was_changes_nothing_below(shop: Workshop) -> None:
    shop.tuned("same", recipe="constant")
    shop.tuned("below", "same")
    shop.runs()
    before = shop.names()
    shop.new()

    found = shop.cascade(stop=["a"])

    assert shop.runs() == ["same"]
    assert states(found) == {"a": "stopped", "same": "unchanged", "below": "unchanged"}
    assert {n: t for n, t in shop.names().items() if n != "base"} == {
        n: t for n, t in before.items() if n != "base"
    }
    assert found.is_ok


def test_a_base_of_the_same_content_changes_nothing(tmp_path: Path) -> None:
    shop = workshop(tmp_path, "a", "b <- a")
    shop.new()
    shop.cascade()
    shop.runs()
    before = shop.names()
    shop.new(note="the same, better described")

    found = shop.cascade()

    assert shop.names()["base"] != before["base"]
    assert states(found) == {"a": "unchanged", "b": "unchanged"}
    assert (shop.runs(), found.jobs, dict(found.published)) == ([], 0, {})
    assert shop.names()["a"] == before["a"]


def test_a_second_run_does_nothing(shop: Workshop) -> None:
    shop.new()
    first = shop.cascade()
    before = shop.state()

    again = shop.cascade()

    assert (first.jobs, again.jobs) == (1, 0)
    assert again.outcomes == ()
    assert again.is_ok
    assert shop.state() == before


def test_what_was_undone_is_published_again_and_not_made_again(shop: Workshop) -> None:
    shop.new()
    shop.cascade()
    content = shop.values("a")
    shop.runs()
    editing.undo(shop.repository)
    assert shop.values("a") != content

    found = shop.cascade()

    assert (found.jobs, shop.runs()) == (0, [])
    assert states(found) == {"a": "done"}
    assert [outcome.is_known for outcome in found.outcomes] == [True]
    assert shop.values("a") == content


def test_a_new_version_follows_the_old_one_and_comes_from_the_new_parent(shop: Workshop) -> None:
    old = shop.id("a")
    shop.new()

    found = shop.cascade()

    node = shop.repository.history().nodes[found.published["a"]]
    assert shop.id("a") == found.published["a"]
    assert node.parents(EdgeKind.VERSION) == (old,)
    assert node.parents(EdgeKind.PROVENANCE) == (shop.id("base"),)


def test_all_names_move_in_one_entry(tmp_path: Path) -> None:
    shop = workshop(tmp_path, *DIAMOND)
    shop.new()
    before = set(shop.repository.history().ledger.entries)

    found = shop.cascade()

    history = shop.repository.history()
    (new,) = set(history.ledger.entries) - before
    moves = history.ledger.entries[new].moves
    assert sorted(move.name for move in moves) == ["a", "b", "c", "d"]
    assert sum(operation.is_undoable for operation in editing.operations(shop.repository)) > 1
    assert editing.operations(shop.repository)[-1].verb == f"cascade {found.run}: a b c d"


def test_what_is_published_says_how_it_was_made_and_what_its_checks_said(shop: Workshop) -> None:
    shop.check("score", "a")
    shop.new()

    found = shop.cascade()

    said = Provenance(shop.repository.history())
    (creation,) = said.about(shop.id("a"), CREATION)
    definition = creation.statement.predicate["buildDefinition"]
    inner = definition["internalParameters"]  # type: ignore[index]
    assert found.jobs == 2
    assert len(inner["action"]) >= 64
    assert inner["environment"]
    assert inner["duration_s"] >= 0
    assert "train.py" in str(definition["resolvedDependencies"])  # type: ignore[index]
    assert found.run in str(creation.statement.predicate)
    (scores,) = said.about(shop.id("a"), SCORES)
    (result,) = said.about(shop.id("a"), TEST_RESULT)
    assert "score" in str(scores.statement.predicate)
    assert result.statement.predicate["result"] == "PASSED"
    assert {claim.key for claim in (creation, scores, result)} == {
        shop.repository.identity().key.public
    }


BROKEN = ("a", "b <- a", "other")


@pytest.mark.parametrize(
    ("mode", "published"), [("closed", {"other"}), ("all", set()), ("none", set())]
)
def test_how_much_is_published_when_not_all_was_made(
    tmp_path: Path, mode: str, published: set[str]
) -> None:
    shop = workshop(tmp_path, *BROKEN)
    shop.mood("a", "raises")
    shop.new()

    found = shop.cascade(publish=mode)

    assert states(found) == {"a": "failed", "b": "blocked", "other": "done"}
    assert set(found.published) == published
    assert not found.is_ok


def test_what_was_made_and_not_published_is_published_later_without_a_run(shop: Workshop) -> None:
    shop.new()
    before = shop.state()
    first = shop.cascade(publish="none")
    assert shop.state() == before

    second = shop.cascade(publish="all")

    assert (first.jobs, second.jobs) == (1, 0)
    assert set(second.published) == {"a"}


@pytest.mark.parametrize(
    ("severity", "state", "published"),
    [("block", "test failed", set()), ("warn", "done", {"a", "b"}), ("info", "done", {"a", "b"})],
)
def test_a_gate_that_is_not_passed_blocks_if_it_is_to(
    tmp_path: Path, severity: str, state: str, published: set[str]
) -> None:
    shop = workshop(tmp_path, "a", "b <- a", "other")
    shop.check("score", "a", severity=severity, gates=['at_least("score", 1.0)'])
    shop.new(first=1000.0)

    found = shop.cascade()

    assert states(found)["a"] == state
    assert set(found.published) == published | {"other"}
    assert found.is_ok is (severity != "block")


def test_a_check_that_cannot_run_blocks_its_model_and_what_is_below(tmp_path: Path) -> None:
    shop = workshop(tmp_path, "a", "b <- a", "other")
    shop.check("score", "a")
    shop.mood("score", "raises")
    shop.new()
    before = shop.names()

    found = shop.cascade()

    assert states(found) == {"a": "test failed", "b": "blocked", "other": "done"}
    assert "cannot measure" in reason(found, "a")
    assert reason(found, "b") == "blocked by a"
    assert {n for n, t in shop.names().items() if t != before[n]} == {"other"}
    shop.mood("score")
    assert set(shop.cascade().published) == {"a", "b"}


def test_all_executors_make_the_same(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    contents = []
    for kind in ("inline", "process", "ray"):
        shop = workshop(tmp_path / kind, *DIAMOND[:2])
        shop.new()
        found = shop.cascade(kind, jobs=2)
        contents.append([outcome.content for outcome in found.outcomes])
        assert found.jobs == 2
        shop.place.rename(tmp_path / f"place of {kind}")

    assert contents[0] == contents[1] == contents[2]


def test_planning_runs_and_imports_nothing(shop: Workshop) -> None:
    canary = shop.place / "canary"
    text = (shop.project / "train.py").read_text()
    (shop.project / "train.py").write_text(f"open({str(canary)!r}, 'w').close()\n{text}")
    shop.tuned("b", "a")
    canary.unlink()
    shop.runs()
    shop.new()
    before = shop.state()

    plan = plan_cascade(shop.repository, shop.wishes())

    assert [step.action for step in plan.steps] == [Action.CHANGED, Action.BLOCKED]
    assert not canary.exists()
    assert shop.runs() == []
    assert shop.state() == before
