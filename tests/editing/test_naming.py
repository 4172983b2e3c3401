"""Names pointed elsewhere: renamed, removed, settled.

m@v1 <- m (by alice)
     <- m (by bob)      `apart`: a conflicted name, as Bob sees it
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from mgit import editing
from mgit.errors import ConflictError, MgitError, NotFoundError, UsageError
from mgit.objects import digest_of
from mgit.provenance import Provenance
from mgit.repository import Repository
from mgit.sync import fetch, push
from tests.family import Person, add, apart, bare_node, files, names, point, titles, weights

FIRST = digest_of(bare_node("first"))
BY_ALICE = digest_of(bare_node("by alice", FIRST))
BY_BOB = digest_of(bare_node("by bob", FIRST))


@pytest.fixture
def alone(tmp_path: Path) -> Repository:
    """Alice's repository with m@v1 <- m."""
    repository = Person("alice", tmp_path).init()
    point(repository, "m", "by alice", point(repository, "m", "first"))
    return repository


def test_a_renamed_model_keeps_its_versions(alone: Repository) -> None:
    editing.rename(alone, "m", "family/m")

    assert titles(alone) == {"family/m": {"family/m"}}
    assert names(alone) == {"family/m": {BY_ALICE}}


def test_a_rename_is_one_entry_that_cannot_be_torn(alone: Repository) -> None:
    before = alone.history().ledger.entries

    editing.rename(alone, "m", "other")

    (entry,) = (e for d, e in alone.history().ledger.entries.items() if d not in before)
    assert {move.name: move.target for move in entry.moves} == {"m": None, "other": BY_ALICE}


def test_a_rename_beside_a_new_version_of_the_old_name_loses_neither(tmp_path: Path) -> None:
    hers, his = apart(tmp_path)
    editing.pick(his, "m", "m@bob")
    fetch(hers, str(tmp_path / "bob"))

    editing.rename(hers, "m", "other")
    third = point(his, "m", "third", BY_BOB)
    fetch(his)

    assert names(his) == {"m": {third}, "other": {BY_BOB}}


def test_a_removed_name_is_gone_and_its_node_stays(alone: Repository) -> None:
    editing.remove(alone, "m")

    assert names(alone) == {}
    assert alone.history().nodes.keys() == {FIRST, BY_ALICE}


def test_a_removed_name_can_be_used_anew(alone: Repository) -> None:
    editing.remove(alone, "m")

    new = point(alone, "m", "something else")

    assert names(alone) == {"m": {new}}


def test_to_pick_a_version_is_to_step_back(alone: Repository) -> None:
    assert editing.pick(alone, "m", "m@v1") == FIRST

    assert names(alone) == {"m": {FIRST}}


def test_to_pick_makes_a_name_that_was_not_there(alone: Repository) -> None:
    editing.pick(alone, "release", "m")

    assert names(alone) == {"m": {BY_ALICE}, "release": {BY_ALICE}}


@pytest.mark.parametrize(("side", "node"), [("m@alice", BY_ALICE), ("m@bob", BY_BOB)])
def test_to_pick_a_side_settles_a_conflict_for_everybody(
    tmp_path: Path, side: str, node: object
) -> None:
    hers, his = apart(tmp_path)
    assert titles(his) == {"m": {"m@alice", "m@bob"}}

    editing.pick(his, "m", side)
    fetch(hers, str(tmp_path / "bob"))

    assert names(his) == names(hers) == {"m": {node}}


def test_two_people_who_settle_a_conflict_alike_agree(tmp_path: Path) -> None:
    hers, his = apart(tmp_path)
    fetch(hers, str(tmp_path / "bob"))

    editing.pick(hers, "m", "m@bob")
    editing.pick(his, "m", "m@bob")
    fetch(his)

    assert names(his) == {"m": {BY_BOB}}


