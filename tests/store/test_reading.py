"""Reading takes the next row when one is bad, tells what it found, and never gives a wrong byte."""

from pathlib import Path

import pytest

from mgit.codecs import PLANES, planes
from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError, PackMissingError, UnknownCodecError
from mgit.objects import CHUNK, DTYPES, Ref
from mgit.store import Catalog, Place, Reader, Row, encode_chunk
from mgit.store.format import check_of
from tests.store.building import (
    Made,
    Packs,
    delta,
    full,
    id_of,
    index_of,
    raw_of,
    store_at,
    write_pack,
)

F32 = DTYPES["F32"]


def lying(word: str, of: str) -> Made:
    """A row that stores one chunk under the digest of another; its check is right."""
    row = full(of).row
    return Made(
        Row(Ref(CHUNK, id_of(word)), 0, (), 0, row.stored_bytes, row.raw_bytes, row.check),
        raw_of(of),
    )


def in_another_codec(word: str) -> Made:
    row = full(word).row
    return Made(Row(row.ref, 99, (), 0, row.stored_bytes, row.raw_bytes, row.check), raw_of(word))


def test_a_damaged_row_is_told_and_the_next_one_taken() -> None:
    packs = Packs([full("A")], [full("A"), full("B")])
    packs.spoil(0, "A")
    packs.spoil(1, "B")

    assert packs.reader.chunk(id_of("A")) == raw_of("A")
    with pytest.raises(DamagedError, match=id_of("B").short):
        packs.reader.chunk(id_of("B"))
    damaged = {(place.pack, place.row.ref.digest) for place in packs.reported}
    assert damaged <= {(packs.indexes[0].pack, id_of("A")), (packs.indexes[1].pack, id_of("B"))}
    assert (packs.indexes[1].pack, id_of("B")) in damaged


def test_a_body_of_another_object_is_refused_by_its_digest() -> None:
    packs = Packs([lying("A", of="B")])

    with pytest.raises(DamagedError):
        packs.reader.chunk(id_of("A"))
    assert [place.row.ref.digest for place in packs.reported] == [id_of("A")]


def test_a_damaged_base_is_blamed_and_not_what_rests_on_it() -> None:
    packs = Packs([full("A")], [delta("B", "A")])
    packs.spoil(0, "A")

    with pytest.raises(DamagedError, match=id_of("A").short):
        packs.reader.chunk(id_of("B"))
    assert [place.row.ref.digest for place in packs.reported] == [id_of("A")]


def test_a_codec_that_is_not_known_is_not_damage() -> None:
    packs = Packs([in_another_codec("A")])

    with pytest.raises(UnknownCodecError):
        packs.reader.chunk(id_of("A"))
    assert packs.reported == []


def test_a_row_in_a_known_codec_is_taken_instead() -> None:
    packs = Packs([in_another_codec("A")], [full("A")])

    assert packs.reader.chunk(id_of("A")) == raw_of("A")


def test_rows_are_tried_until_one_is_good_also_where_two_rest_on_one_damaged_base() -> None:
    r"""C (damaged)      E
      / \             |
    B1   B2           D1
      \  /           /
       X   (three rows)
    """
    packs = Packs(
        [full("C"), delta("B1", "C"), delta("B2", "C")],
        [delta("X", "B1")],
        [delta("X", "B2")],
        [full("E"), delta("D1", "E"), delta("D2", "D1")],
        [delta("X", "D2")],
    )
    packs.spoil(0, "C")

    assert packs.reader.chunk(id_of("X")) == raw_of("X")


def test_a_bad_row_is_not_tried_again_where_nobody_is_told_of_it() -> None:
    """A stands alone, and racing writers made B from A and A from B."""
    packs = Packs([lying("A", of="Z")], [delta("B", "A")], [delta("A", "B")])
    reader = Reader(packs.catalog, packs.bytes_of, lambda *_: None)

    with pytest.raises((DamagedError, AbsentError)):
        reader.chunk(id_of("A"))


def test_a_reader_from_before_a_pack_vanished_says_that_it_is_gone(tmp_path: Path) -> None:
    path = write_pack(tmp_path / "packs", [full("A")])
    store = store_at(tmp_path)
    before = store.reader
    path.unlink()

    with pytest.raises(PackMissingError):
        before.chunk(id_of("A"))
    store.refresh()
    with pytest.raises((PackMissingError, AbsentError)):
        before.chunk(id_of("A"))


