"""What the plane codecs share: lanes as numpy integers, their order, and coded byte planes.

A body is ``lane width u8 | order u8 | per plane (method u8, length u32 LE) | planes``. Plane k
holds byte k (little-endian) of every lane. Methods: 0 the bytes themselves, 1 one zstd frame that
declares its size.
"""

import struct
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import zstandard

from mgit.errors import FormatError
from mgit.objects import DType, Order

Lanes = npt.NDArray[np.unsignedinteger]
Step = Callable[[Lanes, Lanes], Lanes]

BLOCK = 1 << 16  # lanes: a block and its temporaries stay in the second-level cache
UNSIGNED: dict[int, np.dtype[np.unsignedinteger]] = {
    1: np.dtype("<u1"),
    2: np.dtype("<u2"),
    4: np.dtype("<u4"),
    8: np.dtype("<u8"),
}
SIGNED: dict[int, np.dtype[np.signedinteger]] = {
    1: np.dtype("<i1"),
    2: np.dtype("<i2"),
    4: np.dtype("<i4"),
    8: np.dtype("<i8"),
}
ORDERS = {0: Order.INTEGER, 1: Order.FLOAT}

_HEADER = struct.Struct("<BB")
_PLANE = struct.Struct("<BI")
_STORED, _ZSTD = 0, 1
_LEVEL = 1  # measured: higher levels find spurious matches on these planes and lose both ways


def in_blocks(step: Step, left: Lanes, right: Lanes) -> Lanes:
    """Returns ``step`` over both arrays, computed block by block. Shapes (n,) and (n,) -> (n,)."""
    out = np.empty_like(left)
    for start in range(0, len(left), BLOCK):
        part = slice(start, start + BLOCK)
        out[part] = step(left[part], right[part])
    return out


def pack(lanes: Lanes, dtype: DType) -> bytes:
    """Returns a body that holds ``lanes``, shape (n,), plane by plane."""
    octets = lanes.view(np.uint8).reshape(-1, dtype.lane)
    compress = zstandard.ZstdCompressor(level=_LEVEL).compress
    table, parts = [], []
    for index in range(dtype.lane):
        plane = np.ascontiguousarray(octets[:, index])
        frame = compress(plane.data)
        method, coded = (_ZSTD, frame) if len(frame) < plane.nbytes else (_STORED, plane.tobytes())
        table.append(_PLANE.pack(method, len(coded)))
        parts.append(coded)
    order = next(number for number, order in ORDERS.items() if order is dtype.order)
    return b"".join((_HEADER.pack(dtype.lane, order), *table, *parts))


def unpack(body: bytes, size: int) -> tuple[Lanes, Order]:
    """Returns the lanes in ``body`` and their order; they take exactly ``size`` bytes.

    Raises:
        FormatError: The body does not hold that.
    """
    if len(body) < _HEADER.size:
        raise FormatError(f"a coded body of {len(body)} bytes")
    lane, order = _HEADER.unpack_from(body)
    if lane not in UNSIGNED or order not in ORDERS or size % lane:
        raise FormatError(f"{size} bytes in lanes of {lane}, order {order}")
    at = _HEADER.size + lane * _PLANE.size
    if len(body) < at:
        raise FormatError("a coded body ends inside its table of planes")
    octets = np.empty((size // lane, lane), np.uint8)
    for index in range(lane):
        method, length = _PLANE.unpack_from(body, _HEADER.size + index * _PLANE.size)
        octets[:, index] = _plane(body[at : at + length], method, size // lane)
        at += length
    if at != len(body):
        raise FormatError("a coded body with bytes left over")
    return octets.reshape(-1).view(UNSIGNED[lane]), ORDERS[order]


def _plane(coded: bytes, method: int, size: int) -> npt.NDArray[np.uint8]:
    if method == _ZSTD:
        coded = decompress(coded, size)
    elif method != _STORED:
        raise FormatError(f"unknown coding {method} of a plane")
    if len(coded) != size:
        raise FormatError(f"a plane of {len(coded)} bytes, not {size}")
    return np.frombuffer(coded, np.uint8)


def decompress(frame: bytes, size: int) -> bytes:
    """Returns the content of a zstd frame that declares exactly ``size`` bytes.

    The declared size is checked first: zstandard ignores ``max_output_size`` when a frame declares
    one, and would allocate whatever a hostile frame asks for.
    """
    try:
        declared = zstandard.get_frame_parameters(frame).content_size
        if declared != size:
            raise FormatError(f"a frame declares {declared} bytes, not {size}")
        return zstandard.ZstdDecompressor().decompress(
            frame, max_output_size=size, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise FormatError(f"a broken zstd frame: {error}") from error
