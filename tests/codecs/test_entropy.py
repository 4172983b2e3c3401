"""The optional entropy coder: only what it must be is read, and without it rows are unreadable."""

import struct
import sys

import numpy as np
import openzl.ext as openzl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit.codecs import PLANES, PLANES_X, RCB_X, entropy, lanes, planes, rcb
from mgit.codecs.form import RAW_FORM, Form
from mgit.errors import FormatError, UnknownCodecError

RANDOM = np.random.default_rng(11)
# 1 in the mean, seldom more than 5: what zstd gives a whole bit at least
SKEWED = np.minimum(RANDOM.geometric(0.8, 100_000), 255).astype(np.uint8)
PIECE = SKEWED[: entropy.PIECE]


def test_a_plane_of_fractions_of_bits_is_smaller() -> None:
    raw = SKEWED.tobytes()

    plain, coded = planes.encode(raw, RAW_FORM), planes.encode(raw, RAW_FORM, entropy_coded=True)

    assert len(coded) < 0.9 * len(plain)
    assert PLANES_X.decode(coded, (), len(raw)) == raw
    assert PLANES_X.decode(plain, (), len(raw)) == raw
    with pytest.raises(FormatError, match="unknown coding 2"):
        PLANES.decode(coded, (), len(raw))


def test_a_body_tells_whether_it_may_need_the_coder() -> None:
    raw, base = SKEWED.tobytes(), bytes(len(SKEWED))
    found = [
        (
            lanes.is_in_pieces(planes.encode(raw, RAW_FORM, entropy_coded=is_coded)),
            rcb.is_in_pieces(rcb.encode(raw, base, RAW_FORM, entropy_coded=is_coded)),
        )
        for is_coded in (False, True)
    ]

    assert found == [(False, False), (True, True)]
    assert not rcb.is_in_pieces(rcb.encode(raw, raw, RAW_FORM, entropy_coded=True))


def test_a_plane_that_gains_nothing_is_coded_as_ever() -> None:
    for raw in (bytes(100_000), RANDOM.bytes(100_000)):
        body = planes.encode(raw, RAW_FORM, entropy_coded=True)

        assert body == planes.encode(raw, RAW_FORM)


@given(st.binary(min_size=1, max_size=3000).map(lambda raw: np.frombuffer(raw, np.uint8) % 5))
def test_a_piece_comes_back(piece: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> None:
    coded = entropy.compress(piece)

    if coded is not None:
        assert entropy.decompress(coded, len(piece)) == piece.tobytes()


@given(st.data())
def test_a_changed_piece_is_refused_or_gives_as_many_bytes(data: st.DataObject) -> None:
    coded = bytearray(entropy.compress(PIECE) or b"")
    for _ in range(data.draw(st.integers(1, 3))):
        coded[data.draw(st.integers(0, 40) | st.integers(0, len(coded) - 1))] = data.draw(
            st.integers(0, 255)
        )
    size = data.draw(st.sampled_from([1, 100, len(PIECE)]))
    try:
        plane = entropy.decompress(bytes(coded), size)
    except FormatError:
        return

    assert len(plane) == size


def test_a_sound_frame_of_other_steps_is_refused() -> None:
    compressor = openzl.Compressor()
    compressor.set_parameter(openzl.CParam.FormatVersion, 16)
    for checksum in (openzl.CParam.ContentChecksum, openzl.CParam.CompressedChecksum):
        compressor.set_parameter(checksum, 2)
    compressor.select_starting_graph(openzl.graphs.Huffman()(compressor))
    context = openzl.CCtx()
    context.ref_compressor(compressor)
    piece = np.minimum(RANDOM.geometric(0.3, entropy.PIECE), 255).astype(np.uint8)
    frame = context.compress([openzl.Input(openzl.Type.Serial, piece)])

    ours, theirs = entropy._head(entropy.PIECE), frame[13:]

    assert frame == ours + theirs
    assert openzl.DCtx().decompress(frame)[0].content.as_bytes() == piece.tobytes()
    with pytest.raises(FormatError, match="not known"):
        entropy.decompress(theirs, entropy.PIECE)


@pytest.mark.parametrize("table", [b"", bytes(19), struct.pack("<BIBIBIBI", *(1, 9) * 4)])
def test_a_table_of_pieces_that_makes_no_sense_is_refused(table: bytes) -> None:
    body = struct.pack("<BBBI", 1, 0, 2, len(table)) + table

    with pytest.raises(FormatError):
        PLANES_X.decode(body, (), 100_000)


def test_bytes_behind_the_pieces_of_a_plane_are_refused() -> None:
    pieces = struct.pack("<BI", 0, 3) + b"abc"

    assert PLANES_X.decode(struct.pack("<BBBI", 1, 0, 2, 8) + pieces, (), 3) == b"abc"
    with pytest.raises(FormatError, match="left over"):
        PLANES_X.decode(struct.pack("<BBBI", 1, 0, 2, 9) + pieces + b"d", (), 3)


def test_without_the_coder_a_row_is_unreadable_and_the_hint_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw, base = SKEWED.tobytes(), bytes(len(SKEWED))
    bodies = [
        (PLANES_X, planes.encode(raw, RAW_FORM, entropy_coded=True), []),
        (RCB_X, rcb.encode(raw, base, Form("U8"), entropy_coded=True), [base]),
    ]
    monkeypatch.setitem(sys.modules, "openzl", None)
    monkeypatch.setitem(sys.modules, "openzl.ext", None)

    assert not entropy.is_available()
    for codec, body, bases in bodies:
        with pytest.raises(UnknownCodecError) as caught:
            codec.decode(body, bases, len(raw))
        assert caught.value.hint == "pip install 'mgit-models[openzl]'"
