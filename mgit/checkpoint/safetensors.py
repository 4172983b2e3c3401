"""The layout of a safetensors file (https://github.com/huggingface/safetensors#format).

Reads headers only; the bytes of tensors are read by whoever needs them. Nothing is ever unpickled.
"""

import json
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from mgit.errors import FormatError
from mgit.objects import DTYPES
from mgit.objects.checkpoint import MAX_DIMENSIONS
from mgit.objects.dtypes import size_bytes

_LENGTH = struct.Struct("<Q")
_MAX_HEADER_BYTES = 64_000_000  # it has to fit in a layout object; the format itself allows 100 MB
_HINT = "the file is damaged or not a safetensors file: download or save it again"


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a file: ``start`` and ``stop`` are offsets in bytes from the file's start."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Header:
    """The header verbatim, and the tensors in the order of their bytes."""

    verbatim: bytes
    tensors: tuple[StoredTensor, ...]


def prefix(header: bytes) -> bytes:
    """Returns what stands before the tensors' bytes in a file."""
    return _LENGTH.pack(len(header)) + header


def read_header(file: BinaryIO, size: int) -> Header | None:
    """Returns the header of a file of ``size`` bytes.

    None where the file is sound but is no plain sequence of tensors (holes, overlaps, types that
    this version does not know): such a file is kept whole.

    Raises:
        FormatError: The header is damaged, or a tensor's bytes do not match its shape.
    """
    first = file.read(_LENGTH.size)
    length = _LENGTH.unpack(first)[0] if len(first) == _LENGTH.size else size
    if length > min(size - _LENGTH.size, _MAX_HEADER_BYTES):
        raise FormatError(f"a header of {length:,} bytes in a file of {size:,}", hint=_HINT)
    verbatim = file.read(length)
    if len(verbatim) != length:
        raise FormatError("the file ends inside its header", hint=_HINT)
    start = _LENGTH.size + length
    described = _parse(verbatim)
    if described is None:
        return None
    tensors = [_tensor(name, value, start, size) for name, value in described.items()]
    tensors.sort(key=lambda t: (t.start, t.stop))
    is_known = all(t.dtype in DTYPES and _can_be_described(t) for t in tensors)
    if not is_known or not _is_tight(tensors, start, size):
        return None
    for tensor in tensors:
        _check_size(tensor)
    return Header(verbatim, tuple(tensors))


def _parse(verbatim: bytes) -> dict[str, object] | None:
    twice = False

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal twice
        twice = twice or len({key for key, _ in pairs}) != len(pairs)
        return dict(pairs)

    try:
        described = json.loads(verbatim.decode(), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"its header is not JSON: {error}", hint=_HINT) from error
    if not isinstance(described, dict):
        raise FormatError("its header is not a JSON object", hint=_HINT)
    described.pop("__metadata__", None)
    return None if twice else described


def _tensor(name: str, value: object, start: int, size: int) -> StoredTensor:
    match value:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
            if not all(type(n) is int and n >= 0 for n in shape):
                raise FormatError(f"tensor {name!r} has the shape {shape}", hint=_HINT)
            if not 0 <= begin <= end <= size - start:
                raise FormatError(
                    f"tensor {name!r} lies at {begin:,}-{end:,} of {size - start:,} bytes",
                    hint=_HINT,
                )
            return StoredTensor(name, dtype, tuple(shape), start + begin, start + end)
        case _:
            raise FormatError(f"tensor {name!r} is described wrongly", hint=_HINT)


def _can_be_described(tensor: StoredTensor) -> bool:
    """Whether name and shape fit in an object: the file format itself allows stranger ones."""
    is_text = not any("\ud800" <= character <= "\udfff" for character in tensor.name)
    is_shape = len(tensor.shape) <= MAX_DIMENSIONS and max(tensor.shape, default=0) < 1 << 63
    return is_text and is_shape


def _is_tight(tensors: list[StoredTensor], start: int, size: int) -> bool:
    if not tensors:
        return size == start
    is_gapless = all(left.stop == right.start for left, right in pairwise(tensors))
    return tensors[0].start == start and tensors[-1].stop == size and is_gapless


def _check_size(tensor: StoredTensor) -> None:
    try:
        expected = size_bytes(DTYPES[tensor.dtype], tensor.shape)
    except ValueError as error:
        raise FormatError(f"tensor {tensor.name!r}: {error}", hint=_HINT) from error
    if tensor.stop - tensor.start != expected:
        raise FormatError(
            f"tensor {tensor.name!r} has {tensor.stop - tensor.start:,} bytes,"
            f" but {tensor.dtype} {list(tensor.shape)} takes {expected:,}",
            hint=_HINT,
        )
