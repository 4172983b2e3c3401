"""Laws of a pack's index: it gives back what was put in, and is refused where it breaks a rule."""

import struct
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mgit.canonical import Value
from mgit.digest import Digest
from mgit.errors import FormatError, UnknownCodecError
from mgit.objects import CHUNK, PackId, PackKind, Ref
from mgit.objects.dtypes import MAX_CHUNK_BYTES
from mgit.objects.encoding import MAX_OBJECT_BYTES
from mgit.store import TRAILER_BYTES, Row, parse_trailer
from mgit.store.format import PackIndex, build_index, trailer
from tests.store.building import end_to_end, parsed

FEWER = settings(max_examples=settings().max_examples // 2)

# Few first bytes and few differences, so that rows meet in the fan-out and in the search.
digests = st.builds(
    lambda first, last: Digest(bytes([first]) + bytes(30) + bytes([last])),
    st.sampled_from([0, 1, 127, 254, 255]),
    st.integers(0, 5),
) | st.binary(min_size=32, max_size=32).map(Digest)
kinds = st.sampled_from(["content", "layout", "node", "a", "sixteen-letters!"])
checks = st.binary(min_size=16, max_size=16)
base_lists = st.lists(digests, max_size=3).map(tuple)


def rows(kind: PackKind) -> st.SearchStrategy[list[Row]]:
    """Rows of one pack, their bodies end to end in the order given."""
    named = kinds if kind is PackKind.META else st.just(CHUNK)
    row = st.builds(
        Row,
        st.builds(Ref, named, digests),
        st.integers(0, 255),
        base_lists,
        st.just(0),
        st.integers(1, 1000),
        st.integers(0, MAX_CHUNK_BYTES),
        checks,
    )
    return st.lists(row, max_size=12, unique_by=lambda r: r.ref).map(end_to_end)


packs = st.sampled_from(PackKind).flatmap(lambda kind: st.tuples(st.just(kind), rows(kind)))
summaries: st.SearchStrategy[dict[str, Value]] = st.dictionaries(
    st.text(max_size=3), st.integers(0, 9), max_size=2
)


@FEWER
@given(packs, summaries)
def test_an_index_gives_back_what_it_was_built_from(
    pack: tuple[PackKind, list[Row]], summary: dict[str, Value]
) -> None:
    kind, stored = pack

    data = build_index(kind, stored[::-1], summary)
    index = parsed(data)

    assert list(index.rows()) == stored  # in the order of their bodies
    assert (index.kind, len(index), index.summary()) == (kind, len(stored), summary)
    assert set(index.kinds) == {row.ref.kind for row in stored}
    assert index.bodies_bytes == (stored[-1].end if stored else 0)
    assert index.size_bytes == index.bodies_bytes + len(data) + TRAILER_BYTES
    assert index.to_bytes() == data


@FEWER
@given(packs, digests, kinds | st.just(CHUNK))
def test_a_row_is_found_exactly_if_it_is_there(
    pack: tuple[PackKind, list[Row]], digest: Digest, kind: str
) -> None:
    _, stored = pack
    by_ref = {row.ref: row for row in stored}
    asked = {*by_ref, Ref(kind, digest), *(Ref(kind, row.ref.digest) for row in stored)}

    index = parsed(build_index(*pack, {}))

    assert {ref: index.find(ref) for ref in asked} == {ref: by_ref.get(ref) for ref in asked}


@FEWER
@given(packs)
def test_the_order_in_which_rows_are_given_is_no_matter(pack: tuple[PackKind, list[Row]]) -> None:
    kind, stored = pack

    assert build_index(kind, stored, {}) == build_index(kind, stored[::-1], {})


@FEWER
@given(packs, st.data())
def test_a_flipped_bit_in_an_index_is_refused(
    pack: tuple[PackKind, list[Row]], data: st.DataObject
) -> None:
    octets = build_index(*pack, {})
    changed = bytearray(octets)
    changed[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(FormatError, match="does not match its id"):
        PackIndex(PackId(Digest.of(octets)), bytes(changed))


@given(packs, st.data())
def test_a_foreign_index_with_an_id_of_its_own_is_refused_or_read(
    pack: tuple[PackKind, list[Row]], data: st.DataObject
) -> None:
    changed = bytearray(build_index(*pack, {"a": 1}))
    places = st.integers(0, len(changed) - 1)
    for at in data.draw(st.lists(st.integers(0, 75) | places, min_size=1, max_size=3)):
        changed[at] = data.draw(st.integers(0, 255))
    try:
        index = parsed(bytes(changed))
    except (FormatError, UnknownCodecError):
        return

    found = list(index.rows())
    assert [row.offset for row in found] == [0, *(row.end for row in found)][: len(found)]
    assert all(index.find(row.ref) == row for row in found)


@FEWER
@given(
    st.binary(max_size=100)
    | st.binary(max_size=3).map(lambda tail: b"MGITIDX1" + bytes(1336) + tail)
)
def test_any_bytes_are_an_index_or_refused(data: bytes) -> None:
    try:
        index = parsed(data)
    except (FormatError, UnknownCodecError):
        return

    assert list(index.rows()) == []


@FEWER
@given(packs, st.integers(0, TRAILER_BYTES - 1), st.integers(1, 255))
def test_a_trailer_says_where_the_index_begins_and_a_changed_one_something_else(
    pack: tuple[PackKind, list[Row]], at: int, flip: int
) -> None:
    index = build_index(*pack, {})
    end = trailer(index)
    changed = bytearray(end)
    changed[at] ^= flip

    assert parse_trailer(end) == (len(index), Digest.of(index))
    try:
        assert parse_trailer(bytes(changed)) != (len(index), Digest.of(index))
    except FormatError:
        assert at >= 40  # the magic at its end


@pytest.mark.parametrize("size", [0, 47, 49])
def test_a_trailer_has_48_bytes(size: int) -> None:
    with pytest.raises(FormatError):
        parse_trailer(bytes(size))


@FEWER
@given(rows(PackKind.CHUNKS), st.integers(-9, 9), st.data())
def test_bodies_that_overlap_or_leave_a_gap_are_not_written(
    stored: list[Row], by: int, data: st.DataObject
) -> None:
    assume(stored)
    number = data.draw(st.integers(0, len(stored) - 1))
    moved = max(0, stored[number].offset + by)
    assume(moved != stored[number].offset)
    stored[number] = replace(stored[number], offset=moved)

    with pytest.raises(ValueError, match="expected"):
        build_index(PackKind.CHUNKS, stored, {})


# An index of two rows, as bytes, with one field changed: where it is, what is written there.
ROWS_AT = 64 + 256 + 1024
TWO = end_to_end(
    Row(Ref(CHUNK, Digest(bytes([first]) * 32)), 2, (Digest(bytes(32)),), 0, 10, 20, bytes(16))
    for first in (1, 2)
)
SOUND = build_index(PackKind.CHUNKS, TWO, {})
BROKEN: dict[str, tuple[int, bytes]] = {
    "another magic": (0, b"MGITIDX2"),
    "more rows than it holds": (32, struct.pack("<I", 3)),
    "2^32 - 1 rows": (32, b"\xff" * 4),
    "more bases than it holds": (36, struct.pack("<I", 3)),
    "a longer summary": (40, struct.pack("<I", 2)),
    "a kind of pack that does not exist": (44, b"\2"),
    "bodies that end elsewhere": (48, struct.pack("<Q", 21)),
    "bodies beyond 1 GiB": (48, struct.pack("<Q", 1 << 40)),
    "another kind among chunks": (64, b"node\0"),
    "kinds out of order": (80, b"a"),
    "a kind after a gap": (96, b"x"),
    "a fan-out that counts wrongly": (320 + 4, struct.pack("<I", 2)),
    "rows out of order": (ROWS_AT, b"\3" * 32),
    "a row twice": (ROWS_AT, b"\2" * 32),
    "a body before another": (ROWS_AT + 48, struct.pack("<Q", 1)),
    "a body over another": (ROWS_AT + 80 + 48, struct.pack("<Q", 9)),
    "a longer body": (ROWS_AT + 56, struct.pack("<Q", 11)),
    "a chunk beyond 8 MiB": (ROWS_AT + 64, struct.pack("<Q", MAX_CHUNK_BYTES + 1)),
    "a base behind the table": (ROWS_AT + 72, struct.pack("<I", 2)),
    "too many bases": (ROWS_AT + 76, struct.pack("<H", 3)),
    "a kind that is not named": (ROWS_AT + 79, b"\1"),
}


def changed_at(index: bytes, at: int, octets: bytes) -> bytes:
    return index[:at] + octets + index[at + len(octets) :]


@pytest.mark.parametrize(("at", "octets"), BROKEN.values(), ids=BROKEN)
def test_an_index_that_breaks_a_rule_is_refused(at: int, octets: bytes) -> None:
    parsed(SOUND)

    with pytest.raises(FormatError):
        parsed(changed_at(SOUND, at, octets))


@pytest.mark.parametrize("order", [(1, 0), (0, 0)], ids=["swapped", "repeated"])
@pytest.mark.parametrize("last", [(1, 2), (1, 256), (1, 1)], ids=["last", "last but one", "kind"])
def test_rows_that_are_swapped_or_repeated_are_refused(
    order: tuple[int, int], last: tuple[int, int]
) -> None:
    """Both rows begin with one byte, so that the fan-out does not tell."""
    stored = end_to_end(
        replace(TWO[0], ref=Ref(kind, Digest(bytes(30) + number.to_bytes(2, "big"))), bases=())
        for kind, number in zip(("a", "b"), last, strict=True)
    )
    sound = build_index(PackKind.META, stored, {})
    rows_of = [sound[ROWS_AT + 80 * i :][:80] for i in (0, 1)]

    parsed(sound)
    with pytest.raises(FormatError, match=r"rows of pack .* are not in order"):
        parsed(changed_at(sound, ROWS_AT, b"".join(rows_of[i] for i in order)))


def test_bodies_whose_sizes_add_up_beyond_64_bits_are_refused() -> None:
    """Reading the first of them would ask for 2^62 bytes."""
    first, second = 1 << 62, 2**64 - (1 << 62) + 20
    index = changed_at(SOUND, ROWS_AT + 56, struct.pack("<Q", first))
    index = changed_at(index, ROWS_AT + 80 + 48, struct.pack("<QQ", first, second))

    with pytest.raises(FormatError):
        parsed(index)


def test_a_read_feature_that_is_not_known_needs_a_newer_version() -> None:
    for bit in (0, 1, 63):
        with pytest.raises(UnknownCodecError, match="needs a newer mgit"):
            parsed(changed_at(SOUND, 8, struct.pack("<Q", 1 << bit)))


def test_write_and_gc_features_and_reserved_bytes_do_not_stop_a_reader() -> None:
    later = SOUND
    for at, size in ((16, 8), (24, 8), (45, 3), (56, 8)):
        later = changed_at(later, at, b"\xff" * size)

    assert list(parsed(later).rows()) == TWO
    assert parsed(later).gc_features == 2**64 - 1


def test_a_damaged_summary_is_told_only_to_who_asks_for_it() -> None:
    index = parsed(SOUND[:-1] + b"\xc0")

    assert list(index.rows()) == TWO
    with pytest.raises(FormatError):
        index.summary()


def test_an_object_beyond_its_limit_is_refused() -> None:
    for kind, name, most in (
        (PackKind.META, "node", MAX_OBJECT_BYTES),
        (PackKind.CHUNKS, CHUNK, MAX_CHUNK_BYTES),
    ):
        row = replace(TWO[0], ref=Ref(name, TWO[0].ref.digest), raw_bytes=most, bases=())

        parsed(build_index(kind, [row], {}))
        with pytest.raises(FormatError, match="too large"):
            parsed(build_index(kind, [replace(row, raw_bytes=most + 1)], {}))


def test_more_than_a_pack_can_hold_is_not_written() -> None:
    big = replace(TWO[0], stored_bytes=(1 << 30) + 1)
    many = [replace(TWO[0], ref=Ref(f"kind-{i}", TWO[0].ref.digest)) for i in range(17)]

    for kind, stored in ((PackKind.CHUNKS, [big]), (PackKind.META, end_to_end(many))):
        with pytest.raises(ValueError, match="too much for one pack"):
            build_index(kind, stored, {})


@pytest.mark.parametrize("kind", ["a-kind-of-seventeen", "größe", "nul\0", "nul\0inside", ""])
def test_a_kind_whose_name_does_not_fit_is_not_written_under_another(kind: str) -> None:
    row = replace(TWO[0], ref=Ref(kind, TWO[0].ref.digest), bases=())

    with pytest.raises(ValueError, match="cannot be the name of a kind"):
        build_index(PackKind.META, [row], {})


@pytest.mark.parametrize("first", [0, 1])
def test_an_empty_body_is_read_if_it_is_written(first: int) -> None:
    ids = [TWO[first].ref, TWO[1 - first].ref]
    stored = [replace(TWO[0], ref=ids[0], stored_bytes=0), replace(TWO[0], ref=ids[1])]

    index = parsed(build_index(PackKind.CHUNKS, stored, {}))

    assert {row.ref for row in index.rows()} == set(ids)
