"""What a peer may try, and that it comes to nothing: the table is the specification.

alice: base@v1 <- base, served from her folder        bob: a copy of it, who fetches again
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mgit import sync
from mgit.digest import Digest
from mgit.errors import DamagedError, MgitError, PackMissingError, RemoteError, UsageError
from mgit.objects import (
    LEVEL,
    Move,
)
from mgit.repair import check
from mgit.repository import Repository
from tests.family import Person, add, files, names, tuned, weights
from tests.sync.attacks import (
    IGNORED,
    Endless,
    Gone,
    Lying,
    Planted,
    encode_loosely,
    flipped_chunk,
    flipped_metadata,
    plant,
    publish,
    signed,
)
from tests.sync.wires import fetch_via

BASE = weights("base")
SPOILS_THE_FOLDER = {"an old state", "bases among metadata"}  # so that nothing can be added to it


@pytest.fixture
def alice(tmp_path: Path) -> Repository:
    repository = Person("alice", tmp_path).init()
    add(repository, "base", BASE)
    add(repository, "base", tuned(BASE, "next"))
    return repository


@pytest.fixture
def bob(alice: Repository, tmp_path: Path) -> Repository:
    return Person("bob", tmp_path).clone(str(alice.folder.parent))


@pytest.mark.parametrize("attack", IGNORED)
def test_it_is_ignored_and_the_copy_stays_byte_for_byte(
    alice: Repository, bob: Repository, attack: str
) -> None:
    IGNORED[attack](alice)
    before, meant = files(bob.folder / "packs"), names(bob)

    fetched = sync.fetch(bob)

    assert (fetched.objects, fetched.received_bytes, fetched.moved) == (0, 0, ())
    assert files(bob.folder / "packs") == before
    assert names(bob) == meant
    assert check(bob).is_clean


@pytest.mark.parametrize("attack", [name for name in IGNORED if name not in SPOILS_THE_FOLDER])
def test_what_is_honest_beside_it_still_comes(
    alice: Repository, bob: Repository, tmp_path: Path, attack: str
) -> None:
    IGNORED[attack](alice)
    add(Repository.open(tmp_path / "alice", alice.home), "legal", tuned(BASE, "legal"), "base")

    fetched = sync.fetch(bob)

    assert [change.name for change in fetched.moved] == ["legal"]
    assert check(bob).is_clean


# --- an entry that is truly signed, and yet moves nothing ---

SIGNED_AND_VOID: dict[str, dict[str, object]] = {
    "a lower level than before": {"level": LEVEL - 1},
    "a higher level than is known": {"level": LEVEL + 1},
    "a root document that is not here": {"root": Digest.of(b"root")},
}


@pytest.mark.parametrize("attack", SIGNED_AND_VOID)
def test_an_entry_that_does_not_count_moves_no_name(
    alice: Repository, bob: Repository, attack: str
) -> None:
    publish(alice, *signed(alice, **SIGNED_AND_VOID[attack]))
    meant = names(bob)

    sync.fetch(bob)

    assert names(bob) == meant
    assert check(bob).is_clean


@pytest.mark.parametrize(
    "name", ["../x", "/x", "x\0", "con/..", "X", "a\u202eb", "a//b", "x" * 201]
)
def test_an_entry_with_an_odd_name_is_no_entry(
    alice: Repository, bob: Repository, name: str
) -> None:
    payload, signature = signed(alice, moves=(Move(name, None, ()),))
    planted = (Planted(o.kind, encode_loosely(o)) for o in (payload, signature))
    plant(alice, *planted)
    before = files(bob.folder / "packs")

    sync.fetch(bob)

    assert files(bob.folder / "packs") == before


# --- refused: a named error, and no name moves ---


REFUSED: dict[str, tuple[Callable[[Repository], Lying], type[MgitError], str]] = {
    "a listing without end": (Endless, RemoteError, "origin lists more than 100,000 packs"),
    "packs that are always gone": (Gone, PackMissingError, "no "),
    "a bit flipped in a chunk": (flipped_chunk, DamagedError, "origin: chunk "),
    "a bit flipped in a manifest": (flipped_metadata, DamagedError, "origin: "),
}


@pytest.mark.parametrize("attack", REFUSED)
def test_it_is_refused_and_no_name_moves(alice: Repository, bob: Repository, attack: str) -> None:
    add(alice, "base", weights("anew"))
    make, expected, said = REFUSED[attack]
    remote, meant = make(alice), names(bob)

    with pytest.raises(expected, match=said):
        fetch_via(bob, remote)

    assert names(bob) == meant
    assert check(bob).is_clean


def test_a_push_to_a_listing_without_end_is_refused(alice: Repository) -> None:
    with pytest.raises(RemoteError, match="lists more than"):
        sync.meet(alice, "origin", Endless(alice))


def test_another_repository_at_the_same_place_is_refused(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    shutil.rmtree(alice.folder)
    add(Person("alice", tmp_path).init(), "base", weights("anew"))
    before = files(bob.folder)

    with pytest.raises(UsageError, match="does not hold this repository"):
        sync.fetch(bob)

    assert files(bob.folder) == before
