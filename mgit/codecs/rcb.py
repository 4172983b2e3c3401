"""Codec 3, rcb: an integer difference, stored in an order that only the base decides.

How far an update moves the bits of a number depends on its magnitude, so lanes are sorted by the
exponent and the top mantissa bits of the *base*: the decoder has the base, so the order costs
nothing. Rows whose changes differ much in size (touched and untouched rows of an embedding) are
told apart first, by a byte a row that is stored. Floats count away from nought: weight decay then
moves positive and negative numbers the same way, and the sign of a change is seldom news.
"""

import struct
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mgit.codecs import lanes
from mgit.codecs.form import Form
from mgit.codecs.lanes import Lanes, Octets, add, monotone, subtract
from mgit.codecs.sorting import sort, unsort
from mgit.errors import FormatError
from mgit.objects import Order

_HEADER = struct.Struct("<BBII")  # shift, fine bits, lanes in a row, bytes of the coded classes

# By lane width, where the eight bits of a key begin, and how many of them count inside a block
# only. Of floats of 32 bits, four bits of exponent (numbers that differ by 2^16 do not mind being
# neighbours) and four of mantissa; more gain nothing, and eight bits are sorted in one pass.
_KEYS = {1: (0, 0), 2: (7, 0), 4: (19, 4), 8: (48, 4)}
_KEY_BITS = 8
_COLUMNS = 32  # of a row, from which its class is told
_MIN_ROW, _MIN_ROWS = 64, 8
_MIN_SPREAD = 3  # doublings between rows of small and of large changes, or they are not grouped
_OUTLIERS = 50  # one row in so many may be of any size


def encode(
    raw: bytes | memoryview,
    base: bytes | memoryview,
    form: Form,
    *,
    entropy_coded: bool = False,
) -> bytes:
    """Returns ``raw`` as a difference from ``base``.

    Args:
        raw: A whole number of lanes of the form's type, little-endian.
        base: As many bytes, of the same type.
        form: What the bytes are.
        entropy_coded: Whether planes may be coded with the entropy coder: then this is codec 10.

    Raises:
        ValueError: The sizes differ.
    """
    dtype, is_float = form.dtype, form.dtype.order is Order.FLOAT
    child, parent = lanes.pair(raw, base, dtype)
    change = lanes.in_blocks(_subtract_floats if is_float else subtract, child, parent)
    shift, fine_bits = _KEYS[dtype.lane] if is_float else (dtype.lane * 8, 0)
    row = form.row * dtype.bits // (8 * dtype.lane)
    classes = _classes(change, row)
    coded = lanes.compress(classes) if len(classes) else b""
    rows = np.argsort(classes, kind="stable")
    change, keys = _by_class(change, rows), _by_class(_keys(parent, shift), rows)
    stored = np.empty_like(change)
    for of in _parts(classes, len(change)):
        sort(change[of], keys[of], fine_bits, stored[of])
    head = _HEADER.pack(shift, fine_bits, row if coded else 0, len(coded))
    return head + coded + lanes.pack(stored, dtype, entropy_coded=entropy_coded)


def is_in_pieces(body: bytes) -> bool:
    """Returns whether a plane of a body was cut into pieces: then it is one of codec 10."""
    *_, length = _HEADER.unpack_from(body)
    return lanes.is_in_pieces(body[_HEADER.size + length :])


def decode(body: bytes, bases: Sequence[bytes], size: int, *, entropy_coded: bool = False) -> bytes:
    """Returns the ``size`` bytes that ``body`` and the base give, or raises FormatError."""
    if len(bases) != 1 or len(bases[0]) != size or len(body) < _HEADER.size:
        raise FormatError(f"a difference of {size} bytes needs one base of that size")
    shift, fine_bits, row, length = _HEADER.unpack_from(body)
    start = _HEADER.size + length
    stored, order = lanes.unpack(body[start:], size, entropy_coded=entropy_coded)
    if shift > stored.itemsize * 8 or fine_bits > _KEY_BITS:
        raise FormatError(f"lanes of {stored.itemsize} bytes sorted by {shift}, {fine_bits}")
    classes = _decode_classes(body[_HEADER.size : start], row, len(stored))
    parent = np.frombuffer(bases[0], stored.dtype)
    rows = np.argsort(classes, kind="stable")
    keys = _by_class(_keys(parent, shift), rows)
    change = np.empty_like(stored)
    for of in _parts(classes, len(stored)):
        unsort(stored[of], keys[of], fine_bits, change[of])
    if len(rows):
        stored.reshape(len(rows), -1)[rows] = change.reshape(len(rows), -1)
        change = stored
    step = _add_floats if order is Order.FLOAT else add
    return lanes.bytes_in_blocks(step, change, parent)


def _subtract_floats(child: Lanes, parent: Lanes) -> Lanes:
    sign = _signs(parent)
    return subtract(monotone(child ^ sign), parent ^ sign)


def _add_floats(change: Lanes, parent: Lanes) -> Lanes:
    sign = _signs(parent)
    child = monotone(add(change, parent ^ sign))
    child ^= sign
    return child


def _signs(parent: Lanes) -> Lanes:
    """Returns the highest bit of each lane, alone in its place."""
    return parent & np.array(1 << (parent.itemsize * 8 - 1), parent.dtype)


def _keys(parent: Lanes, shift: int) -> Octets:
    """Returns what each lane is sorted by, shape (n,): eight bits of its base from ``shift`` up."""
    by = np.array(shift, parent.dtype)
    keys = np.empty(len(parent), np.uint8)
    for start in range(0, len(parent), lanes.BLOCK):
        keys[start : start + lanes.BLOCK] = parent[start : start + lanes.BLOCK] >> by
    return keys


def _classes(change: Lanes, row: int) -> Octets:
    """Returns the class of each row: the mean length of its changes in bits.

    Empty where rows are not to be grouped: few rows, short rows, or changes of like size.
    """
    if row < _MIN_ROW or len(change) % row or len(change) // row < _MIN_ROWS:
        return np.empty(0, np.uint8)
    sample = change.reshape(-1, row)[:, :_COLUMNS].astype(np.float32)
    lengths = np.maximum(sample.view(np.int32) >> 23, 126) - 126  # the float's exponent: bits of it
    classes = np.rint(lengths.mean(axis=1)).astype(np.uint8)
    by_size = np.sort(classes)
    few = len(by_size) // _OUTLIERS
    spread = int(by_size[-1 - few]) - int(by_size[few])
    return classes if spread > _MIN_SPREAD else np.empty(0, np.uint8)


def _decode_classes(coded: bytes, row: int, elements: int) -> Octets:
    if not coded and not row:
        return np.empty(0, np.uint8)
    if row < _MIN_ROW or elements % row:
        raise FormatError(f"{elements} lanes in rows of {row}")
    return np.frombuffer(lanes.decompress(coded, elements // row), np.uint8)


def _by_class(values: Lanes, rows: npt.NDArray[np.intp]) -> Lanes:
    return values.reshape(len(rows), -1)[rows].reshape(-1) if len(rows) else values


def _parts(classes: Octets, elements: int) -> list[slice]:
    """Returns the lanes of each class, once rows are grouped; all lanes where they are not."""
    if not len(classes):
        return [slice(0, elements)]
    ends = np.cumsum(np.bincount(classes) * (elements // len(classes))).tolist()
    return [slice(start, end) for start, end in pairwise([0, *ends])]
