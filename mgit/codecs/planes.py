"""Codec 1, planes: a chunk by itself, byte plane by byte plane, each with zstd or as it is.

Floats are rotated left by one bit first, so that the exponent fills one plane and the sign, which
is noise, joins the low mantissa bits (as ZipNN does, arXiv 2411.05239).
"""

from collections.abc import Sequence

import numpy as np

from mgit.codecs import lanes
from mgit.codecs.form import Form
from mgit.errors import FormatError
from mgit.objects import Order


def encode(raw: bytes | memoryview, form: Form, *, entropy_coded: bool = False) -> bytes:
    """Returns a body that holds ``raw``, a whole number of lanes of its type.

    With ``entropy_coded``, planes may be coded with the entropy coder: then this is codec 9.
    """
    dtype = form.dtype
    values: lanes.Lanes = np.frombuffer(raw, lanes.UNSIGNED[dtype.lane])
    if dtype.order is Order.FLOAT:
        values = lanes.in_blocks(_rotate_left, values, values)
    return lanes.pack(values, dtype, entropy_coded=entropy_coded)


def decode(body: bytes, bases: Sequence[bytes], size: int, *, entropy_coded: bool = False) -> bytes:
    """Returns the ``size`` bytes in ``body``; FormatError where it does not hold them."""
    if bases:
        raise FormatError("a standalone chunk with a base")
    values, order = lanes.unpack(body, size, entropy_coded=entropy_coded)
    if order is Order.FLOAT:
        return lanes.bytes_in_blocks(_rotate_right, values, values)
    return values.tobytes()


def _rotate_left(values: lanes.Lanes, _: lanes.Lanes) -> lanes.Lanes:
    top = np.array(values.itemsize * 8 - 1, values.dtype)
    one = np.array(1, values.dtype)
    return (values << one) | (values >> top)


def _rotate_right(values: lanes.Lanes, _: lanes.Lanes) -> lanes.Lanes:
    top = np.array(values.itemsize * 8 - 1, values.dtype)
    one = np.array(1, values.dtype)
    return (values >> one) | (values << top)
