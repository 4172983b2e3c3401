"""The sorted difference: what it is best at, and that its order is the one in the document."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgit.codecs import RCB, fast, lanes, rcb
from mgit.codecs.form import Form
from mgit.codecs.sorting import BLOCK, sort, unsort
from mgit.errors import FormatError
from mgit.objects import DTYPES

FLOATS = ("F8_E5M2", "BF16", "F32", "F64")
RANDOM = np.random.default_rng(7)


def weights(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return (RANDOM.standard_normal(shape) * 0.05).astype("<f4")


def by_the_book(body: bytes, base: bytes, size: int) -> bytes:
    """Decodes as the document says, one lane at a time."""
    shift, fine, row, length = struct.unpack_from("<BBII", body)
    stored, order = lanes.unpack(body[10 + length :], size)
    bits = stored.itemsize * 8
    parent = np.frombuffer(base, stored.dtype).tolist()
    classes = lanes.decompress(body[10 : 10 + length], len(parent) // row) if row else b""
    of = [classes[i // row] if row else 0 for i in range(len(parent))]
    places, seen = [], dict.fromkeys(of, 0)
    for each in of:
        places.append(seen[each])
        seen[each] += 1
    keys = [lane >> shift & 255 for lane in parent]
    ranked = sorted(
        range(len(parent)),
        key=lambda i: (of[i], keys[i] >> fine, places[i] >> 16, keys[i], places[i]),
    )
    child = [0] * len(parent)
    for z, i in zip(stored.tolist(), ranked, strict=True):
        child[i] = moved(parent[i], (z >> 1) ^ -(z & 1), bits, is_float=order.name == "FLOAT")
    return np.array(child, stored.dtype).tobytes()


def moved(base: int, change: int, bits: int, *, is_float: bool) -> int:
    top = 1 << bits - 1
    if not is_float:
        return (base + change) % (2 * top)
    changed = ((base & top - 1) + change) % (2 * top)
    return (changed ^ (top - 1 if changed & top else 0)) ^ (base & top)


@pytest.mark.parametrize("name", DTYPES)
@given(data=st.data())
@settings(max_examples=settings().max_examples // 10)
def test_a_body_is_what_the_document_says(name: str, data: st.DataObject) -> None:
    size = 16 * data.draw(st.integers(1, 40))
    raw, base = (data.draw(st.binary(min_size=size, max_size=size)) for _ in range(2))

    body = rcb.encode(raw, base, Form(name))

    assert by_the_book(body, base, size) == raw


def test_rows_of_unlike_changes_are_told_apart_as_the_document_says() -> None:
    base = weights(1200, 96)
    child = base.copy()
    child[::3] += weights(400, 96)
    child[1::3] *= np.float32(1 - 1e-6)

    body = rcb.encode(child.tobytes(), base.tobytes(), Form("F32", 96))

    assert struct.unpack_from("<BBII", body)[2] == 96
    assert by_the_book(body, base.tobytes(), child.nbytes) == child.tobytes()
    assert RCB.decode(body, [base.tobytes()], child.nbytes) == child.tobytes()
    assert len(body) < 0.97 * len(rcb.encode(child.tobytes(), base.tobytes(), Form("F32")))


def test_rows_of_like_changes_are_not_told_apart() -> None:
    base = weights(100, 96)
    child = base + weights(100, 96)

    body = rcb.encode(child.tobytes(), base.tobytes(), Form("F32", 96))

    assert struct.unpack_from("<BBII", body)[2:] == (0, 0)


def test_weight_decay_costs_no_sign() -> None:
    base = weights(1 << 18)
    child = base * np.float32(1 - 2e-5)

    body = rcb.encode(child.tobytes(), base.tobytes(), Form("F32"))

    assert len(body) < 0.8 * len(fast.encode(child.tobytes(), base.tobytes(), Form("F32")))


@pytest.mark.parametrize(("name", "lane", "most"), [("F32", "<u4", 0.98), ("BF16", "<u2", 0.92)])
def test_the_order_makes_a_fine_tune_smaller(name: str, lane: str, most: float) -> None:
    base = weights(1 << 19)
    child = base + weights(1 << 19) / 200
    shift = 32 - 8 * np.dtype(lane).itemsize
    raw, parent = ((each.view("<u4") >> shift).astype(lane).tobytes() for each in (child, base))

    sorted_size = len(rcb.encode(raw, parent, Form(name)))

    assert sorted_size < most * len(fast.encode(raw, parent, Form(name)))


@given(st.lists(st.integers(0, 255), max_size=300), st.integers(0, 8), st.integers(1, 700))
def test_unsorting_undoes_sorting(few: list[int], fine_bits: int, times: int) -> None:
    keys = np.array(few * times, np.uint8)
    values = np.arange(len(keys), dtype="<u4")
    stored, back = np.empty_like(values), np.empty_like(values)

    sort(values, keys, fine_bits, stored)
    unsort(stored, keys, fine_bits, back)

    blocks = values // BLOCK
    assert (stored == values[np.lexsort((values, keys, blocks, keys >> fine_bits))]).all()
    assert (back == values).all()


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize(
    ("at", "value"),
    [(0, 65), (0, 255), (1, 9), (2, 1), (2, 63), (2, 64), (5, 255), (6, 1), (9, 255)],
)
def test_a_header_that_makes_no_sense_is_refused(name: str, at: int, value: int) -> None:
    base = bytes(1000 * DTYPES[name].lane)
    body = bytearray(rcb.encode(base, base, Form(name)))
    body[at] = value

    with pytest.raises(FormatError):
        RCB.decode(bytes(body), [base], len(base))


@pytest.mark.parametrize("row", [1, 32, 63, 65])
def test_classes_of_short_rows_or_of_a_broken_number_are_refused(row: int) -> None:
    base = bytes(4 * 64 * 64)
    body = rcb.encode(base, base, Form("F32"))
    classes = lanes.compress(np.zeros(64 * 64 // row, np.uint8))
    head = struct.pack("<BBII", body[0], body[1], row, len(classes))

    with pytest.raises(FormatError, match=f"in rows of {row}"):
        RCB.decode(head + classes + body[10:], [base], len(base))


def test_classes_for_another_number_of_rows_are_refused() -> None:
    base = bytes(4 * 6400)
    body = rcb.encode(base, base, Form("F32"))
    classes = lanes.compress(np.zeros(101, np.uint8))
    head = struct.pack("<BBII", body[0], body[1], 64, len(classes))

    with pytest.raises(FormatError, match="declares 101"):
        RCB.decode(head + classes + body[10:], [base], len(base))
