"""What goes to a remote, what it costs, and what must never be sent.

alice:  base@v1 <- base      legal (fine-tuned from base)      private
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mgit import editing, sync
from mgit.adding import export
from mgit.digest import Digest
from mgit.errors import (
    AbsentError,
    ConflictError,
    MgitError,
    MovedError,
    RemoteError,
    UsageError,
)
from mgit.objects import CHUNK, PackId, Ref
from mgit.remote import PackSource, Remote, connect
from mgit.repair import check
from mgit.repository import Presence, Repository, presence, read_parts
from tests.family import Person, add, apart, files, names, point, titles, trusted, tuned, weights
from tests.store.building import full, write_pack
from tests.sync.wires import Meanwhile, Wire, at_rest, counting, push_via

BASE = weights("base", elements=2000)


@pytest.fixture
def alice(tmp_path: Path) -> Repository:
    repository = Person("alice", tmp_path).init()
    add(repository, "base", BASE)
    add(repository, "legal", tuned(BASE, "legal"), "base")
    return repository


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder


def chunks_at(folder: Path, root: Path) -> set[Digest]:
    packs = at_rest(folder, root).store.catalog.packs.values()
    return {row.ref.digest for index in packs for row in index.rows() if row.ref.kind == CHUNK}


def chunks_of(repository: Repository, *labels: str) -> set[Digest]:
    history = repository.history()
    (nodes,) = zip(*(names(repository)[label] for label in labels), strict=True)
    return {c for n in nodes for c in read_parts(repository, history.nodes[n]).chunks()}


# --- what it costs ---


def test_a_push_writes_two_packs_and_reads_nothing(alice: Repository, stick: Path) -> None:
    remote = counting(stick)

    pushed = push_via(alice, remote)

    assert (remote.listings, remote.reads, remote.writes) == (2, 0, 2)
    assert (pushed.nodes, pushed.packs) == (2, 2)


def test_a_second_push_costs_one_listing(alice: Repository, stick: Path) -> None:
    sync.push(alice, str(stick))
    remote, before = counting(stick), files(stick)

    pushed = push_via(alice, remote)

    assert (remote.listings, remote.reads, remote.writes) == (1, 0, 0)
    assert (pushed.nodes, pushed.objects, pushed.chunks, pushed.sent_bytes) == (0, 0, 0, 0)
    assert files(stick) == before


def test_one_more_model_costs_what_is_new_of_it(alice: Repository, stick: Path) -> None:
    sync.push(alice, str(stick))
    add(alice, "code", tuned(BASE, "code"), "base")
    remote = counting(stick)

    pushed = push_via(alice, remote)

    assert (remote.reads, remote.writes) == (0, 2)
    assert (pushed.nodes, pushed.chunks) == (1, 3)  # the embedding is that of the base
    assert pushed.sent_bytes < 3 * 2000 * 4


def test_after_a_push_its_own_packs_are_not_read_back(alice: Repository, stick: Path) -> None:
    sync.push(alice, str(stick))
    remote = counting(stick)

    sync.receive(alice, sync.Source("stick", str(stick)), remote, lambda _done, _total: None)

    assert (remote.listings, remote.reads) == (1, 0)


def test_a_plan_says_what_would_be_sent_and_sends_nothing(alice: Repository, stick: Path) -> None:
    plan = sync.push(alice, str(stick), is_dry_run=True)
    assert files(stick) == {}

    pushed = sync.push(alice, str(stick))

    assert (plan.is_dry_run, plan.packs) == (True, 0)
    planned = (plan.nodes, plan.objects, plan.chunks, plan.sent_bytes)
    assert planned == (pushed.nodes, pushed.objects, pushed.chunks, pushed.sent_bytes)


# --- what it sends ---


def test_no_weights_are_sent_that_were_not_selected(
    alice: Repository, stick: Path, tmp_path: Path
) -> None:
    sync.push(alice, str(stick), "legal")

    assert chunks_at(stick, tmp_path) == chunks_of(alice, "legal")
    his = Person("bob", tmp_path).clone(str(stick))
    with pytest.raises(AbsentError):
        export(his, "base", tmp_path / "out")
    assert check(his).is_clean


def test_a_difference_from_what_is_not_sent_is_stored_anew_and_exports_the_same(
    alice: Repository, stick: Path, tmp_path: Path
) -> None:
    rows = [row for index in alice.store.catalog.packs.values() for row in index.rows()]
    assert any(row.bases for row in rows)

    sync.push(alice, str(stick), "legal")

    there = at_rest(stick, tmp_path).store.catalog.packs.values()
    assert not any(row.bases for index in there for row in index.rows())
    export(alice, "legal", tmp_path / "hers")
    export(Person("bob", tmp_path).clone(str(stick)), "legal", tmp_path / "his")
    assert files(tmp_path / "his") == files(tmp_path / "hers")


def test_a_difference_from_what_is_there_stays_one(
    alice: Repository, stick: Path, tmp_path: Path
) -> None:
    sync.push(alice, str(stick), "base")

    sync.push(alice, str(stick), "legal")

    there = at_rest(stick, tmp_path).store.catalog.packs.values()
    assert any(row.bases for index in there for row in index.rows())
    assert check(Person("bob", tmp_path).clone(str(stick))).is_clean


def test_what_was_not_selected_at_first_can_follow(
    alice: Repository, stick: Path, tmp_path: Path
) -> None:
    sync.push(alice, str(stick), "legal")
    his = Person("bob", tmp_path).clone(str(stick))

    sync.push(alice, str(stick), "base")
    sync.backfill(his, "base")

    states = {presence(his, node) for node in his.history().nodes.values()}
    assert states == {Presence.COMPLETE}


def test_a_partial_copy_pushes_what_it_has_and_nothing_looks_lost(
    alice: Repository, stick: Path, tmp_path: Path
) -> None:
    his = Person("bob", tmp_path).clone(str(tmp_path / "alice"), weights=False)
    add(his, "draft", tuned(BASE, "draft"), "base")

    sync.push(his)
    sync.push(his, str(stick))

    assert check(alice).is_clean
    assert check(his).is_clean
    carls = Person("carl", tmp_path).clone(str(stick))
    assert check(carls).is_clean
    assert titles(carls) == titles(his)


def test_pushing_into_somebodys_repository_leaves_it_clean(
    alice: Repository, tmp_path: Path
) -> None:
    bob = Person("bob", tmp_path)
    trusted(alice, bob)
    his = bob.clone(str(tmp_path / "alice"))
    add(his, "private", weights("private"))
    add(his, "offer", tuned(weights("private"), "offer"), "private")

    sync.push(his, selector="offer")

    assert titles(alice).keys() == {"base", "legal", "private", "offer"}
    assert check(alice).is_clean
    with pytest.raises(AbsentError, match="whoever sent the bare node did not have it"):
        export(alice, "private", tmp_path / "out")


def test_nothing_of_another_repository_is_sent(
    alice: Repository, stick: Path, tmp_path: Path
) -> None:
    carl = Person("carl", tmp_path).init()
    secret = add(carl, "secret", weights("secret"))
    shutil.copytree(carl.folder / "packs", alice.folder / "packs", dirs_exist_ok=True)
    alice = Repository.open(tmp_path / "alice", alice.home)
    assert secret in alice.history().nodes

    sync.push(alice, str(stick))

    there = at_rest(stick, tmp_path)
    assert secret not in there.history().nodes
    assert there.id == alice.id
    assert not chunks_at(stick, tmp_path) & chunks_of(carl, "secret") - chunks_of(alice, "base")


# --- what it refuses ---


def test_a_place_that_holds_another_repository_is_refused(
    alice: Repository, tmp_path: Path
) -> None:
    carl = Person("carl", tmp_path).init()
    before = files(carl.folder)

    with pytest.raises(UsageError, match="holds another repository"):
        sync.push(alice, str(tmp_path / "carl"))

    assert files(carl.folder) == before


def moved_by_both(root: Path) -> tuple[Repository, Repository]:
    bob = Person("bob", root)
    hers = Person("alice", root).init()
    first = point(hers, "m", "first")
    trusted(hers, bob)
    his = bob.clone(str(root / "alice"))
    point(hers, "m", "by alice", first)
    point(his, "m", "by bob", first)
    return hers, his


REFUSED: dict[str, tuple[Callable[[Path], tuple[Repository, Repository]], type[MgitError]]] = {
    "somebody moved the name": (moved_by_both, MovedError),
    "the conflict is known here": (apart, ConflictError),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_conflict_is_made_only_if_asked_for(tmp_path: Path, case: str) -> None:
    make, expected = REFUSED[case]
    hers, his = make(tmp_path)
    before = files(hers.folder / "packs")

    with pytest.raises(expected, match="conflicted name"):
        sync.push(his)
    assert files(hers.folder / "packs") == before
    sync.push(his, may_conflict=True)

    assert titles(hers) == {"m": {"m@alice", "m@bob"}}
    assert sync.push(his).packs == 0  # it is conflicted there already


def test_a_settled_conflict_goes_through(tmp_path: Path) -> None:
    hers, his = apart(tmp_path)
    editing.keep_both(his, "m")

    sync.push(his)

    assert names(hers) == names(his)
    assert names(hers).keys() == {"m-alice", "m-bob"}


def test_a_new_version_beats_a_removal_and_is_no_conflict(tmp_path: Path) -> None:
    bob = Person("bob", tmp_path)
    hers = Person("alice", tmp_path).init()
    first = point(hers, "m", "first")
    trusted(hers, bob)
    his = bob.clone(str(tmp_path / "alice"))
    editing.remove(hers, "m")
    second = point(his, "m", "second", first)

    sync.push(his)

    assert names(hers) == {"m": {second}}


# --- what breaks ---


def test_two_pushes_that_race_lose_neither_side(tmp_path: Path) -> None:
    hers, his = moved_by_both(tmp_path)
    trusted(hers, Person("carl", tmp_path))
    (tmp_path / "stick").mkdir()
    sync.push(hers, str(tmp_path / "stick"), may_conflict=True)
    editing.pick(hers, "other", "m")
    point(his, "his", "his")

    race: Remote = Meanwhile(
        tmp_path / "stick",
        lambda: sync.push(his, str(tmp_path / "stick"), may_conflict=True),
    )
    push_via(hers, race)

    arrived = at_rest(tmp_path / "stick", tmp_path)
    assert titles(arrived)["m"] == {"m@alice", "m@bob"}
    assert titles(arrived).keys() == {"m", "other", "his"}
    assert check(arrived).is_clean


@pytest.mark.parametrize("calls_left", [0, 1])
def test_a_push_that_breaks_moves_no_name_and_ends_the_next_time(
    alice: Repository, stick: Path, tmp_path: Path, calls_left: int
) -> None:
    with pytest.raises(RemoteError):
        push_via(alice, Wire(connect(str(stick)), calls_left))
    assert not list(stick.glob("packs/*.meta"))
    rest = counting(stick)
    push_via(alice, rest)

    assert rest.writes == 2 - calls_left
    assert names(Person("bob", tmp_path).clone(str(stick))) == names(alice)


def test_a_remote_that_keeps_losing_what_is_sent_is_told(alice: Repository, stick: Path) -> None:
    class Forgetful(Meanwhile):
        def write(self, pack: PackId, source: PackSource) -> None:
            super().write(pack, source)
            (stick / "packs" / source.listing.file_name).unlink()

    with pytest.raises(MovedError, match="loses packs"):
        push_via(alice, Forgetful(stick, lambda: None))


def test_what_a_push_rests_on_is_sent_where_it_is_lost_meanwhile(
    alice: Repository, stick: Path
) -> None:
    sync.push(alice, str(stick))
    add(alice, "again", BASE)
    (collected,) = stick.glob("packs/*.chunks")

    pushed = push_via(alice, Meanwhile(stick, collected.unlink))

    assert pushed.packs == 2
    assert chunks_at(stick, stick.parent) >= chunks_of(alice, "base", "legal", "again")


def test_what_is_lost_meanwhile_and_of_no_use_to_a_push_stops_nothing(
    alice: Repository, stick: Path
) -> None:
    collected = write_pack(stick / "packs", [full("of nobody's kin")])

    assert push_via(alice, Meanwhile(stick, collected.unlink)).packs == 2


def test_a_damaged_chunk_is_not_sent_on(alice: Repository, stick: Path, tmp_path: Path) -> None:
    victim = min(alice.folder.glob("packs/*.chunks"), key=lambda path: path.stat().st_mtime_ns)
    data = bytearray(victim.read_bytes())
    data[3] ^= 1
    victim.write_bytes(data)
    alice = Repository.open(tmp_path / "alice", alice.home)

    with pytest.raises(MgitError):
        sync.push(alice, str(stick))

    assert not list(stick.glob("packs/*.meta"))


def test_what_is_there_already_is_known_by_its_listing(alice: Repository, stick: Path) -> None:
    sync.push(alice, str(stick))
    catalog = sync.meet(alice, "stick", connect(str(stick))).catalog

    assert all(Ref(CHUNK, chunk) in catalog for chunk in chunks_of(alice, "base", "legal"))


def test_what_was_undone_is_not_sent(alice: Repository, tmp_path: Path) -> None:
    add(alice, "secret", weights("secret"))
    editing.undo(alice)
    stick = tmp_path / "stick"
    stick.mkdir()

    sync.push(alice, str(stick))

    bob = Person("bob", tmp_path).clone(str(stick))
    assert "secret" not in bob.history().names.names()
    assert len(bob.history().nodes) == len(alice.history().named_nodes)
