"""Codec 2, fast: a chunk as integer difference from a base of the same size, in byte planes.

The bits of floats are mapped so that integer order is numeric order, as FM-Delta does (NeurIPS
2024); the difference wraps and is zigzag coded. Integers instead of float subtraction, because that
is exact for every bit pattern; differences instead of XOR, because a carry then costs one bit.
"""

from collections.abc import Sequence

import numpy as np

from mgit.codecs import lanes
from mgit.codecs.form import Form
from mgit.codecs.lanes import add, monotone, subtract
from mgit.errors import FormatError
from mgit.objects import Order


def encode(raw: bytes | memoryview, base: bytes | memoryview, form: Form) -> bytes:
    """Returns ``raw`` as a difference from ``base``.

    Raises:
        ValueError: The sizes differ.
    """
    child, parent = lanes.pair(raw, base, form.dtype)
    step = _subtract_floats if form.dtype.order is Order.FLOAT else subtract
    return lanes.pack(lanes.in_blocks(step, child, parent), form.dtype)


def decode(body: bytes, bases: Sequence[bytes], size: int) -> bytes:
    """Returns the ``size`` bytes that ``body`` and the base give, or raises FormatError."""
    if len(bases) != 1 or len(bases[0]) != size:
        raise FormatError(f"a difference of {size} bytes needs one base of that size")
    change, order = lanes.unpack(body, size)
    step = _add_floats if order is Order.FLOAT else add
    return lanes.bytes_in_blocks(step, change, np.frombuffer(bases[0], change.dtype))


def _subtract_floats(child: lanes.Lanes, parent: lanes.Lanes) -> lanes.Lanes:
    return subtract(monotone(child), monotone(parent))


def _add_floats(change: lanes.Lanes, parent: lanes.Lanes) -> lanes.Lanes:
    return monotone(add(change, monotone(parent)))
