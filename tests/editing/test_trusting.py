"""Who may move names: keys get roles, lose them, and what they wrote then.

m@v1 (alice, root) <- m (bob, maintainer)
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from mgit import editing
from mgit.errors import MgitError, NotFoundError, TrustError, UsageError
from mgit.objects import Role
from mgit.repository import Repository
from mgit.signing import fingerprint, key_text
from mgit.sync import fetch, push
from tests.family import Person, names, point, trusted

STRANGER = "ed25519:" + "11" * 32


@pytest.fixture
def alice(tmp_path: Path) -> Repository:
    repository = Person("alice", tmp_path).init()
    point(repository, "m", "v1")
    return repository


@pytest.fixture
def bob(alice: Repository, tmp_path: Path) -> Repository:
    """Bob's copy, made when he was a maintainer already."""
    trusted(alice, Person("bob", tmp_path))
    return Person("bob", tmp_path).clone(str(alice.folder.parent))


def labels(repository: Repository) -> dict[str, set[Role]]:
    return {member.label: set(member.roles) for member in editing.members(repository)}


def test_who_makes_a_repository_has_every_role(alice: Repository) -> None:
    assert labels(alice) == {"alice": {Role.ROOT, Role.MAINTAINER}}


def test_a_maintainer_moves_names_for_everybody(alice: Repository, bob: Repository) -> None:
    made = point(bob, "m", "v2", *names(bob)["m"])

    push(bob)

    assert names(alice) == {"m": {made}}
    assert labels(alice)["bob"] == {Role.MAINTAINER}


def test_a_role_is_added_to_those_that_a_key_has(alice: Repository, tmp_path: Path) -> None:
    trusted(alice, Person("bob", tmp_path))

    editing.trust_add(alice, "bob", role_names=["root"])

    assert labels(alice)["bob"] == {Role.ROOT, Role.MAINTAINER}


