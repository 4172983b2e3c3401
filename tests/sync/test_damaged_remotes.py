"""What arrives damaged is taken from another pack of the same remote, or from another remote.

alice:  base@v1 <- base          bob: a copy of base@v1, to which base comes
stick:  a folder with the packs of alice
"""

import shutil
import sys
from pathlib import Path

import pytest

from mgit import sync
from mgit.digest import Digest
from mgit.errors import DamagedError, UnknownCodecError
from mgit.objects import CHUNK, Node, PackKind, Ref
from mgit.remote import connect
from mgit.repacking import repack
from mgit.repair import check, mend
from mgit.repository import Presence, Repository, presence, read_parts
from mgit.store import Catalog, Place
from tests.checkpoints import spoil
from tests.family import Person, add, names, tuned, weights
from tests.sync.wires import Wire, fetch_via

BASE = weights("base", elements=500)


@pytest.fixture
def alice(tmp_path: Path) -> Repository:
    repository = Person("alice", tmp_path).init()
    add(repository, "base", BASE)
    return repository


@pytest.fixture
def bob(alice: Repository, tmp_path: Path) -> Repository:
    """His copy, made before there was a second version; it knows the stick too."""
    cloned = Person("bob", tmp_path).clone(str(alice.folder.parent))
    add(alice, "base", tuned(BASE, "next"))
    shutil.copytree(alice.folder / "packs", tmp_path / "stick" / "packs")
    return cloned


def fresh(repository: Repository) -> Repository:
    return Repository.at(repository.folder, repository.home)


def newest(alice: Repository) -> tuple[Digest, Node]:
    history = alice.history()
    (digest,) = history.names.resolve("base")
    return digest, history.nodes[digest]


def own_chunks(alice: Repository) -> list[Digest]:
    """The chunks of the second version that the first one has not."""
    first, second = sorted(alice.history().nodes.values(), key=lambda node: bool(node.edges))
    before = set(read_parts(alice, first).chunks())
    return [chunk for chunk in read_parts(alice, second).chunks() if chunk not in before]


def spoil_at(repository: Repository, ref: Ref) -> None:
    again = fresh(repository)
    spoil(again, again.store.catalog.places(ref)[0])


def spoil_row(repository: Repository, place: Place) -> None:
    repository.store.refresh()
    spoil(repository, place)


def store_again(repository: Repository, *refs: Ref) -> list[Place]:
    """Adds a second pack that holds these objects too; returns the rows that are read first."""
    store = fresh(repository).store
    kind = PackKind.CHUNKS if refs[0].kind == CHUNK else PackKind.META
    with store.writer(kind) as writer:
        for ref in refs:
            is_chunk = ref.kind == CHUNK
            raw = store.reader.chunk(ref.digest) if is_chunk else store.reader.object(ref)
            writer.add(ref, raw, raw_bytes=len(raw))
        store.install(writer.finish())
    return [_read_first(store.catalog, ref) for ref in refs]


def _read_first(catalog: Catalog, ref: Ref) -> Place:
    """The row that a fetch takes: the cheapest, of metadata that of the largest pack."""
    if ref.kind == CHUNK:
        return catalog.choices(ref.digest)[0]
    return max(catalog.places(ref), key=lambda place: catalog.packs[place.pack].size_bytes)


def require_whole(bob: Repository, alice: Repository) -> None:
    again = fresh(bob)
    assert names(again) == names(alice)
    assert presence(again, newest(alice)[1]) is Presence.COMPLETE
    assert check(again).is_clean


def described(alice: Repository, kind: str) -> Ref:
    """The part of the second version of a kind."""
    manifest = newest(alice)[1].manifest
    parts = read_parts(alice, newest(alice)[1])
    digests = {
        "manifest": manifest,
        "content": parts.manifest.content,
        "layout": parts.manifest.layout,
        "weights": parts.content.weights,
    }
    return Ref(kind, digests[kind])


def test_a_chunk_that_is_damaged_in_one_pack_comes_out_of_another(
    alice: Repository, bob: Repository
) -> None:
    for place in store_again(alice, *(Ref(CHUNK, chunk) for chunk in own_chunks(alice))):
        spoil_row(alice, place)

    fetched = sync.fetch(bob)

    assert len(fetched.damaged) == len(own_chunks(alice))
    require_whole(bob, alice)


@pytest.mark.parametrize("kind", ["manifest", "content", "weights"])
def test_a_description_that_is_damaged_in_one_pack_comes_out_of_another(
    alice: Repository, bob: Repository, kind: str
) -> None:
    ref = described(alice, kind)
    (first,) = store_again(alice, ref)
    spoil_row(alice, first)

    fetched = sync.fetch(bob)

    assert len(fetched.damaged) == 1
    require_whole(bob, alice)


def test_an_entry_that_is_damaged_in_one_pack_comes_out_of_another(
    alice: Repository, bob: Repository
) -> None:
    catalog = fresh(alice).store.catalog
    signed = catalog.of_kinds({"payload", "signature"}, catalog.packs)
    refs = {place.row.ref for place in signed}
    for place in store_again(alice, *sorted(refs)):
        spoil_row(alice, place)

    sync.fetch(bob)

    require_whole(bob, alice)


