"""Checkpoint folders as stored bits: safetensors read, changed and written with numpy alone.

The format is read by hand, some twenty lines, because numpy has no bfloat16 and torch takes seconds
to import. Files come out as ``safetensors.save_file`` writes them, byte for byte. This module knows
no model: what a tensor means is its caller's business.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

WEIGHTS = "model.safetensors"
ITEM_BYTES = {"I64": 8, "F32": 4, "BF16": 2}

Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor as it lies in a safetensors file: little-endian bytes, row by row."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


def make_folder(target: Path) -> None:
    """Makes a folder to write a checkpoint to.

    Raises:
        FileExistsError: There is one already, and it is not empty.
    """
    if target.exists() and any(target.iterdir()):
        raise FileExistsError(f"{target} is not empty; choose a new folder")
    target.mkdir(parents=True, exist_ok=True)


def copy_folder(source: Path, target: Path, *, without: tuple[str, ...]) -> None:
    """Copies a folder to a new one, but for names that match one of the patterns ``without``."""
    make_folder(target)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*without), dirs_exist_ok=True)


def rewrite(source: Path, target: Path, change: Callable[[str, Stored], Stored]) -> None:
    """Writes ``source`` to a new or empty folder with every tensor put through ``change``.

    Args:
        source: Checkpoint folder; its other files are copied unchanged.
        target: Where to write.
        change: Takes the name and the old tensor, returns the new one. Called in file order.
    """
    metadata, tensors = read_weights(source / WEIGHTS)
    changed = {name: change(name, each) for name, each in tensors.items()}
    copy_folder(source, target, without=(WEIGHTS,))
    write_weights(target / WEIGHTS, changed, metadata)


def read_weights(path: Path) -> tuple[dict[str, str], dict[str, Stored]]:
    """Returns the metadata and the tensors of a safetensors file, in the order they lie there.

    Raises:
        ValueError: It holds a dtype that is not one of ``ITEM_BYTES``.
    """
    raw = path.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    metadata: dict[str, str] = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        if entry["dtype"] not in ITEM_BYTES:
            known = ", ".join(ITEM_BYTES)
            raise ValueError(f"{path}: {name} is stored as {entry['dtype']}; choose from {known}")
        first, last = entry["data_offsets"]
        data = raw[start + first : start + last]
        tensors[name] = Stored(entry["dtype"], tuple(entry["shape"]), data)
    return metadata, tensors


def write_weights(path: Path, tensors: Mapping[str, Stored], metadata: dict[str, str]) -> None:
    """Writes a safetensors file: the widest dtype first, then by name, as its library does."""
    ordered = sorted(tensors.items(), key=lambda item: (-ITEM_BYTES[item[1].dtype], item[0]))
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, each in ordered:
        offsets = [end, end + len(each.data)]
        header[name] = {"dtype": each.dtype, "shape": each.shape, "data_offsets": offsets}
        end = offsets[1]
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # so that the first tensor is aligned
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(each.data for _, each in ordered)


def unpack(stored: Stored) -> Floats:
    """Returns the numbers of a float32 or bfloat16 tensor, exactly, as a new float32 array.

    Raises:
        ValueError: It is stored as something else.
    """
    match stored.dtype:
        case "F32":
            return np.frombuffer(stored.data, "<f4").reshape(stored.shape).copy()
        case "BF16":
            bits = np.frombuffer(stored.data, "<u2").astype("<u4") << 16
            return bits.view("<f4").reshape(stored.shape)
        case other:
            raise ValueError(f"cannot compute with {other}; choose from F32, BF16")


def pack(numbers: Floats, dtype: str) -> Stored:
    """Returns ``numbers``, none of them NaN, stored as F32, or as BF16 rounded half to even.

    Raises:
        ValueError: ``dtype`` is something else.
    """
    match dtype:
        case "F32":
            return Stored(dtype, numbers.shape, numbers.astype("<f4").tobytes())
        case "BF16":
            bits = numbers.astype("<f4").view("<u4")
            rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
            return Stored(dtype, numbers.shape, rounded.astype("<u2").tobytes())
        case other:
            raise ValueError(f"cannot store as {other}; choose from F32, BF16")
