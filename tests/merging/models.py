"""Tiny models for merging: checkpoints of chosen tensors, and the family they are added to.

start <── ours        ours and theirs are made from start; all three are names
   ^───── theirs
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from mgit import adding
from mgit.digest import Digest
from mgit.repository import Parts, Repository, read_parts
from mgit.selection import Selection
from tests.family import Person

FOLDERS = count()


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor as it stands in a file."""

    dtype: str
    shape: tuple[int, ...]
    raw: bytes


def f32(*values: float, shape: tuple[int, ...] = ()) -> Tensor:
    """A vector, or a tensor of another shape, of float32."""
    return Tensor("F32", shape or (len(values),), np.array(values, "<f4").tobytes())


def i64(*values: int) -> Tensor:
    """A vector of int64."""
    return Tensor("I64", (len(values),), np.array(values, "<i8").tobytes())


def noise(seed: str, *, elements: int = 4096, scale: float = 1.0) -> Tensor:
    """Float32 that does not compress."""
    drawn = np.random.default_rng(list(seed.encode())).normal(0, scale, elements)
    return f32(*drawn)


def moved(tensor: Tensor, seed: str, scale: float = 1e-4) -> Tensor:
    """The tensor after a step of training."""
    values = np.frombuffer(tensor.raw, "<f4")
    steps = np.random.default_rng(list(seed.encode())).normal(0, scale, len(values))
    return Tensor("F32", tensor.shape, (values + steps).astype("<f4").tobytes())


def values(tensor: Tensor) -> list[float]:
    """The elements of a float32 tensor."""
    return [float(v) for v in np.frombuffer(tensor.raw, "<f4")]


def shifted(tensor: Tensor, by: float) -> Tensor:
    """A float32 tensor with a number added to every element."""
    return f32(*(v + by for v in values(tensor)), shape=tensor.shape)


def write(folder: Path, tensors: Mapping[str, Tensor], files: Mapping[str, str]) -> Path:
    """Writes one safetensors file, and other files as they are."""
    folder.mkdir(parents=True)
    at, body = 0, b""
    header: dict[str, Any] = {"__metadata__": {"format": "pt", "step": "17"}}
    for name, tensor in tensors.items():
        offsets = [at, at + len(tensor.raw)]
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": offsets}
        at, body = offsets[1], body + tensor.raw
    described = json.dumps(header).encode()
    content = struct.pack("<Q", len(described)) + described + body
    (folder / "model.safetensors").write_bytes(content)
    for path, text in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    return folder


@dataclass(frozen=True, slots=True)
class Workshop:
    """A repository, and a place to write checkpoints."""

    repository: Repository
    root: Path
    person: Person

    def add(
        self,
        name: str,
        tensors: Mapping[str, Tensor],
        *parents: str,
        files: Mapping[str, str] | None = None,
    ) -> Digest:
        """Adds a model."""
        folder = write(self.root / "checkpoints" / str(next(FOLDERS)), tensors, files or CONFIG)
        description = adding.Description(parents=parents)
        return adding.add(self.repository, folder, name, description=description).node

    def family(
        self,
        start: Mapping[str, Tensor],
        ours: Mapping[str, Tensor],
        theirs: Mapping[str, Tensor],
    ) -> tuple[Digest, Digest, Digest]:
        """Adds three models; those of the sides are what differs from the start."""
        return (
            self.add("start", start),
            self.add("ours", {**start, **ours}, "start"),
            self.add("theirs", {**start, **theirs}, "start"),
        )

    def parts(self, selector: str) -> Parts:
        """What describes a node."""
        history = self.repository.history()
        node = Selection(self.repository, history).one(selector)
        return read_parts(self.repository, history.nodes[node])

    def tensors(self, selector: str) -> dict[str, Tensor]:
        """The tensors of a node, read from the packs."""
        chunk = self.repository.store.reader.chunk
        return {
            name: Tensor(entry.dtype, entry.shape, b"".join(map(chunk, entry.chunks)))
            for name, entry in self.parts(selector).weights.tensors.items()
        }

    def file(self, selector: str, path: str) -> str:
        """A file of a node that is kept whole."""
        entry = self.parts(selector).files()[path]
        return b"".join(map(self.repository.store.reader.chunk, entry.chunks)).decode()

    def packs(self) -> list[str]:
        """The names of all packs: what a command that does nothing leaves as it was."""
        return sorted(path.name for path in (self.repository.folder / "packs").iterdir())

    def remove_chunk_packs(self) -> None:
        """Takes all weights and files out of this copy."""
        for path in (self.repository.folder / "packs").glob("*.chunks"):
            path.unlink()


CONFIG = {"config.json": '{"model_type": "tiny"}'}


def workshop(root: Path) -> Workshop:
    person = Person("alice", root)
    return Workshop(person.init(), root, person)


def elements(count: int, *, start: float = 0.0) -> Sequence[float]:
    return [start + index for index in range(count)]
