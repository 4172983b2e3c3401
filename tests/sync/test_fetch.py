"""What comes from a remote, what it costs, and what happens when it breaks.

alice:  base@v1 <- base      legal (fine-tuned from base)        bob: a copy of it
"""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from mgit import editing, sync
from mgit.digest import Digest
from mgit.errors import DamagedError, NotFoundError, PackMissingError, RemoteError, UsageError
from mgit.objects import PackId
from mgit.remote import PackListing, connect
from mgit.repair import check
from mgit.repository import Presence, Reason, Repository, absences, presence
from mgit.selection import Selection
from mgit.sync import pull
from tests.family import Person, add, files, names, point, titles, trusted, tuned, weights
from tests.sync.wires import Wire, counting, fetch_via

BASE = weights("base", elements=2000)


@pytest.fixture
def alice(tmp_path: Path) -> Repository:
    repository = Person("alice", tmp_path).init()
    add(repository, "base", BASE)
    add(repository, "base", tuned(BASE, "next"))
    return repository


@pytest.fixture
def bob(alice: Repository, tmp_path: Path) -> Repository:
    return Person("bob", tmp_path).clone(str(alice.folder.parent))


def complete(repository: Repository) -> set[str]:
    history = repository.history()
    selection = Selection(repository, history)
    return {
        selection.title(digest)
        for digest, node in history.nodes.items()
        if presence(repository, node) is Presence.COMPLETE
    }


# --- what it costs ---


def test_when_nothing_is_new_one_listing_is_all_that_is_asked(bob: Repository) -> None:
    remote = counting(bob.folder.parent.parent / "alice")
    before = files(bob.folder / "packs")

    fetched = fetch_via(bob, remote)

    assert (remote.listings, remote.reads) == (1, 0)
    assert (fetched.nodes, fetched.objects, fetched.received_bytes) == (0, 0, 0)
    assert files(bob.folder / "packs") == before


