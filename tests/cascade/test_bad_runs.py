"""What goes wrong has a name, and blocks what was made from it and nothing else.

base --> a --> b
base --> other
"""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from mgit.cascade import Opaque
from mgit.cascade.outcomes import Cascade
from mgit.cascade.running import Means, run_cascade
from mgit.errors import ConflictError, MachineError, UsageError
from mgit.provenance import Provenance
from mgit.repository import Repository
from mgit.store.files import locked
from tests.cascade.workshop import Workshop, reason, states, workshop
from tests.family import Person, add, trusted

FAMILY = ("a", "b <- a", "other")


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """The family, with a base that is new."""
    found = workshop(tmp_path, *FAMILY)
    found.new()
    return found


def only_other_is_done(shop: Workshop, state: str, **how: Any) -> Cascade:
    """Runs it: a is in this state, b blocked, and other published."""
    before = shop.names()

    found = shop.cascade(**how)

    assert states(found) == {"a": state, "b": "blocked", "other": "done"}
    assert reason(found, "b") == "blocked by a"
    assert not found.is_ok
    assert {name for name, nodes in shop.names().items() if nodes != before[name]} == {"other"}
    assert shop.is_sound()
    return found


@pytest.mark.parametrize(
    ("mood", "said"),
    [
        ("raises", "ValueError: no such luck"),
        ("makes NaN", "NaN"),
        ("makes other shapes", "has shape [1], in its first parent [4]"),
    ],
)
def test_a_recipe_that_makes_nothing_good_has_failed(shop: Workshop, mood: str, said: str) -> None:
    shop.mood("a", mood)

    found = only_other_is_done(shop, "failed")

    assert said in reason(found, "a")
    assert shop.runs().count("a") == 1


def test_a_recipe_that_is_mended_goes_on_where_it_failed(shop: Workshop) -> None:
    shop.mood("a", "raises")
    shop.cascade()
    shop.runs()
    shop.mood("a")

    found = shop.cascade()

    assert shop.runs() == ["a", "b"]
    assert set(found.published) == {"a", "b"}


def test_what_hangs_is_ended(shop: Workshop) -> None:
    shop.mood("a", "hangs")

    found = only_other_is_done(shop, "timed out", executor="process", timeout_s=3, jobs=2)

    assert "killed" in reason(found, "a")
    assert shop.runs().count("a") == 1
    assert not Path("/proc", (shop.place / "hanging").read_text()).exists()


def test_a_worker_that_dies_again_and_again_is_given_up(shop: Workshop) -> None:
    shop.mood("a", "is killed")

    found = only_other_is_done(shop, "crashed", executor="process")

    assert "signal 9" in reason(found, "a")
    assert shop.runs().count("a") == 3


def test_a_worker_that_dies_once_is_no_failure(shop: Workshop) -> None:
    shop.mood("a", "once is killed")

    found = shop.cascade("process")

    assert states(found) == {"a": "done", "b": "done", "other": "done"}
    assert sorted(shop.runs()) == ["a", "a", "b", "other"]


def test_what_ran_out_of_memory_is_tried_once_more(shop: Workshop) -> None:
    shop.mood("a", "has no memory")

    only_other_is_done(shop, "out of memory")

    assert shop.runs().count("a") == 2


def test_what_has_memory_the_second_time_is_done(shop: Workshop) -> None:
    shop.mood("a", "once has no memory")

    assert shop.cascade().is_ok
    assert sorted(shop.runs()) == ["a", "a", "b", "other"]


def test_nothing_more_is_started_after_a_failure_if_so_wished(shop: Workshop) -> None:
    shop.mood("a", "raises")

    found = shop.cascade(fail_fast=True)

    assert states(found)["a"] == "failed"
    assert set(states(found).values()) <= {"failed", "blocked", "cancelled", "done"}
    assert states(found)["b"] == "blocked"


# --- what cannot be made here ---


def opaque(shop: Workshop) -> None:
    """Adds a model as it is below base, and one that was made from it."""
    tensors = {"first": [3.0, -1.0, 2.0, 4.0], "second": [1.0, 2.0, 3.0, 4.0]}
    add(shop.repository, "foreign", tensors, "base@v1")
    shop.tuned("below", "foreign")
    shop.runs()


def test_a_model_without_a_recipe_is_for_people_to_make(shop: Workshop) -> None:
    opaque(shop)

    found = shop.cascade()

    assert states(found)["foreign"] == "manual"
    assert states(found)["below"] == "blocked"
    assert set(found.published) == {"a", "b", "other"}
    assert not found.is_ok