def test_a_chunk_whose_pack_is_gone_is_not_intact(tmp_path: Path) -> None:
    path = write_pack(tmp_path / "packs", [full("A")])
    reader = store_at(tmp_path).reader
    path.unlink()

    assert not reader.is_intact(id_of("A"))


def test_a_chunk_is_intact_if_all_that_it_rests_on_is() -> None:
    packs = Packs([full("A")], [delta("B", "A")], [full("B")])
    alone = Packs([full("A")], [delta("B", "A")])
    for held in (packs, alone):
        held.spoil(0, "A")

    assert not packs.reader.is_intact(id_of("A"))
    assert packs.reader.is_intact(id_of("B"))
    assert not alone.reader.is_intact(id_of("B"))
    assert not alone.reader.is_intact(id_of("never seen"))


class CountingCatalog(Catalog):
    """Counts how often it is asked for the rows of a chunk."""

    asked = 0

    def choices(self, chunk: Digest) -> list[Place]:
        type(self).asked += 1
        return Catalog.choices(self, chunk)


def test_looking_whether_a_chunk_is_intact_takes_no_more_steps_than_there_are_rows() -> None:
    """Two chunks a level, each resting on both below: 2 ** 10 ways down."""
    words = [[f"{side}{level}" for side in "ab"] for level in range(10)]
    rows = [
        Row(Ref(CHUNK, id_of(w)), 2, tuple(map(id_of, below)), 0, 1, 0, check_of(b"x"))
        for below, level in zip([[], *words], words, strict=False)
        for w in level
    ]
    index = index_of(rows)
    catalog = CountingCatalog({index.pack: index})
    CountingCatalog.asked = 0

    Reader(catalog, lambda *_: b"x", lambda *_: None).is_intact(id_of("a9"))

    assert CountingCatalog.asked <= 2 * len(rows)


def test_a_difference_is_chosen_against_a_like_base_and_not_against_an_unlike_one() -> None:
    packs = Packs([full("A")])
    near, far = raw_of("AB"), raw_of("A")[::-1]

    assert encode_chunk(packs.reader, near, F32, [id_of("A")]).bases == (id_of("A"),)
    assert encode_chunk(packs.reader, far, F32, [id_of("A")]).bases == ()


@pytest.mark.parametrize("size", [1, 63, 66])
def test_a_tiny_chunk_and_one_of_broken_lanes_are_stored_as_they_are(size: int) -> None:
    raw = bytes(size)

    assert encode_chunk(Packs([]).reader, raw, F32, []).body == raw


def test_a_compressible_chunk_is_stored_in_planes() -> None:
    coded = encode_chunk(Packs([]).reader, bytes(4096), F32, [])

    assert (coded.codec, coded.bases) == (PLANES.number, ())
    assert coded.body == planes.encode(bytes(4096), F32)


def test_a_candidate_that_is_too_deep_is_replaced_by_what_it_rests_on() -> None:
    packs = Packs([full("0"), *(delta(str(i), str(i - 1)) for i in range(1, 11))])

    coded = encode_chunk(packs.reader, raw_of("new"), F32, [id_of("10")])

    assert coded.bases == (id_of("4"),)  # 5 of them make 5 chunks on the way, the new one the sixth


@pytest.mark.parametrize("spoilt", ["A", "B"])
def test_a_candidate_that_is_damaged_is_passed_over(spoilt: str) -> None:
    packs = Packs([full("A"), delta("B", "A")])
    packs.spoil(0, spoilt)

    coded = encode_chunk(packs.reader, raw_of("BC"), F32, [id_of("B")])

    assert coded.bases == ()


def test_a_candidate_beyond_what_readers_take_is_passed_over() -> None:
    packs = Packs([full("0"), *(delta(str(i), str(i - 1)) for i in range(1, 34))])

    coded = encode_chunk(packs.reader, raw_of("new"), F32, [id_of("33")])

    assert packs.reader.catalog.choices(id_of("33")) == []
    assert all(base != id_of("33") for base in coded.bases)


def test_a_candidate_in_a_newer_codec_is_passed_over() -> None:
    packs = Packs([in_another_codec("A")])

    assert encode_chunk(packs.reader, raw_of("B"), F32, [id_of("A")]).bases == ()
