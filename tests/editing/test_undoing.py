"""Going back: names, conflicts, tags, notes and settings become what they were.

m@v1 <- m@v2 <- m (by bob)      `stepped_back`: alice went back to v1 while bob went on, so
  ^ alice                       that m is conflicted between v1 and what bob made
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from mgit import editing, sync
from mgit.digest import Digest
from mgit.errors import MovedError, NotFoundError
from mgit.objects import CREATION, NOTE, digest_of
from mgit.repository import Repository
from mgit.selection import Selection
from mgit.sync import fetch
from tests.family import Person, add, apart, bare_node, names, point, titles, trusted, weights

V1 = digest_of(bare_node("v1"))
V2 = digest_of(bare_node("v2", V1))


@pytest.fixture
def alone(tmp_path: Path) -> Repository:
    repository = Person("alice", tmp_path).init()
    point(repository, "m", "v2", point(repository, "m", "v1"))
    return repository


NAME_STEPS: dict[str, Callable[[Repository], object]] = {
    "rename": lambda r: editing.rename(r, "m", "other"),
    "remove": lambda r: editing.remove(r, "m"),
    "pick an older version": lambda r: editing.pick(r, "m", "m@v1"),
    "pick for a new name": lambda r: editing.pick(r, "release", "m"),
    "a new version": lambda r: point(r, "m", "v3", V2),
    "a new model": lambda r: point(r, "n", "n"),
}


@pytest.mark.parametrize("step", NAME_STEPS)
def test_names_are_what_they_were_before_the_step(alone: Repository, step: str) -> None:
    before = names(alone)
    NAME_STEPS[step](alone)
    assert names(alone) != before

    editing.undo(alone)

    assert names(alone) == before


def test_steps_are_taken_back_one_by_one_to_the_beginning(alone: Repository) -> None:
    seen = [names(alone)]
    for step in NAME_STEPS.values():
        editing.pick(alone, "m", V2.hex())
        step(alone)
        seen.append(names(alone))
        if "m" not in names(alone):
            editing.undo(alone)

    while True:
        try:
            editing.undo(alone)
        except NotFoundError:
            break

    assert names(alone) == {}
    assert alone.history().nodes.keys() >= {V1, V2}


def test_a_step_is_taken_back_once(alone: Repository) -> None:
    editing.remove(alone, "m")

    undone = [editing.undo(alone).verb for _ in range(3)]

    assert undone == ["rm m", "add m", "add m"]
    with pytest.raises(NotFoundError, match="nothing to undo"):
        editing.undo(alone)


def test_the_log_shows_what_was_done_and_what_can_be_taken_back(alone: Repository) -> None:
    editing.rename(alone, "m", "n")
    editing.undo(alone)

    shown = [(step.verb, step.is_undoable) for step in editing.operations(alone)]

    assert shown == [
        ("add m", True),
        ("add m", True),
        ("rename m n", False),
        ("undo rename m n", False),
    ]


CONFLICT_STEPS: dict[str, Callable[[Repository], object]] = {
    "pick the one side": lambda r: editing.pick(r, "m", "m@alice"),
    "pick the other side": lambda r: editing.pick(r, "m", "m@bob"),
    "pick a third": lambda r: editing.pick(r, "m", "m@v1"),
    "keep both": lambda r: editing.keep_both(r, "m"),
    "remove": lambda r: editing.remove(r, "m"),
}


@pytest.mark.parametrize("step", CONFLICT_STEPS)
def test_a_conflict_is_there_again_with_both_sides(tmp_path: Path, step: str) -> None:
    hers, his = apart(tmp_path)
    before = names(his)
    CONFLICT_STEPS[step](his)
    assert names(his) != before

    editing.undo(his)
    fetch(hers, str(tmp_path / "bob"))

    assert names(his) == names(hers) == before


def stepped_back(root: Path, newest: str) -> tuple[Repository, Repository, Digest]:
    alice, bob = Person("alice", root), Person("bob", root)
    hers = alice.init()
    point(hers, "m", "v2", point(hers, "m", "v1"))
    trusted(hers, bob)
    his = bob.clone(str(root / "alice"))
    editing.pick(hers, "m", V1.hex())
    made = point(his, "m", newest, V2)
    fetch(his)
    return hers, his, made


def labels_of_newest(*, sorts_first: bool) -> str:
    """A label whose node's digest lies where it is wanted beside that of v1."""
    labels = (f"v3 {number}" for number in range(1000))
    return next(x for x in labels if (digest_of(bare_node(x, V2)) < V1) == sorts_first)


