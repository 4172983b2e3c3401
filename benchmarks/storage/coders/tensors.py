"""Safetensors files as arrays of bits, without a library that interprets them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.unsignedinteger]
_LANES = {"F64": "<u8", "I64": "<u8", "F32": "<u4", "I32": "<u4", "F16": "<u2", "BF16": "<u2"}


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a tensor lies in a file, and what it is.

    Attributes:
        name: Of the tensor.
        type: As the file says it, "F32".
        shape: Of the tensor.
        begin: First byte, counted from the end of the header.
        end: The byte after its last.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def lane(self) -> np.dtype[np.unsignedinteger]:
        """The unsigned integers that its bits are looked at as."""
        return np.dtype(_LANES.get(self.type, "<u1"))

    def is_like(self, other: "Slot") -> bool:
        """Returns whether both have the same type and shape."""
        return (self.type, self.shape) == (other.type, other.shape)


def slots(head: bytes) -> list[Slot]:
    """Returns what a header tells, in the order of the file."""
    told = json.loads(head[8:])
    told.pop("__metadata__", None)
    found = [
        Slot(name, each["dtype"], tuple(each["shape"]), *each["data_offsets"])
        for name, each in told.items()
    ]
    return sorted(found, key=lambda slot: (slot.begin, slot.end))


def split(path: Path) -> tuple[bytes, bytes]:
    """Returns a file's header and the bytes of its tensors."""
    data = path.read_bytes()
    length = 8 + int.from_bytes(data[:8], "little")
    return data[:length], data[length:]


def tensors(head: bytes, data: bytes) -> Iterator[tuple[Slot, Bits]]:
    """Yields each tensor with its bits, in one dimension."""
    for slot in slots(head):
        count = (slot.end - slot.begin) // slot.lane.itemsize
        yield slot, np.frombuffer(data, slot.lane, count, slot.begin)