def test_a_chunk_that_is_damaged_at_a_remote_comes_from_another_one(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    sync.add_remote(bob, "stick", str(tmp_path / "stick"))
    for chunk in own_chunks(alice):
        spoil_at(alice, Ref(CHUNK, chunk))

    fetched = sync.fetch(bob, "origin")

    assert all(text.startswith("origin: chunk") for text in fetched.damaged)
    require_whole(bob, alice)


@pytest.mark.parametrize("kind", ["manifest", "content", "weights"])
def test_a_description_that_is_damaged_at_a_remote_comes_from_another_one(
    alice: Repository, bob: Repository, tmp_path: Path, kind: str
) -> None:
    sync.add_remote(bob, "stick", str(tmp_path / "stick"))
    spoil_at(alice, described(alice, kind))

    sync.fetch(bob, "origin")

    require_whole(bob, alice)


def test_a_remote_that_cannot_be_reached_hides_nobodys_damage(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    sync.add_remote(bob, "stick", str(tmp_path / "stick"))
    shutil.rmtree(tmp_path / "stick")
    meant = names(bob)
    spoil_at(alice, Ref(CHUNK, own_chunks(alice)[0]))

    with pytest.raises(DamagedError, match="1 objects arrived damaged; first origin: chunk"):
        sync.fetch(bob, "origin")

    assert names(bob) == meant


def test_others_are_asked_for_nothing_but_what_is_damaged(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    sync.add_remote(bob, "stick", str(tmp_path / "stick"))
    shutil.rmtree(tmp_path / "stick")  # so asking it would fail

    sync.fetch(bob, "origin")

    require_whole(bob, alice)


def test_weights_that_two_remotes_hold_in_part_are_backfilled_from_both(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    carol = Person("carol", tmp_path).clone(str(alice.folder.parent), weights=False)
    sync.add_remote(carol, "stick", str(tmp_path / "stick"))
    stick = Repository.at(tmp_path / "stick", bob.home)
    chunks = sorted(set(read_parts(alice, newest(alice)[1]).chunks()))
    for number, chunk in enumerate(chunks):
        spoil_at((alice, stick)[number % 2], Ref(CHUNK, chunk))

    sync.backfill(carol, "base")

    require_whole(carol, alice)


def test_a_base_here_that_turns_out_to_be_damaged_is_fetched_again(
    alice: Repository, bob: Repository
) -> None:
    before = {row.ref.digest for index in bob.store.catalog.packs.values() for row in index.rows()}
    bases = {
        base
        for chunk in own_chunks(alice)
        for place in alice.store.catalog.choices(chunk)
        for base in place.row.bases
    }
    for base in bases & before:
        spoil_at(bob, Ref(CHUNK, base))

    sync.fetch(fresh(bob))

    assert bases & before
    assert presence(fresh(bob), newest(alice)[1]) is Presence.COMPLETE
    assert names(fresh(bob)) == names(alice)


# --- what cannot be decoded here ---


@pytest.fixture
def coded(alice: Repository, tmp_path: Path) -> Path:
    """A repository whose weights need the entropy coder."""
    alice.write_settings({**alice.settings(), "entropy-coder": "openzl"})
    add(alice, "coded", weights("coded", elements=40_000))
    return tmp_path / "alice"


def uninstall(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("openzl", "openzl.ext"):
        monkeypatch.setitem(sys.modules, module, None)


def test_weights_that_cannot_be_decoded_here_are_told_and_can_follow(
    coded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person("carl", tmp_path)

    uninstall(monkeypatch)
    with pytest.raises(UnknownCodecError, match="not installed") as told:
        person.clone(str(coded))
    copy = Repository.open(tmp_path / "carl", person.home)
    with pytest.raises(UnknownCodecError):
        sync.backfill(copy, "coded")

    assert "pip install" in told.value.hint
    assert names(copy).keys() == {"base", "coded"}
    assert check(copy).is_clean
    monkeypatch.undo()
    assert sync.backfill(copy, "coded").nodes == 1


def test_weights_that_cannot_be_decoded_here_are_not_asked_for(
    coded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Person("carl", tmp_path).clone(str(coded), weights=False)
    wires = [Wire(connect(str(coded))), Wire(connect(str(coded)))]

    uninstall(monkeypatch)
    for wire in wires:
        with pytest.raises(UnknownCodecError, match="not installed"):
            fetch_via(copy, wire)

    assert presence(copy, node_called(copy, "base")) is Presence.COMPLETE
    assert len({pack for pack, _, _ in wires[0].reads}) == 1
    assert wires[1].reads == []


def test_of_two_rows_that_is_taken_which_can_be_decoded_here(
    coded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = Repository.open(coded, Person("alice", tmp_path).home)
    alice.write_settings({k: v for k, v in alice.settings().items() if k != "entropy-coder"})
    repack(alice)

    uninstall(monkeypatch)
    copy = Person("carl", tmp_path).clone(str(coded))

    assert presence(copy, node_called(copy, "coded")) is Presence.COMPLETE


def node_called(repository: Repository, name: str) -> Node:
    (node,) = names(repository)[name]
    return repository.history().nodes[node]


def test_a_repair_tells_what_it_cannot_decode(
    coded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Person("carl", tmp_path).clone(str(coded))
    for path in copy.folder.glob("packs/*.chunks"):
        path.unlink()

    uninstall(monkeypatch)
    assert "openzl" in mend(fresh(copy)).failures["origin"]
    monkeypatch.undo()
    assert mend(fresh(copy)).report.is_clean