@pytest.mark.parametrize("sorts_first", [True, False])
@pytest.mark.parametrize("step", ["pick the step back", "pick the newest", "keep both", "remove"])
def test_a_conflict_with_a_step_back_is_there_again(
    tmp_path: Path, step: str, *, sorts_first: bool
) -> None:
    hers, his, newest = stepped_back(tmp_path, labels_of_newest(sorts_first=sorts_first))
    before = names(his)
    assert before == {"m": {V1, newest}}
    steps: dict[str, Callable[[], object]] = {
        "pick the step back": lambda: editing.pick(his, "m", V1.hex()),
        "pick the newest": lambda: editing.pick(his, "m", newest.hex()),
        "keep both": lambda: editing.keep_both(his, "m"),
        "remove": lambda: editing.remove(his, "m"),
    }

    steps[step]()
    editing.undo(his)
    fetch(hers, str(tmp_path / "bob"))

    assert names(his) == names(hers) == before


def test_a_step_back_that_is_taken_back_is_a_decision_still(tmp_path: Path) -> None:
    hers, his, newest = stepped_back(tmp_path, "v3")
    editing.remove(hers, "m")
    editing.undo(hers)

    fetch(his)

    assert names(his) == {"m": {V1, newest}}


def test_what_somebody_moved_since_is_not_taken_back(tmp_path: Path) -> None:
    _, his = apart(tmp_path)
    before = names(his)

    with pytest.raises(MovedError, match="moved since"):
        editing.undo(his)

    assert names(his) == before


def test_what_others_did_is_not_mine_to_take_back(tmp_path: Path) -> None:
    person = Person("alice", tmp_path)
    point(person.init(), "m", "v1")
    his = Person("bob", tmp_path).clone(str(tmp_path / "alice"))

    with pytest.raises(NotFoundError, match="nothing to undo"):
        editing.undo(his)


def tags(repository: Repository) -> dict[str, set[Digest]]:
    found = Selection(repository, repository.history()).tags()
    return {tag: set(nodes) for tag, nodes in found.items()}


def test_a_tag_is_taken_back_and_a_withdrawn_one_is_there_again(alone: Repository) -> None:
    editing.add_tags(alone, "m", ["legal"])
    editing.remove_tags(alone, "m", ["legal"])
    assert tags(alone) == {}

    editing.undo(alone)
    assert tags(alone) == {"legal": {V2}}

    editing.undo(alone)
    assert tags(alone) == {}


def test_a_note_is_taken_back(alone: Repository) -> None:
    editing.note(alone, "m", "good at law")

    editing.undo(alone)

    assert Selection(alone, alone.history()).provenance.about(V2, NOTE) == []


def test_how_a_node_was_made_stays_true(tmp_path: Path) -> None:
    repository = Person("alice", tmp_path).init()
    node = add(repository, "m", weights("m"), tags=["legal"])

    editing.undo(repository)

    assert names(repository) == tags(repository) == {}
    history = repository.history()
    assert len(Selection(repository, history).provenance.about(node, CREATION)) == 1


def test_settings_are_as_before(alone: Repository, tmp_path: Path) -> None:
    sync.add_remote(alone, "stick", str(tmp_path))
    sync.remove_remote(alone, "stick")

    editing.undo(alone)
    assert sync.remotes(alone) == {"stick": str(tmp_path)}

    editing.undo(alone)
    assert sync.remotes(alone) == {}


def test_roles_are_not_taken_back_in_passing(alone: Repository, tmp_path: Path) -> None:
    editing.remove(alone, "m")
    trusted(alone, Person("bob", tmp_path))

    assert editing.undo(alone).verb == "rm m"
    assert [member.label for member in editing.members(alone)] == ["alice", "bob"]


def test_what_a_key_without_the_role_said_is_taken_back(tmp_path: Path) -> None:
    hers = Person("alice", tmp_path).init()
    point(hers, "m", "v1")
    his = Person("bob", tmp_path).clone(str(tmp_path / "alice"))
    point(his, "m", "v2", V1)
    assert his.history().names.aside() != {}

    editing.undo(his)

    assert his.history().names.aside() == {}
    assert titles(his) == {"m": {"m"}}


def test_the_newer_of_two_words_without_a_role_gives_way_to_the_older(tmp_path: Path) -> None:
    hers = Person("alice", tmp_path).init()
    point(hers, "m", "v1")
    bob = Person("bob", tmp_path)
    his = bob.clone(str(tmp_path / "alice"))
    second = point(his, "m", "v2", V1)
    point(his, "m", "other", V1)

    editing.undo(his)

    assert his.history().names.aside() == {bob.key: {"m": {second}}}
