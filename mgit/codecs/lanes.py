"""What the plane codecs share: lanes as numpy integers, their order, and coded byte planes.

A body is ``lane width u8 | order u8 | per plane (method u8, length u32 LE) | planes``. Plane k
holds byte k (little-endian) of every lane. Methods: 0 the bytes themselves, 1 one zstd frame that
declares its size, 2 (only in codecs that say so) pieces, some of which the entropy coder made.
"""

import struct
import threading
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import zstandard

from mgit.codecs import entropy
from mgit.errors import FormatError
from mgit.objects import DType, Order

Lanes = npt.NDArray[np.unsignedinteger]
Octets = npt.NDArray[np.uint8]
Step = Callable[[Lanes, Lanes], Lanes]
Compress = Callable[[Octets], bytes]

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
_STORED, _ZSTD, _PIECES = 0, 1, 2
_ENTROPY = 2  # the method of a piece
_SAMPLE = 4 * entropy.PIECE  # bytes of a plane on which its coding is chosen
_WORTHWHILE = 0.995  # a plane that saves less is noise: it is stored, and costs no time
_WORTH_ENTROPY = 0.99  # the entropy coder is written only where it is better by a hundredth


def in_blocks(step: Step, left: Lanes, right: Lanes) -> Lanes:
    """Returns ``step`` over both arrays, computed block by block. Shapes (n,) and (n,) -> (n,)."""
    out = np.empty_like(left)
    for start in range(0, len(left), BLOCK):
        part = slice(start, start + BLOCK)
        out[part] = step(left[part], right[part])
    return out


def bytes_in_blocks(step: Step, left: Lanes, right: Lanes) -> bytes:
    """Returns the bytes of what ``in_blocks`` returns, without a copy of all of it in between."""
    starts = range(0, len(left), BLOCK)
    parts = (slice(start, start + BLOCK) for start in starts)
    return b"".join([step(left[part], right[part]).data for part in parts])


def pair(raw: bytes | memoryview, base: bytes | memoryview, dtype: DType) -> tuple[Lanes, Lanes]:
    """Returns the lanes of a chunk and of its base, both of shape (n,).

    Raises:
        ValueError: Their sizes differ.
    """
    if len(raw) != len(base):
        raise ValueError(f"a chunk of {len(raw)} bytes against a base of {len(base)}")
    unsigned = UNSIGNED[dtype.lane]
    return np.frombuffer(raw, unsigned), np.frombuffer(base, unsigned)


def subtract(child: Lanes, parent: Lanes) -> Lanes:
    """Returns the difference, which wraps, zigzag coded: 0, -1, 1, -2 … are 0, 1, 2, 3 …."""
    change = child - parent
    signs = change.view(SIGNED[child.itemsize]) >> (child.itemsize * 8 - 1)
    change <<= np.array(1, change.dtype)
    change ^= signs.view(change.dtype)
    return change


def add(change: Lanes, parent: Lanes) -> Lanes:
    """Returns the child: undoes ``subtract``."""
    one = np.array(1, change.dtype)
    child = change >> one
    child ^= -(change & one)
    child += parent
    return child


def monotone(bits: Lanes) -> Lanes:
    """Returns sign-magnitude bits as two's complement of the same order; its own inverse."""
    top = bits.itemsize * 8 - 1
    signs = bits.view(SIGNED[bits.itemsize]) >> top
    signs &= (1 << top) - 1
    mapped: Lanes = signs.view(bits.dtype)
    mapped ^= bits
    return mapped


def pack(lanes: Lanes, dtype: DType, *, entropy_coded: bool = False) -> bytes:
    """Returns a body that holds ``lanes``, shape (n,), plane by plane.

    Args:
        lanes: What is stored.
        dtype: Its element type.
        entropy_coded: Whether planes may be coded with the entropy coder, which must be installed.
    """
    octets = lanes.view(np.uint8).reshape(-1, dtype.lane)
    fast, small = _CODERS.compress
    choices: list[tuple[int, Compress]] = [(_ZSTD, fast), (_ZSTD, small)]
    if entropy_coded:
        choices.append((_PIECES, lambda plane: _pieces(plane, small)))
    table, parts = [], []
    for index in range(dtype.lane):
        method, coded = _coded(np.ascontiguousarray(octets[:, index]), choices)
        table.append(_PLANE.pack(method, len(coded)))
        parts.append(coded)
    order = next(number for number, order in ORDERS.items() if order is dtype.order)
    return b"".join((_HEADER.pack(dtype.lane, order), *table, *parts))


def is_in_pieces(body: bytes) -> bool:
    """Returns whether a plane of a body was cut into pieces: only some codecs may hold those."""
    methods = body[_HEADER.size : _HEADER.size + body[0] * _PLANE.size : _PLANE.size]
    return _PIECES in methods