def test_two_people_who_settle_a_conflict_otherwise_have_it_still(tmp_path: Path) -> None:
    hers, his = apart(tmp_path)
    fetch(hers, str(tmp_path / "bob"))

    editing.pick(hers, "m", "m@alice")
    editing.pick(his, "m", "m@bob")
    fetch(his)

    assert names(his) == {"m": {BY_ALICE, BY_BOB}}


def test_to_keep_both_sides_is_to_name_each_after_who_holds_it(tmp_path: Path) -> None:
    hers, his = apart(tmp_path)

    new = editing.keep_both(his, "m")
    fetch(hers, str(tmp_path / "bob"))

    assert new == {"m-alice": BY_ALICE, "m-bob": BY_BOB}
    assert names(his) == names(hers) == {name: {node} for name, node in new.items()}


def test_to_keep_both_is_refused_where_a_new_name_is_taken(tmp_path: Path) -> None:
    _, his = apart(tmp_path)
    point(his, "m-alice", "something else")
    before = names(his)

    with pytest.raises(UsageError, match="m-alice"):
        editing.keep_both(his, "m")

    assert names(his) == before


def test_to_remove_a_conflicted_name_removes_every_side(tmp_path: Path) -> None:
    _, his = apart(tmp_path)

    editing.remove(his, "m")

    assert names(his) == {}


def test_a_conflicted_name_cannot_be_renamed(tmp_path: Path) -> None:
    _, his = apart(tmp_path)

    with pytest.raises(ConflictError, match="conflicted name"):
        editing.rename(his, "m", "other")


REFUSED: dict[str, tuple[Callable[[Repository], object], type[MgitError]]] = {
    "rename what is not there": (lambda r: editing.rename(r, "n", "other"), NotFoundError),
    "rename over another": (lambda r: editing.rename(r, "m", "taken"), UsageError),
    "rename to no name": (lambda r: editing.rename(r, "m", "../m"), UsageError),
    "rename an id": (lambda r: editing.rename(r, FIRST.hex(), "other"), NotFoundError),
    "remove what is not there": (lambda r: editing.remove(r, "n"), NotFoundError),
    "remove a version": (lambda r: editing.remove(r, "m@v1"), UsageError),
    "remove an id": (lambda r: editing.remove(r, f"sha256:{FIRST.hex()}"), UsageError),
    "remove what is aside": (lambda r: editing.remove(r, "@bob/m"), UsageError),
    "pick nothing": (lambda r: editing.pick(r, "m", "n"), NotFoundError),
    "pick several": (lambda r: editing.pick(r, "m", "all()"), UsageError),
    "pick for no name": (lambda r: editing.pick(r, "M", "m"), UsageError),
    "keep both of one": (lambda r: editing.keep_both(r, "m"), UsageError),
    "keep both of none": (lambda r: editing.keep_both(r, "n"), UsageError),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused_and_changes_nothing(alone: Repository, case: str) -> None:
    point(alone, "taken", "something else")
    attempt, expected = REFUSED[case]
    before = files(alone.folder / "packs")

    with pytest.raises(expected) as refused:
        attempt(alone)

    assert refused.value.hint
    assert files(alone.folder / "packs") == before


def test_a_name_spelt_nearly_alike_is_suggested(alone: Repository) -> None:
    point(alone, "bert-base", "bert")

    with pytest.raises(NotFoundError) as refused:
        editing.rename(alone, "bert-bse", "other")

    assert refused.value.hint == "did you mean bert-base?"


def test_what_a_maintainer_takes_over_from_a_key_without_a_role_is_verified(
    alone: Repository, tmp_path: Path
) -> None:
    bob = Person("bob", tmp_path).clone(str(alone.folder.parent))
    draft = add(bob, "draft", weights("draft"))
    push(bob)
    before = Provenance(alone.history()).trail(draft)[-1]

    editing.pick(alone, "draft", "@bob/draft")

    after = Provenance(alone.history()).trail(draft)[-1]
    assert (before.is_verified, after.is_verified) == (False, True)
    assert after.adopters == {alone.identity().key.public}
