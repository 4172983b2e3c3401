"""Laws of collecting: whatever lies in packs, what is kept is read as before, and no deeper."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgit.digest import Digest
from mgit.errors import MgitError
from mgit.objects import CHUNK, PackId, Ref
from mgit.repacking import Kept, install_and_condemn, plan_for, removable, write_replacements
from mgit.repacking.plan import Plan, without
from mgit.store import Catalog, PackIndex, Store
from tests.store.building import (
    Made,
    delta,
    full,
    id_of,
    index_of,
    raw_of,
    store_at,
    write_pack,
)

WORDS = "ABCDEF"
Packs = list[dict[str, str]]  # word -> what it is stored as a difference from; itself: nothing


def packs() -> st.SearchStrategy[Packs]:
    word = st.sampled_from(WORDS)
    return st.lists(st.dictionaries(word, word, min_size=1), min_size=1, max_size=6)


def made(pack: dict[str, str]) -> list[Made]:
    return [full(w) if w == base else delta(w, base) for w, base in pack.items()]


def kept(words: set[str]) -> Kept:
    return Kept(frozenset(), frozenset(), frozenset(id_of(word) for word in words))


def ages(store: Store) -> dict[PackId, float]:
    return dict.fromkeys(store.catalog.packs, 0.0)


def planned(store: Store, words: set[str]) -> Plan:
    return plan_for(store.catalog, kept(words), ages(store))


def collect(store: Store, words: set[str]) -> Plan:
    """Both phases, without a pause between them."""
    plan = planned(store, words)
    written = write_replacements(store, plan.copied)
    install_and_condemn(store, written, plan.condemned, kept(words))
    store.condemned.forget(plan.pardoned)
    doomed = frozenset(store.condemned.since()) & store.catalog.packs.keys()
    store.remove(removable(store.catalog, frozenset(map(PackId, doomed)), kept(words)))
    return plan


def readable(store: Store) -> dict[Digest, bytes]:
    """Everything that can be read, verified."""
    found = {}
    for word in WORDS:
        try:
            found[id_of(word)] = store.reader.chunk(id_of(word))
        except MgitError:
            continue
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@settings(deadline=None)
@given(
    stored=packs(),
    words=st.sets(st.sampled_from(WORDS)),
    condemned=st.sets(st.integers(0, 5)),
    spoilt=st.sets(st.tuples(st.integers(0, 5), st.sampled_from(WORDS)), max_size=2),
)
def test_what_is_kept_is_read_as_before_and_no_deeper(
    stored: Packs, words: set[str], condemned: set[int], spoilt: set[tuple[int, str]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        store = written(Path(name), stored, spoilt)
        store.condemned.add(p for n, p in enumerate(sorted(store.catalog.packs)) if n in condemned)
        wanted = kept(words).chunks
        before = {chunk: raw for chunk, raw in readable(store).items() if chunk in wanted}
        store.refresh()
        lasting = without(store.catalog, store.catalog.condemned)
        costs = {chunk: cost for chunk in before if (cost := lasting.cost(chunk))}

        collect(store, words)

        fresh = store_at(Path(name))
        found = readable(fresh)
        assert before.items() <= found.items()
        for chunk, cost in costs.items():
            now = fresh.catalog.cost(chunk)
            assert now is not None
            assert now <= cost
        collect(fresh, words)  # a pardon may have made another pack superfluous
        again = planned(store_at(Path(name)), words)
        assert (again.copied, again.condemned) == ((), frozenset())
        assert before.items() <= readable(store_at(Path(name))).items()


def written(folder: Path, stored: Packs, spoilt: set[tuple[int, str]]) -> Store:
    """A store with these packs; in some of them the bodies of some words are damaged, and known."""
    for number, pack in enumerate(stored):
        path = write_pack(folder / "packs", made(pack))
        content = bytearray(path.read_bytes())
        row = 0
        for word, one in zip(pack, made(pack), strict=True):
            if (number, word) in spoilt:
                content[row] ^= 1
            row += len(one.body)
        path.write_bytes(content)
    store = store_at(folder)
    for place in list(store.catalog.of_kind(CHUNK)):
        try:
            store.reader.stored(place)
        except MgitError:
            store.reader.report(place, "spoilt")
    store.refresh()
    return store


@settings(deadline=None)
@given(stored=packs(), words=st.sets(st.sampled_from(WORDS)), gone=st.sets(st.integers(0, 5)))
def test_no_pack_may_go_that_something_kept_needs(
    stored: Packs, words: set[str], gone: set[int]
) -> None:
    catalog = Catalog({index.pack: index for index in map(index_in_memory, stored)})
    doomed = frozenset(pack for n, pack in enumerate(sorted(catalog.packs)) if n in gone)

    allowed = removable(catalog, doomed, kept(words))

    rest = without(catalog, allowed)
    assert allowed <= doomed
    for chunk in kept(words).chunks:
        assert bool(rest.choices(chunk)) == bool(catalog.choices(chunk))
    assert words or allowed == doomed


def index_in_memory(pack: dict[str, str]) -> PackIndex:
    return index_of([one.row for one in made(pack)])


@settings(deadline=None)
@given(stored=packs(), words=st.sets(st.sampled_from(WORDS)))
def test_little_is_left_that_is_not_needed(stored: Packs, words: set[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        store = written(Path(name), stored, set())

        collect(store, words)

        rows = [row for index in store.catalog.packs.values() for row in index.rows()]
        total = sum(row.stored_bytes for row in rows)
        needed = kept(words).chunks | {base for row in rows for base in row.bases}
        useless = sum(row.stored_bytes for row in rows if row.ref.digest not in needed)
        readable_words = {w for w in words if store.catalog.choices(id_of(w))}
        assert useless * 4 <= total or readable_words != words


def test_a_condemned_pack_that_is_written_again_is_condemned_no_more(folder: Path) -> None:
    """What is needed of the second pack is the first one, and that was condemned."""
    write_pack(folder / "packs", [full("A")])
    store = store_at(folder)
    (first,) = store.catalog.packs
    install_and_condemn(store, [], [first], kept(set()))
    write_pack(folder / "packs", [full("A"), full("B")])
    store.refresh()

    collect(store, {"A"})

    assert store.catalog.packs.keys() == {first}
    assert first not in store.condemned.since()


def test_what_was_condemned_for_something_deeper_stays_condemned(folder: Path) -> None:
    """A repack may prefer small rows to shallow ones."""
    write_pack(folder / "packs", [full("A"), full("B")])
    store = store_at(folder)
    store.condemned.add(store.catalog.packs)
    write_pack(folder / "packs", [full("A"), delta("B", "A")])
    store.refresh()

    plan = planned(store, {"A", "B"})

    assert (plan.copied, plan.pardoned) == ((), frozenset())


def test_of_two_rows_that_rest_on_each_other_each_keeps_a_sound_one(folder: Path) -> None:
    """A: d(B) or alone.  B: d(A) or alone."""
    write_pack(folder / "packs", [full("A"), delta("B", "A")])
    write_pack(folder / "packs", [full("B"), delta("A", "B")])
    store = store_at(folder)

    collect(store, {"A", "B"})

    assert readable(store_at(folder)) == {id_of(word): raw_of(word) for word in "AB"}


def test_the_base_of_what_is_kept_stays(folder: Path) -> None:
    write_pack(folder / "packs", [full("A"), full("C"), full("D")])
    write_pack(folder / "packs", [delta("B", "A")])
    store = store_at(folder)

    collect(store, {"B"})

    found = readable(store_at(folder))
    assert found[id_of("B")] == raw_of("B")
    assert found.keys() == {id_of("A"), id_of("B")}


def test_a_pack_is_left_alone_while_most_of_it_is_needed(folder: Path) -> None:
    write_pack(folder / "packs", [full(word) for word in "ABCDE"])
    store = store_at(folder)

    plan = planned(store, set("ABCD"))

    assert plan.copied == ()
    assert plan.garbage_bytes == len(raw_of("E"))


def test_rows_are_copied_in_the_order_in_which_they_lay(folder: Path) -> None:
    write_pack(folder / "packs", [full(word) for word in "FEDCBA"])
    store = store_at(folder)

    collect(store, set("EA"))

    (index,) = store_at(folder).catalog.packs.values()
    assert [row.ref.digest for row in index.rows()] == [id_of("E"), id_of("A")]


def test_what_cannot_be_decoded_may_be_healed_and_stays(folder: Path) -> None:
    """B rests on A, which is not here."""
    write_pack(folder / "packs", [delta("B", "A"), full("C"), full("D")])
    store = store_at(folder)

    collect(store, {"B"})

    (index,) = store_at(folder).catalog.packs.values()
    assert len(index) == 3


def test_a_condemned_pack_that_is_needed_again_is_pardoned(folder: Path) -> None:
    write_pack(folder / "packs", [full("A"), full("B")])
    store = store_at(folder)
    install_and_condemn(store, [], store.catalog.packs, kept(set()))
    assert len(store.condemned.since()) == 1

    plan = collect(store, {"A", "B"})

    assert plan.copied == ()
    assert store.condemned.since() == {}
    assert len(readable(store_at(folder))) == 2


def test_what_was_cut_off_between_writing_and_condemning_is_not_written_twice(folder: Path) -> None:
    write_pack(folder / "packs", [full(word) for word in "ABCD"])
    store = store_at(folder)
    store.install(write_replacements(store, planned(store, {"A"}).copied))

    plan = planned(store, {"A"})

    assert plan.copied == ()
    assert len(plan.condemned) == 1


def test_a_pack_may_not_go_while_something_kept_rests_on_it(folder: Path) -> None:
    write_pack(folder / "packs", [full("A")])
    store = store_at(folder)
    (base,) = store.catalog.packs
    write_pack(folder / "packs", [delta("B", "A")])
    write_pack(folder / "packs", [delta("C", "B")])
    catalog = store.refresh().catalog

    assert removable(catalog, frozenset({base}), kept({"C"})) == frozenset()


def test_a_pack_may_not_go_for_a_row_that_is_damaged(folder: Path) -> None:
    write_pack(folder / "packs", [full("A")])
    store = store_at(folder)
    (sound,) = store.catalog.packs
    write_pack(folder / "packs", [full("A"), full("B")])
    places = store.refresh().catalog.places(Ref(CHUNK, id_of("A")))
    (other,) = (place for place in places if place.pack != sound)
    store.reader.report(other, "spoilt")

    assert removable(store.refresh().catalog, frozenset({sound}), kept({"A"})) == frozenset()
