"""Reading takes the next row when one is bad, tells what it found, and never gives a wrong byte."""

from dataclasses import replace
from pathlib import Path

import pytest

from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError, FormatError, UnknownCodecError
from mgit.objects import CHUNK, PackKind, Ref
from mgit.store import Catalog, Place, Reader, Row
from mgit.store.format import build_index, check_of
from tests.store.building import (
    Made,
    Packs,
    delta,
    end_to_end,
    full,
    id_of,
    index_of,
    parsed,
    raw_of,
    store_at,
    write_pack,
)

# Where things stand in an index; see FORMAT.md.
_BASES_AT, _ROWS_AT, _ROW_BYTES, _FIRST_BASE_AT = 36, 1344, 80, 72


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


def test_a_row_with_more_bases_than_its_codec_takes_is_refused_before_they_are_read() -> None:
    row = replace(delta("X", "A").row, bases=(id_of("A"), id_of("B")))
    packs = Packs([full("A"), full("B")], [Made(row, delta("X", "A").body)])
    packs.spoil(0, "B")

    with pytest.raises(FormatError, match="2 bases"):
        packs.reader.decoded(Place(packs.indexes[1].pack, packs.indexes[1].row(0)))
    assert packs.reported == []


def test_an_index_whose_rows_share_their_bases_is_refused() -> None:
    """Else 80 bytes each could name thousands."""
    rows = [delta("X", "A").row, delta("Y", "A").row]
    index = bytearray(build_index(PackKind.CHUNKS, end_to_end(rows), {}))
    table = _ROWS_AT + len(rows) * _ROW_BYTES
    index[_ROWS_AT + _ROW_BYTES + _FIRST_BASE_AT] = 0
    index[_BASES_AT] = 1
    del index[table : table + 32]

    with pytest.raises(FormatError, match="base table"):
        parsed(bytes(index))


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


def test_a_reader_from_before_a_pack_vanished_lists_again(tmp_path: Path) -> None:
    path = write_pack(tmp_path / "packs", [full("A"), full("B")])
    before = store_at(tmp_path).reader
    assert before.chunk(id_of("B")) == raw_of("B")
    write_pack(tmp_path / "packs", [full("A")])
    path.unlink()

    assert before.chunk(id_of("A")) == raw_of("A")
    with pytest.raises(AbsentError):
        before.chunk(id_of("C"))


def test_a_reader_from_before_a_base_vanished_lists_again(tmp_path: Path) -> None:
    path = write_pack(tmp_path / "packs", [full("A"), full("B")])
    write_pack(tmp_path / "packs", [delta("C", "A")])
    before = store_at(tmp_path).reader
    write_pack(tmp_path / "packs", [full("A")])
    path.unlink()

    assert before.chunk(id_of("C")) == raw_of("C")


def test_what_is_damaged_here_and_vanished_there_is_looked_for_again(tmp_path: Path) -> None:
    spoil(write_pack(tmp_path / "packs", [full("A")]))
    path = write_pack(tmp_path / "packs", [full("A"), full("B")])
    before = store_at(tmp_path).reader
    write_pack(tmp_path / "packs", [full("C"), full("A")])
    path.unlink()

    assert before.chunk(id_of("A")) == raw_of("A")


def test_what_vanished_and_is_damaged_in_all_that_is_left_is_damaged(tmp_path: Path) -> None:
    spoil(write_pack(tmp_path / "packs", [full("A")]))
    path = write_pack(tmp_path / "packs", [full("A"), full("B")])
    before = store_at(tmp_path).reader
    path.unlink()

    with pytest.raises(DamagedError):
        before.chunk(id_of("A"))


def spoil(path: Path) -> None:
    path.write_bytes(b"#" + path.read_bytes()[1:])


def test_what_vanished_and_is_nowhere_else_is_absent(tmp_path: Path) -> None:
    path = write_pack(tmp_path / "packs", [full("A")])
    before = store_at(tmp_path).reader
    path.unlink()

    for _ in range(2):
        with pytest.raises(AbsentError):
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
