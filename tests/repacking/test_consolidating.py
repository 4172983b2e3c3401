"""Many small metadata packs also as one: what a fresh copy reads, and what it does not believe."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from mgit import canonical, editing, sync
from mgit.digest import Digest
from mgit.objects import PackId, PackKind, Ref
from mgit.remote import Counting, connect
from mgit.repacking import collect
from mgit.repository import FOLDER, Repository
from mgit.store import PackIndex, Store, crowd, derived, write_together
from mgit.store.consolidating import MOST_SMALL
from mgit.store.format import Row, build_index
from tests.checkpoints import home_of
from tests.repacking.family import Family

Indexes = Mapping[PackId, PackIndex]


def metadata(store: Store) -> dict[PackId, PackIndex]:
    store.refresh()
    packs = store.catalog.packs
    return {pack: index for pack, index in packs.items() if index.kind is PackKind.META}


def refs(indexes: Indexes) -> set[Ref]:
    return {row.ref for index in indexes.values() for row in index.rows()}


@pytest.fixture
def crowded(family: Family) -> Family:
    """The family after so many notes that there is one pack too many."""
    store = family.repository.store
    for number in range(MOST_SMALL + 1 - len(metadata(store))):
        editing.note(family.repository, "base", f"note {number}")
    return family


def always(_pack: PackId) -> bool:
    return True


def joint(store: Store) -> PackIndex:
    """The pack that stands for others."""
    (found,) = (i for i in metadata(store).values() if list(derived(i, always)))
    return found


def test_a_pack_is_added_that_stands_for_many_small_ones(crowded: Family) -> None:
    store = crowded.repository.store

    replaced = {index.pack: index for index in derived(joint(store), always)}

    assert len(replaced) > MOST_SMALL
    for pack, index in replaced.items():
        assert index.to_bytes() == store.catalog.packs[pack].to_bytes()
    assert refs(replaced) == refs({joint(store).pack: joint(store)})
    assert crowd(metadata(store)) == []


def test_the_next_step_adds_no_other(crowded: Family) -> None:
    before = len(metadata(crowded.repository.store))

    editing.note(crowded.repository, "base", "one more")

    assert len(metadata(crowded.repository.store)) == before + 1


def test_a_fresh_copy_needs_few_reads(crowded: Family, tmp_path: Path) -> None:
    repository = crowded.repository
    home = home_of("bob", tmp_path)
    counting = Counting(connect(str(repository.folder.parent)))
    copy = sync.clone(str(repository.folder.parent), tmp_path / "bob", home).repository

    nobody = Repository.at(tmp_path / "nothing" / FOLDER, home_of("carol", tmp_path))
    peer = sync.meet(nobody, "alice", counting)

    assert len(peer.catalog.packs) == len(repository.store.catalog.packs)
    others = len(peer.catalog.packs) - len(list(derived(joint(repository.store), always)))
    assert counting.reads <= others + 1
    assert copy.history().objects.keys() == crowded.repository.history().objects.keys()


def test_a_collection_removes_those_that_it_stands_for(crowded: Family) -> None:
    before = crowded.repository.history()
    store = crowded.repository.store

    collect(crowded.repository, grace=timedelta())

    left = metadata(store)
    assert joint(store).pack in left
    assert len(left) < 4
    assert crowded.repository.history().objects.keys() == before.objects.keys()
    assert crowded.is_sound()


# --- what is not believed ---


def summary_of(claims: object) -> PackIndex:
    rows = [Row(Ref("x", Digest.of(b"x")), 0, (), 0, 1, 1, bytes(16))]
    data = build_index(PackKind.META, rows, {"replaces": claims})  # type: ignore[dict-item]
    return PackIndex(PackId(Digest.of(data)), data)


NOTE = canonical.encode({})


@pytest.mark.parametrize(
    "claims",
    [
        (),
        "all of them",
        ((Digest.of(b"other"), (0,), NOTE),),
        ((b"short", (0,), NOTE),),
        ((Digest.of(b"other"), (1,), NOTE),),
        ((Digest.of(b"other"), (-1,), NOTE),),
        ((Digest.of(b"other"), (True,), NOTE),),
        ((Digest.of(b"other"), (0,), b"\xc1"),),
        ((Digest.of(b"other"), (0, 0), NOTE),),
        ((Digest.of(b"other"), (0,)),),
        ((Digest.of(b"other"), (0,) * (1 << 20) + (0,), NOTE),),
    ],
)
def test_what_does_not_follow_from_the_rows_is_not_believed(claims: object) -> None:
    assert list(derived(summary_of(claims), always)) == []


def test_a_true_claim_is_believed_and_one_beside_it_is_not() -> None:
    alone = PackIndex(*_with_id(build_index(PackKind.META, list(summary_of(()).rows()), {})))

    claims = ((Digest.of(b"other"), (0,), NOTE), (alone.pack, (0,), NOTE))

    assert [index.pack for index in derived(summary_of(claims), always)] == [alone.pack]


def _with_id(data: bytes) -> tuple[PackId, bytes]:
    return PackId(Digest.of(data)), data


def test_packs_of_any_content_can_be_written_together(crowded: Family) -> None:
    store = crowded.repository.store
    small = [i for i in metadata(store).values() if i.pack != joint(store).pack]

    with store.writer(PackKind.META) as writer:
        made = write_together(small, store.reader.stored, writer)
        found = {index.pack for index in derived(made[0].index, always)}
        made[0].remove()

    assert found == {index.pack for index in small}
