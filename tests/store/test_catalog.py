"""What can be decoded is the least fixpoint from standalone chunks, at the least cost.

pack P   A full            pack Q   B = A + difference            pack R   A = B + difference
"""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgit.codecs import FAST, RAW
from mgit.digest import Digest
from mgit.errors import AbsentError
from mgit.objects import CHUNK, PackId, Ref
from mgit.store import Catalog, Cost, Row
from mgit.store.catalog import (
    READ_COST,
    READ_DEPTH,
    SMALL,
    SMALL_COST,
    WRITE_COST,
    WRITE_DEPTH,
)
from mgit.store.format import PackIndex
from tests.store.building import SIZE, Packs, delta, full, id_of, index_of, raw_of

WORDS = "ABCDEFGH"
FEWER = settings(max_examples=settings().max_examples // 2)
Graph = list[dict[str, tuple[list[str], int]]]  # pack -> chunk -> its bases and its size


def graphs(words: str = WORDS) -> st.SearchStrategy[Graph]:
    letters = st.sampled_from(words)
    row = st.tuples(st.lists(letters, max_size=3), st.integers(0, 40))
    return st.lists(st.dictionaries(letters, row, max_size=len(words)), max_size=4)


def packs_of(graph: Graph) -> dict[PackId, PackIndex]:
    indexes = [
        index_of(
            Row(
                Ref(CHUNK, id_of(word)), 2, tuple(map(id_of, bases)), 0, 1 + number, size, bytes(16)
            )
            for word, (bases, size) in pack.items()
        )
        for number, pack in enumerate(graph)
    ]
    return {index.pack: index for index in indexes}


def naive_costs(packs: dict[PackId, PackIndex]) -> dict[Digest, Cost]:
    """Goes over all rows again and again until nothing gets cheaper."""
    costs: dict[Digest, Cost] = {}
    rows = [row for index in packs.values() for row in index.rows()]
    is_settled = False
    while not is_settled:
        is_settled = True
        for row in rows:
            if any(base not in costs for base in row.bases):
                continue
            cost = naive_cost(row, costs)
            if row.ref.digest not in costs or cost < costs[row.ref.digest]:
                costs[row.ref.digest] = cost
                is_settled = False
    return costs


def naive_cost(row: Row, costs: dict[Digest, Cost]) -> Cost:
    bases = [costs[base] for base in row.bases]
    raw_bytes = row.raw_bytes + sum(base.raw_bytes for base in bases)
    return Cost(raw_bytes, max((1 + base.depth for base in bases), default=0))


@given(graphs(), st.permutations(WORDS))
def test_costs_agree_with_a_naive_fixpoint_in_whatever_order_they_are_asked(
    graph: Graph, order: list[str]
) -> None:
    packs = packs_of(graph)
    expected = naive_costs(packs)

    catalog = Catalog(packs)
    found = {word: catalog.cost(id_of(word)) for word in order}

    assert found == {word: expected.get(id_of(word)) for word in WORDS}
    assert all(
        (Ref(CHUNK, id_of(w)) in catalog) == (expected.get(id_of(w)) is not None) for w in WORDS
    )


@given(graphs(), st.sampled_from(WORDS))
def test_a_chunk_is_read_from_its_rows_within_bounds_the_cheapest_first(
    graph: Graph, word: str
) -> None:
    packs = packs_of(graph)
    costs = naive_costs(packs)
    usable = defaultdict(list)
    for index in packs.values():
        row = index.find(Ref(CHUNK, id_of(word)))
        if row and all(base in costs for base in row.bases):
            cost = naive_cost(row, costs)
            if cost.depth <= READ_DEPTH and cost.raw_bytes <= READ_COST * row.raw_bytes:
                usable[cost].append(index.pack)

    found = [place.pack for place in Catalog(packs).choices(id_of(word))]

    assert found == [pack for cost in sorted(usable) for pack in sorted(usable[cost])]


@FEWER
@given(graphs("ABCD"), st.sampled_from("ABCD"))
def test_a_row_found_bad_counts_as_absent_for_all_that_rest_on_it(graph: Graph, word: str) -> None:
    packs = packs_of(graph)
    catalog = Catalog(packs)
    before = {w: catalog.cost(id_of(w)) for w in "ABCD"}
    for place in catalog.places(Ref(CHUNK, id_of(word))):
        catalog.exclude(place)

    after = {w: catalog.cost(id_of(w)) for w in "ABCD"}

    rest = [{w: row for w, row in pack.items() if w != word} for pack in graph]
    assert after == {w: naive_costs(packs_of(rest)).get(id_of(w)) for w in "ABCD"}
    assert all(before[w] is not None for w in "ABCD" if after[w] is not None)


def test_rows_of_codecs_that_are_left_out_are_absent_for_all_that_rest_on_them() -> None:
    catalog = Packs([full("A"), delta("B", "A")], [full("B"), delta("C", "A")]).catalog
    assert all(catalog.cost(id_of(word)) for word in "ABC")

    catalog.restrict({RAW.number})
    assert [len(catalog.choices(id_of(word))) for word in "ABC"] == [1, 1, 0]

    catalog.restrict({FAST.number})
    assert not any(catalog.cost(id_of(word)) for word in "ABC")


def test_a_cycle_of_racing_writers_is_read_from_the_standalone_row() -> None:
    packs = Packs([full("A")], [delta("B", "A")], [delta("A", "B")])

    found = [packs.reader.chunk(id_of(word)) for word in "AB"]

    assert found == [raw_of("A"), raw_of("B")]
    assert packs.catalog.cost(id_of("B")) == Cost(2 * SIZE, 1)
    assert len(packs.catalog.choices(id_of("A"))) == 2


@pytest.mark.parametrize(
    "rows", [["A=A"], ["A=B", "B=A"], ["A=B", "B=C", "C=A"], ["A=B"]], ids=" ".join
)
def test_what_rests_on_nothing_is_absent(rows: list[str]) -> None:
    packs = Packs(*([delta(*row.split("="))] for row in rows))

    assert Ref(CHUNK, id_of("A")) not in packs.catalog
    with pytest.raises(AbsentError):
        packs.reader.chunk(id_of("A"))


def chain(length: int) -> Packs:
    """A standalone chunk 0, and ``length`` chunks that each rest on the one before."""
    return Packs([full("0"), *(delta(str(i), str(i - 1)) for i in range(1, length + 1))])


def test_a_chain_is_read_to_depth_32_and_no_further() -> None:
    packs = chain(READ_DEPTH + 1)

    assert packs.reader.chunk(id_of("32")) == raw_of("32")
    with pytest.raises(AbsentError):
        packs.reader.chunk(id_of("33"))


@pytest.mark.slow
def test_a_chain_of_a_hundred_thousand_is_refused_and_not_followed() -> None:
    rows = [full("0").row] + [
        Row(Ref(CHUNK, id_of(str(i))), 2, (id_of(str(i - 1)),), 0, 1, SIZE, bytes(16))
        for i in range(1, 100_001)
    ]
    index = index_of(rows)

    assert Catalog({index.pack: index}).choices(id_of("100000")) == []


def test_a_chunk_that_costs_more_than_64_times_its_size_is_refused() -> None:
    def rows(size: int) -> Graph:
        return [{"A": ([], size), "B": ([], size), "C": ([], size), "D": (["A", "B", "C"], 10)}]

    bearable, too_dear = (Catalog(packs_of(rows(size))) for size in (210, 211))

    assert len(bearable.choices(id_of("D"))) == 1  # 10 + 3 * 210 = 640
    assert too_dear.choices(id_of("D")) == []


def test_ten_bases_at_each_of_eight_levels_are_refused() -> None:
    levels: Graph = [
        {
            f"{level}.{i}": ([f"{level - 1}.{j}" for j in range(10)] if level else [], 8)
            for i in range(10)
        }
        for level in range(8)
    ]

    catalog = Catalog(packs_of(levels))

    assert catalog.cost(id_of("7.0")) == Cost(8 * sum(10**level for level in range(8)), 7)
    assert catalog.choices(id_of("7.0")) == []
    assert len(catalog.choices(id_of("1.0"))) == 1


@pytest.mark.parametrize(
    ("cost", "stored_bytes", "allowed"),
    [
        (Cost(SIZE, 0), SIZE, True),
        (Cost(WRITE_COST * SIZE, WRITE_DEPTH), SIZE, True),
        (Cost(SIZE, WRITE_DEPTH + 1), SIZE, False),
        (Cost(WRITE_COST * SIZE + 1, 1), SIZE // SMALL + 1, False),
        (Cost(WRITE_COST * SIZE + 1, 1), SIZE // SMALL, True),
        (Cost(SMALL_COST * SIZE + 1, 1), 0, False),
        (Cost(SIZE, WRITE_DEPTH + 1), 0, False),
    ],
)
def test_a_writer_goes_to_depth_8_and_six_times_the_size_and_further_for_what_is_tiny(
    cost: Cost,
    stored_bytes: int,
    allowed: bool,  # noqa: FBT001  # a table
) -> None:
    assert cost.may_be_written(SIZE, stored_bytes) is allowed


@FEWER
@given(graphs())
def test_objects_of_a_kind_are_listed_pack_by_pack_in_the_order_of_their_bodies(
    graph: Graph,
) -> None:
    packs = packs_of(graph)

    listed = [(place.pack, place.row) for place in Catalog(packs).of_kind(CHUNK)]

    assert listed == [(pack, row) for pack, index in packs.items() for row in index.rows()]
    assert list(Catalog(packs).of_kind("node")) == []