def test_a_fine_tune_costs_its_stored_chunks_and_a_few_kilobytes(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    packs = alice.store.catalog.packs.keys()
    add(alice, "legal", tuned(BASE, "legal"), "base@v1")
    alice.store.refresh()
    new = [index for pack, index in alice.store.catalog.packs.items() if pack not in packs]
    remote = counting(tmp_path / "alice")

    fetched = fetch_via(bob, remote)

    bodies = sum(index.bodies_bytes for index in new)
    assert fetched.received_bytes == sum(i.bodies_bytes for i in new if i.kind.value == "chunks")
    assert (fetched.nodes, remote.listings) == (1, 1)
    assert remote.reads <= 8
    assert remote.read_bytes <= 2 * bodies + 16_384  # small packs come along with their tails


def test_what_was_fetched_from_one_place_is_not_fetched_from_another(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    add(alice, "legal", tuned(BASE, "legal"), "base")
    shutil.copytree(alice.folder / "packs", tmp_path / "stick" / "packs")
    sync.fetch(bob)
    stick = counting(tmp_path / "stick")

    fetch_via(bob, stick)

    assert (stick.listings, stick.reads) == (1, 0)


# --- what it brings ---


def test_names_follow_from_what_came(alice: Repository, bob: Repository) -> None:
    add(alice, "legal", tuned(BASE, "legal"), "base")
    editing.rename(alice, "base", "bert")

    fetched = pull(bob)

    assert [change.name for change in fetched.moved] == ["base", "bert", "legal"]
    assert (fetched.remote, fetched.nodes, fetched.conflicts) == ("origin", 1, ())
    assert titles(bob) == titles(alice) == {"bert": {"bert"}, "legal": {"legal"}}
    assert pull(bob).moved == ()


def test_a_conflict_is_reported_and_nothing_is_lost(tmp_path: Path, alice: Repository) -> None:
    bob = Person("bob", tmp_path)
    trusted(alice, bob)
    his = bob.clone(str(tmp_path / "alice"))
    (before,) = names(his)["base"]
    hers, mine = point(alice, "base", "hers", before), point(his, "base", "mine", before)

    fetched = sync.fetch(his)

    assert fetched.conflicts == ("base",)
    assert names(his)["base"] == {hers, mine}


def test_a_selection_that_is_asked_for_brings_that_and_the_next_one_what_is_usual(
    alice: Repository, tmp_path: Path
) -> None:
    his = Person("bob", tmp_path).clone(str(alice.folder.parent), select="base@v1")
    assert complete(his) == {"base@v1"}

    sync.fetch(his, selector="base")
    assert complete(his) == {"base@v1", "base"}
    add(alice, "legal", tuned(BASE, "legal"), "base")
    sync.fetch(his)

    assert complete(his) == {"base@v1", "base"}
    assert {absence.reason for absence in absences(his).values()} == {Reason.FILTERED}


def test_what_a_remote_has_only_the_node_of_is_withheld(alice: Repository, tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    sync.push(alice, str(tmp_path / "stick"), "base")

    his = Person("bob", tmp_path).clone(str(tmp_path / "stick"))

    assert [absence.reason for absence in absences(his).values()] == [Reason.WITHHELD]
    assert check(his).is_clean


def test_the_names_of_a_remote_are_remembered(alice: Repository, bob: Repository) -> None:
    node = add(alice, "legal", tuned(BASE, "legal"), "base")
    sync.fetch(bob)
    editing.remove(alice, "legal")

    selection = Selection(bob, bob.history())

    assert selection.names("origin")["legal"] == {node}


def test_a_remote_is_named_or_is_a_path_and_else_unknown(bob: Repository, tmp_path: Path) -> None:
    sync.add_remote(bob, "alice", str(tmp_path / "alice"))

    assert sync.fetch(bob, "alice").remote == "alice"
    assert sync.fetch(bob, str(tmp_path / "alice")).remote == str(tmp_path / "alice")
    with pytest.raises(NotFoundError, match="'carl'"):
        sync.fetch(bob, "carl")


# --- what breaks ---


def test_another_repository_is_refused_and_nothing_of_it_comes(
    alice: Repository, tmp_path: Path
) -> None:
    carl = Person("carl", tmp_path).init()
    add(carl, "base", weights("carl"))
    before = files(alice.folder / "packs"), files(carl.folder / "packs")

    with pytest.raises(UsageError, match="does not hold this repository"):
        sync.fetch(alice, str(tmp_path / "carl"))

    assert (files(alice.folder / "packs"), files(carl.folder / "packs")) == before


def test_another_repository_beside_this_one_does_not_come(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    carl = Person("carl", tmp_path).init()
    add(carl, "base", weights("carl"))
    shutil.copytree(carl.folder / "packs", alice.folder / "packs", dirs_exist_ok=True)
    before = names(bob), bob.history().payloads.keys()

    fetched = sync.fetch(bob)

    assert (fetched.objects, fetched.received_bytes) == (0, 0)
    assert (names(bob), bob.history().payloads.keys()) == before


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(data)


def test_no_name_moves_until_all_it_needs_came_whole(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    before = set((alice.folder / "packs").glob("*.chunks"))
    add(alice, "base", weights("anew"))
    shutil.copytree(alice.folder / "packs", tmp_path / "stick" / "packs")
    (new,) = set((alice.folder / "packs").glob("*.chunks")) - before
    spoil(new)
    meant = names(bob)

    with pytest.raises(DamagedError, match="1 objects arrived damaged; first origin: chunk") as why:
        sync.fetch(bob)
    assert names(bob) == meant
    assert "another remote" in why.value.hint
    rest = counting(tmp_path / "stick")
    fetch_via(bob, rest)

    assert names(bob) == names(alice)
    assert check(bob).is_clean


def test_a_pack_that_is_not_complete_yet_is_told_and_does_no_harm(
    alice: Repository, bob: Repository
) -> None:
    add(alice, "legal", tuned(BASE, "legal"), "base")
    half = b"half a pack" * 100
    (alice.folder / "packs" / f"{'0' * 64}.meta").write_bytes(half)

    fetched = sync.fetch(bob)

    assert list(fetched.unready) == [f"{'0' * 64}.meta"]
    assert "not complete" in fetched.unready[f"{'0' * 64}.meta"]
    assert names(bob) == names(alice)


def test_a_pack_of_the_other_kind_under_the_same_id_changes_nothing(
    alice: Repository, bob: Repository
) -> None:
    add(alice, "legal", tuned(BASE, "legal"), "base")
    for meta in list((alice.folder / "packs").glob("*.meta")):
        shutil.copy(meta, meta.with_suffix(".chunks"))

    fetched = sync.fetch(bob)

    assert fetched.nodes == 1
    assert {Path(name).suffix for name in fetched.unready} == {".chunks"}
    assert names(bob) == names(alice)
    assert check(bob).is_clean


class Vanishing:
    """A remote that lists a pack which is gone by the time it is read, so many times."""

    def __init__(self, folder: Path, times: int) -> None:
        self._remote, self._times = connect(str(folder)), times
        self.listings = 0

    def packs(self) -> Iterable[PackListing]:
        self.listings += 1
        found = list(self._remote.packs())
        gone = replace(found[0], pack=PackId(Digest.of(b"gone")))
        return [*found, gone] if self.listings <= self._times else found

    def read(self, pack: PackId, start: int, stop: int) -> bytes:
        return self._remote.read(pack, start, stop)

    def write(self, pack: PackId, source: object) -> None:
        raise AssertionError(pack, source)


def test_a_pack_that_vanished_makes_it_list_once_more(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    add(alice, "legal", tuned(BASE, "legal"), "base")
    remote = Vanishing(tmp_path / "alice", times=1)

    fetch_via(bob, remote)

    assert remote.listings == 2
    assert names(bob) == names(alice)


def test_a_remote_that_loses_packs_all_the_time_is_not_asked_for_ever(
    bob: Repository, tmp_path: Path
) -> None:
    remote = Vanishing(tmp_path / "alice", times=99)

    with pytest.raises(PackMissingError):
        fetch_via(bob, remote)

    assert remote.listings == 2


@pytest.mark.parametrize("calls_left", [1, 2, 4])
def test_a_fetch_that_breaks_again_and_again_ends_and_reads_nothing_twice(
    alice: Repository, bob: Repository, tmp_path: Path, calls_left: int
) -> None:
    for word in ("x", "y"):
        add(alice, word, weights(word, elements=2000))
    uncut, seen = Wire(connect(str(tmp_path / "alice"))), []
    fetch_via(Person("carl", tmp_path).clone(str(tmp_path / "alice")), uncut)
    meant = names(bob)

    for _ in range(100):
        wire = Wire(connect(str(tmp_path / "alice")), calls_left)
        try:
            fetch_via(bob, wire)
            break
        except RemoteError:
            assert names(bob) == meant
        finally:
            seen += wire.reads

    assert len(seen) == len(set(seen))
    assert names(bob) == names(alice)
    assert check(bob).is_clean


def test_a_key_pressed_in_the_middle_keeps_what_came(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    add(alice, "legal", weights("legal", elements=2000))
    wire = Wire(connect(str(tmp_path / "alice")))
    wire.before_read = interrupting_after(wire, reads=5)

    with pytest.raises(KeyboardInterrupt):
        fetch_via(bob, wire)
    rest = Wire(connect(str(tmp_path / "alice")))
    fetch_via(bob, rest)

    assert not set(wire.reads) & set(rest.reads)
    assert names(bob) == names(alice)


def interrupting_after(wire: Wire, *, reads: int) -> Callable[[PackId], None]:
    def interrupt(_pack: PackId) -> None:
        if len(wire.reads) == reads:
            raise KeyboardInterrupt

    return interrupt
