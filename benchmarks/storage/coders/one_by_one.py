"""What the peers have in common that store a model tensor by tensor against its parent.

Equal tensors are stored once. The others are coded by themselves, or against the tensor of the same
name, type and shape of the nearest parent. One file a model: its header, a table, the coded parts.
Everything decoded stays in memory, which is quicker than what the peers do.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.storage.coders.calling import target
from benchmarks.storage.coders.tensors import Bits, Slot, slots, split, tensors
from benchmarks.storage.lineage import Model

Decoded = dict[str, Mapping[str, Bits]]
Entry = tuple[str, str, list[int]]  # how · the model that has the same tensor · lengths of parts


class Coding(Protocol):
    """How one tensor is coded."""

    def encode(self, slot: Slot, bits: Bits, base: Bits | None) -> list[bytes] | None:
        """Returns the parts to store; None: not against this base."""

    def decode(self, slot: Slot, parts: Sequence[bytes], base: Bits | None) -> Bits:
        """Returns the bits that the parts stand for."""


def add(coding: Coding, models: Sequence[Model], store: Path) -> None:
    """Stores the models one after the other."""
    known: dict[tuple[str, bytes], tuple[str, str]] = {}
    heads: dict[str, dict[str, Slot]] = {}
    stored: Decoded = {}
    for model in models:
        head, data = split(model.path)
        heads[model.name] = {slot.name: slot for slot in slots(head)}
        own: dict[str, Bits] = {}
        table: list[Entry] = []
        parts: list[bytes] = []
        for slot, bits in tensors(head, data):
            identity = (slot.type, hashlib.sha256(bits.tobytes()).digest())
            twin = known.setdefault(identity, (model.name, slot.name))
            if twin != (model.name, slot.name):
                own[slot.name] = (own if twin[0] == model.name else stored[twin[0]])[twin[1]]
                table.append(("same", "/".join(twin), []))
                continue
            base = _base(model, slot, heads, stored)
            coded = coding.encode(slot, bits, base) if base is not None else None
            how = "alone" if coded is None else "delta"
            base = None if coded is None else base
            coded = coded or coding.encode(slot, bits, None) or []
            own[slot.name] = coding.decode(slot, coded, base)
            table.append((how, "", [len(part) for part in coded]))
            parts += coded
        stored[model.name] = own
        _write(store / model.name, head, table, parts)


def export(coding: Coding, models: Sequence[Model], store: Path, folder: Path) -> None:
    """Writes the models back."""
    decoded: Decoded = {}
    for model in models:
        head, rows = _read(store / model.name)
        own: dict[str, Bits] = {}
        for slot, (how, twin, parts) in zip(slots(head), rows, strict=True):
            if how == "same":
                owner, name = twin.split("/")
                own[slot.name] = (own if owner == model.name else decoded[owner])[name]
                continue
            base = decoded[model.parents[0]][slot.name] if how == "delta" else None
            own[slot.name] = coding.decode(slot, parts, base)
        decoded[model.name] = own
        target(folder, model.name).write_bytes(head + b"".join(map(bytes, own.values())))


def _base(
    model: Model, slot: Slot, heads: Mapping[str, Mapping[str, Slot]], stored: Decoded
) -> Bits | None:
    if not model.parents:
        return None
    there = heads[model.parents[0]].get(slot.name)
    is_like = there is not None and there.is_like(slot)
    return stored[model.parents[0]][slot.name] if is_like else None


def _write(path: Path, head: bytes, table: Sequence[Entry], parts: Sequence[bytes]) -> None:
    told = json.dumps(table, separators=(",", ":")).encode()
    lengths = len(head).to_bytes(8, "little") + len(told).to_bytes(8, "little")
    path.write_bytes(b"".join([lengths, head, told, *parts]))


def _read(path: Path) -> tuple[bytes, Iterator[tuple[str, str, list[bytes]]]]:
    data = path.read_bytes()
    head_end = 16 + int.from_bytes(data[:8], "little")
    table_end = head_end + int.from_bytes(data[8:16], "little")

    def rows() -> Iterator[tuple[str, str, list[bytes]]]:
        at = table_end
        for how, twin, lengths in json.loads(data[head_end:table_end]):
            parts = []
            for length in lengths:
                parts.append(data[at : at + length])
                at += length
            yield how, twin, parts

    return data[16:head_end], rows()
