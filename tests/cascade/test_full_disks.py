"""A disk that refuses stops what met it, and is no word on any model: later, the run goes on.

base --> a --> b
base --> other
"""

import shutil
from pathlib import Path

import pytest

from mgit.cascade.outcomes import Cascade
from mgit.objects import TEST_RESULT
from mgit.provenance import Provenance
from tests.cascade.workshop import Workshop, reason, states, workshop
from tests.cli.terminal import Terminal
from tests.damage.disks import disk, fill

STOPPED = {"a": "could not run here", "b": "blocked", "other": "done"}


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """The family, with a base that is new."""
    found = workshop(tmp_path, "a", "b <- a", "other")
    found.new()
    return found


def require_stopped(found: Cascade) -> None:
    assert states(found) == STOPPED
    assert "No space left on device" in reason(found, "a")
    assert set(found.published) == {"other"}
    assert found.is_stopped_by_machine
    assert not found.is_ok


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_recipe_that_met_a_full_disk_is_run_when_there_is_room(
    shop: Workshop, executor: str
) -> None:
    shop.mood("a", "fills the disk")
    require_stopped(shop.cascade(executor))
    assert sorted(shop.runs()) == ["a", "other"]
    shop.mood("a")

    found = shop.cascade(executor)

    assert shop.runs() == ["a", "b"]
    assert set(found.published) == {"a", "b"}
    assert not found.is_stopped_by_machine


@pytest.mark.parametrize("severity", ["block", "warn", "info"])
def test_a_check_that_met_a_full_disk_says_nothing_of_the_model(
    shop: Workshop, severity: str
) -> None:
    shop.check("score", "a", severity=severity)
    shop.mood("score", "fills the disk")
    found = shop.cascade()
    require_stopped(found)
    assert all(outcome.rows == () for outcome in found.outcomes)
    assert list(Provenance(shop.repository.history()).claims(TEST_RESULT)) == []
    shop.mood("score")
    shop.runs()

    found = shop.cascade()

    assert shop.runs() == ["b"]  # what was made of a is known
    assert set(found.published) == {"a", "b"}
    assert {row.state.value for outcome in found.outcomes for row in outcome.rows} == {"passed"}


def test_what_cannot_be_prepared_for_a_run_stops_it_alone(shop: Workshop) -> None:
    """The source of a recipe is laid out for its worker; where that cannot be, nothing is made."""
    place = shop.repository.folder / "work" / "source"
    kept = place.rename(place.with_name("aside"))
    place.write_text("in the way")

    found = shop.cascade()

    assert states(found) == {"a": "could not run here", "b": "blocked", "other": STOPPED["a"]}
    place.unlink()
    kept.rename(place)
    assert shop.cascade().is_ok


def test_what_cannot_be_prepared_for_a_check_stops_its_model_alone(shop: Workshop) -> None:
    shop.check("score", "a")
    data = shop.project / "questions"
    data.write_text("why")
    shop.check("again", "a", data={"questions": data})
    place = shop.repository.folder / "work" / "source"
    kept = place.rename(place.with_name("aside"))

    with disk(place, "size=1m") as room:
        shutil.copytree(kept, room, dirs_exist_ok=True)
        filler = fill(room, but_pages=0)
        require_stopped(shop.cascade())
        filler.unlink()
        found = shop.cascade()

    assert found.is_ok
    assert set(found.published) == {"a", "b"}


def test_the_command_exits_with_the_code_of_this_machine(shop: Workshop) -> None:
    shop.mood("a", "fills the disk")

    ran = Terminal("alice", shop.project.parent).run("cascade run --recorded --executor inline")

    assert ran.exit_code == 8
    assert "could not run here" in ran.out
    assert "run it again" in ran.err
