"""Codec 2, fast: a chunk as integer difference from a base of the same size, in byte planes.

The bits of floats are mapped so that integer order is numeric order, as FM-Delta does (NeurIPS
2024); the difference wraps and is zigzag coded. Integers instead of float subtraction, because that
is exact for every bit pattern; differences instead of XOR, because a carry then costs one bit.
"""

from collections.abc import Sequence

import numpy as np

from mgit.codecs import lanes
from mgit.errors import FormatError
from mgit.objects import DType, Order


def encode(raw: bytes | memoryview, base: bytes | memoryview, dtype: DType) -> bytes:
    """Returns ``raw`` as a difference from ``base``.

    Raises:
        ValueError: The sizes differ.
    """
    if len(raw) != len(base):
        raise ValueError(f"a chunk of {len(raw)} bytes against a base of {len(base)}")
    unsigned = lanes.UNSIGNED[dtype.lane]
    child, parent = np.frombuffer(raw, unsigned), np.frombuffer(base, unsigned)
    subtract = _subtract_floats if dtype.order is Order.FLOAT else _subtract
    return lanes.pack(lanes.in_blocks(subtract, child, parent), dtype)


def decode(body: bytes, bases: Sequence[bytes], size: int) -> bytes:
    """Returns the ``size`` bytes that ``body`` and the base give, or raises FormatError."""
    if len(bases) != 1 or len(bases[0]) != size:
        raise FormatError(f"a difference of {size} bytes needs one base of that size")
    change, order = lanes.unpack(body, size)
    parent = np.frombuffer(bases[0], change.dtype)
    add = _add_floats if order is Order.FLOAT else _add
    return lanes.in_blocks(add, change, parent).tobytes()


def _subtract(child: lanes.Lanes, parent: lanes.Lanes) -> lanes.Lanes:
    change = (child - parent).view(lanes.SIGNED[child.itemsize])
    return ((change << 1) ^ (change >> (child.itemsize * 8 - 1))).view(child.dtype)


def _add(change: lanes.Lanes, parent: lanes.Lanes) -> lanes.Lanes:
    one = np.array(1, change.dtype)
    return parent + ((change >> one) ^ (-(change & one)))


def _subtract_floats(child: lanes.Lanes, parent: lanes.Lanes) -> lanes.Lanes:
    return _subtract(_monotone(child), _monotone(parent))


def _add_floats(change: lanes.Lanes, parent: lanes.Lanes) -> lanes.Lanes:
    return _monotone(_add(change, _monotone(parent)))


def _monotone(bits: lanes.Lanes) -> lanes.Lanes:
    """Returns sign-magnitude bits as two's complement of the same order; its own inverse."""
    signed = bits.view(lanes.SIGNED[bits.itemsize])
    top = bits.itemsize * 8 - 1
    mapped: lanes.Lanes = (signed ^ ((signed >> top) & ((1 << top) - 1))).view(bits.dtype)
    return mapped