def test_a_key_is_found_by_its_label_its_fingerprint_or_itself(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    key = Person("bob", tmp_path).key

    found = [
        editing.trust_add(alice, text, role_names=["maintainer"]).key
        for text in ("bob", "@bob", fingerprint(key)[:8], key_text(key))
    ]

    assert found == [key] * 4
    assert labels(alice)["bob"] == labels(bob)["bob"]


def test_a_maintainer_of_some_names_moves_those_and_no_others(
    alice: Repository, tmp_path: Path
) -> None:
    bob = Person("bob", tmp_path)
    editing.trust_add(
        alice, key_text(bob.key), role_names=["maintainer"], label="bob", names=["legal/*"]
    )
    his = bob.clone(str(alice.folder.parent))

    mine = point(his, "legal/contracts", "contracts")
    editing.pick(his, "legal/newest", "legal/contracts")
    with pytest.raises(TrustError, match="may not move 'm'"):
        editing.pick(his, "m", mine.hex())
    push(his)

    assert names(alice).keys() == {"m", "legal/contracts", "legal/newest"}


STEPS_OF_A_MAINTAINER: dict[str, Callable[[Repository], object]] = {
    "rename": lambda r: editing.rename(r, "m", "other"),
    "remove": lambda r: editing.remove(r, "m"),
    "pick": lambda r: editing.pick(r, "m", "m"),
}


@pytest.mark.parametrize("step", STEPS_OF_A_MAINTAINER)
def test_without_the_role_nothing_is_written_that_would_not_count(
    alice: Repository, tmp_path: Path, step: str
) -> None:
    his = Person("bob", tmp_path).clone(str(alice.folder.parent))
    before = his.history().payloads.keys()

    with pytest.raises(TrustError, match="your key 'bob' may not move"):
        STEPS_OF_A_MAINTAINER[step](his)

    assert his.history().payloads.keys() == before


# --- removed ---


def test_what_a_removed_key_wrote_stays_and_what_it_writes_is_void(
    alice: Repository, bob: Repository
) -> None:
    second = point(bob, "m", "v2", *names(bob)["m"])
    push(bob)

    editing.trust_remove(alice, "bob")
    point(bob, "m", "v3", second)  # he has not heard of it yet
    push(bob)
    fetch(bob)

    assert labels(alice) == {"alice": {Role.ROOT, Role.MAINTAINER}}
    assert names(alice) == names(bob) == {"m": {second}}
    assert alice.history().names.aside() == {}


def test_a_key_that_is_let_in_again_goes_on_from_there(alice: Repository, bob: Repository) -> None:
    second = point(bob, "m", "v2", *names(bob)["m"])
    push(bob)
    editing.trust_remove(alice, "bob")
    third = point(bob, "m", "v3", second)
    push(bob)

    editing.trust_add(alice, "bob", role_names=["maintainer"])
    fetch(bob)
    assert names(bob) == {"m": {second}}
    fourth = point(bob, "m", "v4", third)
    push(bob)

    assert names(alice) == {"m": {fourth}}


def test_what_was_replaced_by_a_removed_key_stays_replaced(
    alice: Repository, bob: Repository
) -> None:
    editing.remove(bob, "m")
    push(bob)

    editing.trust_remove(alice, "bob")

    assert names(alice) == {}


def test_two_root_keys_that_add_somebody_at_once_add_both(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    editing.trust_add(alice, "bob", role_names=["root"])
    fetch(bob)
    carl, dora = Person("carl", tmp_path), Person("dora", tmp_path)

    trusted(alice, carl)
    trusted(bob, dora)
    push(bob)
    editing.trust_add(alice, STRANGER, role_names=["maintainer"], label="erin")

    assert labels(alice).keys() == {"alice", "bob", "carl", "dora", "erin"}
    assert len(alice.history().names.root_heads) == 1
    made = point(dora.clone(str(alice.folder.parent)), "m", "v2", *names(alice)["m"])
    fetch(alice, str(tmp_path / "dora"))
    assert names(alice) == {"m": {made}}


def test_a_removal_beside_an_addition_stays_a_removal(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    trusted(alice, Person("carl", tmp_path))
    editing.trust_add(alice, "bob", role_names=["root"])
    fetch(bob)

    editing.trust_remove(alice, "carl")
    trusted(bob, Person("dora", tmp_path))
    push(bob)

    assert labels(alice).keys() == {"alice", "bob", "dora"}


REFUSED: dict[str, tuple[tuple[str, list[str], str], type[MgitError]]] = {
    "no such role": ((STRANGER, ["king"], "k"), UsageError),
    "no label": ((STRANGER, ["maintainer"], ""), UsageError),
    "a label that is a version": ((STRANGER, ["maintainer"], "v2"), UsageError),
    "a label that is taken": ((STRANGER, ["maintainer"], "alice"), UsageError),
    "nobody of that name": (("nobody", ["maintainer"], ""), NotFoundError),
    "half a key": (("ed25519:1234", ["maintainer"], "k"), UsageError),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_role_that_cannot_be_given_is_refused(alice: Repository, case: str) -> None:
    (key, role_names, label), expected = REFUSED[case]
    before = alice.history().ledger.roots

    with pytest.raises(expected):
        editing.trust_add(alice, key, role_names=role_names, label=label)

    assert alice.history().ledger.roots == before


def test_only_a_root_key_changes_roles(bob: Repository) -> None:
    with pytest.raises(TrustError, match="your key 'bob' may not change roles"):
        editing.trust_add(bob, "bob", role_names=["root"])
    with pytest.raises(TrustError):
        editing.trust_remove(bob, "alice")


def test_the_last_root_key_cannot_be_removed(alice: Repository, bob: Repository) -> None:
    with pytest.raises(TrustError, match="last key"):
        editing.trust_remove(alice, "alice")

    assert labels(alice).keys() == labels(bob).keys() == {"alice", "bob"}


def test_a_key_without_a_role_cannot_be_removed(alice: Repository) -> None:
    with pytest.raises(NotFoundError, match="has no role"):
        editing.trust_remove(alice, STRANGER)