def test_a_model_without_a_recipe_may_stay_as_it_is(shop: Workshop) -> None:
    opaque(shop)
    before = shop.names()

    found = shop.cascade(opaque=Opaque.KEEP)

    assert found.is_ok
    assert "foreign" not in found.published
    assert {shop.names()[name] == before[name] for name in ("foreign", "below")} == {True}


def test_source_that_was_changed_since_is_not_run_unless_so_wished(shop: Workshop) -> None:
    file = shop.project / "train.py"
    file.write_text(file.read_text().replace("np.float32(2)", "np.float32(4)"))

    refused = shop.cascade()
    run = shop.cascade(is_recorded_source=True)

    assert states(refused) == {"a": "changed", "b": "changed", "other": "changed"}
    assert refused.jobs == 0
    assert "train:tune on disk is not what was recorded" in reason(refused, "a")
    assert set(run.published) == {"a", "b", "other"}
    assert shop.first("a") == 8 / 2 + 1


def test_source_that_can_no_longer_be_read_was_changed(shop: Workshop) -> None:
    (shop.project / "train.py").write_text("def tune(:")

    assert shop.plan() == {"a": "changed", "b": "changed", "other": "changed"}


def test_code_of_others_is_not_run_until_it_is_trusted(shop: Workshop, tmp_path: Path) -> None:
    bob = Person("bob", tmp_path)
    trusted(shop.repository, bob)
    his = Workshop(bob.clone(str(shop.repository.folder.parent)), tmp_path / "project of bob")
    before = his.names()

    found = his.cascade()

    assert states(found) == dict.fromkeys(["a", "b", "other"], "untrusted")
    assert "mgit trust code a" in reason(found, "a")
    assert shop.runs() == []
    assert his.names() == before


def test_without_the_weights_of_a_parent_nothing_is_made(shop: Workshop, tmp_path: Path) -> None:
    bob = Person("bob", tmp_path)
    trusted(shop.repository, bob)
    copy = bob.clone(str(shop.repository.folder.parent), weights=False)
    his = Workshop(copy, tmp_path / "project of bob")
    trust_all(shop.repository, copy)

    found = his.cascade()

    assert states(found) == {"a": "absent", "b": "blocked", "other": "absent"}
    assert found.jobs == 0


def trust_all(theirs: Repository, ours: Repository) -> None:
    """Trusts whatever code the other one trusts."""
    from mgit.building.again import sources_of

    said = Provenance(theirs.history())
    for node in said.history.nodes:
        for source in sources_of(said, node):
            ours.home.trust_code(source.verbatim, "read")


# --- who else is at work ---


def test_a_name_that_somebody_moves_meanwhile_is_left_alone(shop: Workshop) -> None:
    moved: list[object] = []

    def interfere(title: str, state: object) -> None:
        if title == "b" and not moved:
            moved.append(state)
            theirs = Repository.open(shop.repository.folder.parent, shop.repository.home)
            Workshop(theirs, shop.project).new("a", 32.0)

    found = run_cascade(shop.repository, shop.wishes(), Means(executor="inline"), told=interfere)

    assert moved
    assert found.moved == ("a",)
    assert set(found.published) == {"other"}
    assert shop.first("a") == 32.0


def test_two_models_made_from_each_other_are_refused(tmp_path: Path) -> None:
    shop = workshop(tmp_path, "a", "b")
    shop.tuned("a", "b@v1")
    shop.tuned("b", "a@v1")
    before = shop.state()

    with pytest.raises(UsageError):
        shop.cascade()

    assert shop.state() == before


def test_one_cascade_runs_at_a_time(shop: Workshop) -> None:
    before = shop.state()

    with (
        locked(shop.repository.folder / "local" / "cascade.lock"),
        pytest.raises(ConflictError, match="another cascade is running"),
    ):
        shop.cascade()

    assert shop.state() == before
    assert shop.cascade().is_ok


def test_an_executor_that_nobody_knows_is_refused(shop: Workshop) -> None:
    before = shop.state()

    with pytest.raises(UsageError, match="there is no executor 'cloud'"):
        shop.cascade("cloud")

    assert shop.state() == before
    assert not (shop.repository.folder / "cascade").exists()


def test_a_time_limit_that_nobody_could_keep_is_refused(shop: Workshop) -> None:
    with pytest.raises(UsageError, match="time limit"):
        shop.cascade("inline", timeout_s=3)

    assert shop.runs() == []


def test_without_ray_nothing_is_begun(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shop.state()
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == "ray" else found(name, *more),
    )

    with pytest.raises(MachineError) as refused:
        shop.cascade("ray")

    assert refused.value.exit_code == 8
    assert shop.state() == before
