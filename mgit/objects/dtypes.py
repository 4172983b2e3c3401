"""Element types, by their names in safetensors, and the rule that cuts a tensor into chunks."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

CHUNK_ELEMENTS = 1 << 20
FILE_CHUNK_BYTES = 4 << 20
MAX_CHUNK_BYTES = 8 << 20  # CHUNK_ELEMENTS of the widest type


class Order(Enum):
    """How the bits of an element are ordered as numbers."""

    FLOAT = "sign and magnitude"
    INTEGER = "two's complement or unsigned: differences wrap"


@dataclass(frozen=True, slots=True)
class DType:
    """An element type.

    Attributes:
        bits: Size of one element; a type below eight bits is handled as its packed bytes.
        lane: Bytes of the unit whose bits are compared: a complex number is two floats.
        order: How a lane is ordered.
    """

    bits: int
    lane: int
    order: Order


DTYPES = {
    "BOOL": DType(8, 1, Order.INTEGER),
    "U8": DType(8, 1, Order.INTEGER),
    "I8": DType(8, 1, Order.INTEGER),
    "U16": DType(16, 2, Order.INTEGER),
    "I16": DType(16, 2, Order.INTEGER),
    "U32": DType(32, 4, Order.INTEGER),
    "I32": DType(32, 4, Order.INTEGER),
    "U64": DType(64, 8, Order.INTEGER),
    "I64": DType(64, 8, Order.INTEGER),
    "F4": DType(4, 1, Order.INTEGER),
    "F6_E2M3": DType(6, 1, Order.INTEGER),
    "F6_E3M2": DType(6, 1, Order.INTEGER),
    "F8_E4M3": DType(8, 1, Order.FLOAT),
    "F8_E5M2": DType(8, 1, Order.FLOAT),
    "F8_E8M0": DType(8, 1, Order.INTEGER),
    "F16": DType(16, 2, Order.FLOAT),
    "BF16": DType(16, 2, Order.FLOAT),
    "F32": DType(32, 4, Order.FLOAT),
    "F64": DType(64, 8, Order.FLOAT),
    "C64": DType(64, 4, Order.FLOAT),
}
RAW_BYTES = DTYPES["U8"]


def size_bytes(dtype: DType, shape: tuple[int, ...]) -> int:
    """Returns the bytes of a tensor; exact, whatever the shape.

    Raises:
        ValueError: Elements below one byte that do not fill their last byte.
    """
    bits = dtype.bits * math.prod(shape)
    if bits % 8:
        raise ValueError(
            f"{math.prod(shape)} elements of {dtype.bits} bits do not fill whole bytes"
        )
    return bits // 8


def cut(dtype: DType, shape: tuple[int, ...]) -> Iterator[int]:
    """Yields the sizes in bytes of the chunks of a tensor, in order.

    Whole rows of the first dimension, as many as fit in ``CHUNK_ELEMENTS``; a longer row is cut by
    itself by the same rule, so that a fused ``[experts, rows, columns]`` shares its chunks with
    separate experts.
    """
    if dtype.bits % 8:
        yield from cut(RAW_BYTES, (size_bytes(dtype, shape),))
        return
    width = dtype.bits // 8
    for elements in _cut_elements(shape):
        yield elements * width


def _cut_elements(shape: tuple[int, ...]) -> Iterator[int]:
    if 0 in shape:
        return
    if not shape:
        yield 1
        return
    rows, row = shape[0], math.prod(shape[1:])
    if row > CHUNK_ELEMENTS:
        for _ in range(rows):
            yield from _cut_elements(shape[1:])
        return
    step = CHUNK_ELEMENTS // row
    for start in range(0, rows, step):
        yield min(step, rows - start) * row


def row_elements(dtype: DType, shape: tuple[int, ...]) -> int:
    """Returns the elements of a row in the chunks of a tensor; 1 where it is cut as plain bytes."""
    if dtype.bits % 8:
        return 1
    rows = (math.prod(shape[depth:]) for depth in range(1, len(shape)))
    return next((row for row in rows if 0 < row <= CHUNK_ELEMENTS), 1)


def cut_file(size: int) -> Iterator[int]:
    """Yields the sizes in bytes of the chunks of a file."""
    for start in range(0, size, FILE_CHUNK_BYTES):
        yield min(FILE_CHUNK_BYTES, size - start)