def unpack(body: bytes, size: int, *, entropy_coded: bool = False) -> tuple[Lanes, Order]:
    """Returns the lanes in ``body`` and their order; they take exactly ``size`` bytes.

    Raises:
        FormatError: The body does not hold that.
        UnknownCodecError: The entropy coder is allowed, needed, and not installed.
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
        coded = body[at : at + length]
        if method == _PIECES and entropy_coded:
            octets[:, index] = _joined(coded, size // lane)
        else:
            octets[:, index] = _plane(coded, method, size // lane)
        at += length
    if at != len(body):
        raise FormatError("a coded body with bytes left over")
    return octets.reshape(-1).view(UNSIGNED[lane]), ORDERS[order]


def _coded(plane: Octets, choices: Sequence[tuple[int, Compress]]) -> tuple[int, bytes]:
    """Returns (method, coded plane), by the smallest coding of a sample."""
    sample = plane if plane.nbytes <= _SAMPLE else _sample(plane)
    best, chosen = len(sample) * _WORTHWHILE, None
    for method, compress_plane in choices:
        size = len(compress_plane(sample))
        if size < best * (_WORTH_ENTROPY if method == _PIECES else 1):
            best, chosen = size, (method, compress_plane)
        elif chosen is None:
            break
    if chosen is None:
        return _STORED, plane.tobytes()
    method, compress_plane = chosen
    coded = compress_plane(plane)
    return (method, coded) if len(coded) < plane.nbytes else (_STORED, plane.tobytes())


def _sample(plane: Octets) -> Octets:
    """Returns pieces from all over the plane, ``_SAMPLE`` bytes: planes may be sorted."""
    count = _SAMPLE // entropy.PIECE
    step = (plane.nbytes - entropy.PIECE) // (count - 1)
    return np.concatenate([plane[i * step : i * step + entropy.PIECE] for i in range(count)])


def _pieces(plane: Octets, zstd: Compress) -> bytes:
    """Returns a table of (method, length) and what it tells of: the plane cut every 32 KiB."""
    table, parts = [], []
    for start in range(0, len(plane), entropy.PIECE):
        piece = plane[start : start + entropy.PIECE]
        codings = [(_STORED, piece.tobytes()), (_ZSTD, zstd(piece))]
        coded = entropy.compress(piece)
        if coded is not None:
            codings.append((_ENTROPY, coded))
        method, shortest = min(codings, key=lambda coding: len(coding[1]))
        table.append(_PLANE.pack(method, len(shortest)))
        parts.append(shortest)
    return b"".join((*table, *parts))


# Planes of differences have little to find but runs: with a small table and no short matches, the
# fastest strategy of zstd finds fewer spurious ones and is better and faster than its levels are.
# Measured on the sorted differences of a fine-tune: 12.54x instead of 12.09x at level 1 (bf16), and
# 3.27x instead of 3.26x (fp32).
_HASH_LOGS = (10, 6)


def _zstd(hash_log: int) -> Compress:
    compressor = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(
            strategy=zstandard.STRATEGY_FAST,
            hash_log=hash_log,
            min_match=7,
            window_log=17,
            chain_log=6,
            search_log=1,
        )
    )
    return lambda plane: compressor.compress(plane.data)


class _Coders(threading.local):
    """Of each thread its own: they serve one call at a time, and making them costs as much."""

    def __init__(self) -> None:
        self.compress = tuple(map(_zstd, _HASH_LOGS))
        self.decompressor = zstandard.ZstdDecompressor()


_CODERS = _Coders()


def _joined(coded: bytes, size: int) -> Octets:
    """Returns a plane of ``size`` bytes that was cut into pieces."""
    count = -(-size // entropy.PIECE)
    at = count * _PLANE.size
    if len(coded) < at:
        raise FormatError("a plane ends inside its table of pieces")
    plane = np.empty(size, np.uint8)
    for index in range(count):
        method, length = _PLANE.unpack_from(coded, index * _PLANE.size)
        piece, out = coded[at : at + length], plane[index * entropy.PIECE :][: entropy.PIECE]
        if method == _ENTROPY:
            piece, method = entropy.decompress(piece, len(out)), _STORED
        out[:] = _plane(piece, method, len(out))
        at += length
    if at != len(coded):
        raise FormatError("a plane in pieces with bytes left over")
    return plane


def _plane(coded: bytes, method: int, size: int) -> Octets:
    if method == _ZSTD:
        coded = decompress(coded, size)
    elif method != _STORED:
        raise FormatError(f"unknown coding {method} of a plane")
    if len(coded) != size:
        raise FormatError(f"a plane of {len(coded)} bytes, not {size}")
    return np.frombuffer(coded, np.uint8)


def compress(plane: Octets) -> bytes:
    """Returns one zstd frame that declares its size."""
    return _CODERS.compress[0](plane)


def decompress(frame: bytes, size: int) -> bytes:
    """Returns the content of a zstd frame that declares exactly ``size`` bytes.

    The declared size is checked first: zstandard ignores ``max_output_size`` when a frame declares
    one, and would allocate whatever a hostile frame asks for.
    """
    try:
        declared = zstandard.get_frame_parameters(frame).content_size
        if declared != size:
            raise FormatError(f"a frame declares {declared} bytes, not {size}")
        return _CODERS.decompressor.decompress(frame, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FormatError(f"a broken zstd frame: {error}") from error
