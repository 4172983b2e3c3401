"""What others do while a cascade runs: names they move, weights that go away; and who begins when.

base --> a --> b        same comes out as it was, and pupil is made from it and from base
base --> other
base --> same --> pupil <-- base
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from mgit.building import Made, parent_of, work_again
from mgit.building.asking import revision_of
from mgit.cascade import Publish, State
from mgit.cascade.outcomes import Cascade
from mgit.cascade.running import Means, run_cascade
from mgit.objects import Code, Edge, EdgeKind, Level, Node, Recipe, digest_of
from mgit.provenance import Provenance
from mgit.repository import Repository, Step, record
from mgit.source import shipped
from mgit.store import Facts
from tests.cascade.known import PRUNE, TIME
from tests.cascade.workshop import Workshop, reason, states, workshop


def watched(shop: Workshop, told: Callable[[str, State], None], **means: object) -> Cascade:
    """A cascade of which somebody is told how far it is, and does something then."""
    how = Means(**{"executor": "inline", **means})  # type: ignore[arg-type]
    return run_cascade(shop.repository, shop.wishes(takes_latest=True), how, told=told)


def moving(shop: Workshop, name: str, when: State) -> Callable[[str, State], None]:
    """Moves a name once its model is in that state."""

    def told(title: str, state: State) -> None:
        if (title, state) == (name, when):
            theirs = Repository.open(shop.repository.folder.parent, shop.repository.home)
            Workshop(theirs, shop.project).new(name, 32.0)

    return told


def test_all_or_nothing_is_nothing_if_somebody_moved_one_name(tmp_path: Path) -> None:
    shop = workshop(tmp_path, "a", "b <- a", "other")
    shop.new()

    found = watched(shop, moving(shop, "a", State.DONE), publish=Publish.ALL)

    assert states(found) == {"a": "done", "b": "done", "other": "done"}
    assert found.moved == ("a",)
    assert dict(found.published) == {}


def test_nothing_rests_on_an_unchanged_model_that_somebody_moved(tmp_path: Path) -> None:
    shop = workshop(tmp_path, "other")
    shop.tuned("same", recipe="constant")
    shop.tuned("pupil", "base=other", "same")
    shop.new()

    found = watched(shop, moving(shop, "same", State.UNCHANGED))

    assert states(found) == {"same": "unchanged", "pupil": "done", "other": "done"}
    assert found.moved == ("same",)
    assert set(found.published) == {"other"}


def test_weights_that_went_away_end_the_step_that_needs_them(tmp_path: Path) -> None:
    shop = workshop(tmp_path, "a", "other")
    shop.new("teacher")
    shop.tuned("pupil", "teacher", "a=other")
    packs = shop.repository.folder / "packs"
    before = set(packs.rglob("*"))
    shop.new("teacher", 16.0)
    weights = set(packs.rglob("*")) - before
    shop.new()

    def told(title: str, state: State) -> None:
        if (title, state) == ("a", State.RUNNING):
            for path in weights:
                path.unlink(missing_ok=True)

    found = watched(shop, told)

    assert weights
    assert states(found) == {"a": "done", "pupil": "failed", "other": "done"}
    assert "teacher" in reason(found, "pupil")
    assert set(found.published) == {"a", "other"}


@pytest.mark.parametrize(("executor", "jobs", "most"), [("inline", 8, 1), ("process", 2, 2)])
def test_no_more_is_begun_than_can_run_at_once(
    tmp_path: Path, executor: str, jobs: int, most: int
) -> None:
    shop = workshop(tmp_path, *"abcd")
    shop.new()
    running: set[str] = set()
    counts = []

    def told(title: str, state: State) -> None:
        running.add(title) if state is State.RUNNING else running.discard(title)
        counts.append(len(running))

    found = watched(shop, told, executor=executor, jobs=jobs)

    assert max(counts) == most
    assert set(found.published) == set("abcd")


def test_after_the_first_failure_nothing_has_begun_that_was_to_come_later(tmp_path: Path) -> None:
    shop = workshop(tmp_path, *"abcd")
    for name in "abcd":
        shop.mood(name, "raises")
    shop.new()

    found = shop.cascade(jobs=8, fail_fast=True)

    assert sorted(states(found).values()) == ["cancelled"] * 3 + ["failed"]
    assert len(shop.runs()) == 1


def test_two_parents_of_one_role_stay_two(tmp_path: Path) -> None:
    shop = workshop(tmp_path)
    parents = {shop.id("base"): "base", shop.new("twin", 16.0): "twin"}
    history = shop.repository.history()
    code = Code(PRUNE, None, revision_of(shipped(PRUNE)), {}, None, {}, Level.BITWISE)
    recipe = Recipe(code, "")
    edges = frozenset(Edge(EdgeKind.PROVENANCE, parent, "base") for parent in parents)
    node = Node(history.nodes[shop.id("base")].manifest, edges, digest_of(recipe), "prune", "tiny")
    with shop.repository.writing():
        record(shop.repository, history, Step("a", {"a": digest_of(node)}, [recipe, node]))
    shop.new()
    know_what_comes_out(shop, node, [parents[parent] for parent in sorted(parents)])

    found = shop.cascade()

    made = shop.repository.history().nodes[found.published["a"]]
    assert set(made.parents(EdgeKind.PROVENANCE)) == {shop.id("base"), shop.id("twin")}


def know_what_comes_out(shop: Workshop, node: Node, parents: list[str]) -> None:
    """Lets it be known that the recipe of a node makes the twin from the newest of its parents."""
    repository, history = shop.repository, shop.repository.history()
    given = [
        parent_of(repository, history, "base", shop.id(parent), title=parent) for parent in parents
    ]
    work = work_again(repository, Provenance(history), {"": digest_of(node)}, given)
    made = Made({"": history.nodes[shop.id("twin")].manifest}, work.environment, TIME, TIME, 1.0)
    results = Facts(repository.home.cache_of(repository.folder) / "results")
    results.append({"action": work.action.hex(), **made.told()})
