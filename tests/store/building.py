"""Packs, catalogs and repositories for tests, made from a few words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from mgit.adding import add
from mgit.codecs import FAST, RAW, fast
from mgit.codecs.form import Form
from mgit.digest import Digest
from mgit.editing import init
from mgit.objects import CHUNK, PackId, PackKind, Ref
from mgit.repository import Home, Repository
from mgit.store import Catalog, Place, Reader, Row, Store
from mgit.store.format import PackIndex, build_index, check_of, trailer

SIZE = 512  # bytes of a chunk made here
_NOISE = b"".join(Digest.of(bytes([i])) for i in range(SIZE // 32))


@dataclass(frozen=True)
class Made:
    """A chunk in a pack: how it is stored, and what."""

    row: Row
    body: bytes


def raw_of(word: str) -> bytes:
    """The chunk that tests call by this word: small beside another of them, but not alone."""
    return word.encode().ljust(16, b".") + _NOISE[16:]


def id_of(word: str) -> Digest:
    return Digest.of(raw_of(word))


def full(word: str) -> Made:
    raw = raw_of(word)
    return Made(Row(Ref(CHUNK, Digest.of(raw)), RAW.number, (), 0, SIZE, SIZE, check_of(raw)), raw)


def delta(word: str, base: str) -> Made:
    raw = raw_of(word)
    body = fast.encode(raw, raw_of(base), Form("F32"))
    row = Row(
        Ref(CHUNK, Digest.of(raw)), FAST.number, (id_of(base),), 0, len(body), SIZE, check_of(body)
    )
    return Made(row, body)


def end_to_end(rows: Iterable[Row]) -> list[Row]:
    """The rows with their bodies one behind the other."""
    placed: list[Row] = []
    for row in rows:
        at = placed[-1].end if placed else 0
        placed.append(
            Row(row.ref, row.codec, row.bases, at, row.stored_bytes, row.raw_bytes, row.check)
        )
    return placed


def index_of(rows: Iterable[Row], kind: PackKind = PackKind.CHUNKS) -> PackIndex:
    return parsed(build_index(kind, end_to_end(rows), {}))


def parsed(index: bytes) -> PackIndex:
    return PackIndex(PackId(Digest.of(index)), index)


class Packs:
    """Packs in memory, and a reader over them. ``spoil`` breaks a stored body."""

    def __init__(self, *packs: Sequence[Made]) -> None:
        self.indexes = [index_of(made.row for made in pack) for pack in packs]
        self.files = {
            index.pack: bytearray(b"".join(made.body for made in pack))
            for index, pack in zip(self.indexes, packs, strict=True)
        }
        self.catalog = Catalog({index.pack: index for index in self.indexes})
        self.reported: list[Place] = []
        self.reader = Reader(self.catalog, self.bytes_of, self._report)

    def spoil(self, number: int, word: str) -> None:
        index = self.indexes[number]
        row = index.find(Ref(CHUNK, id_of(word)))
        assert row is not None
        self.files[index.pack][row.offset] ^= 1

    def bytes_of(self, pack: PackId, start: int, stop: int) -> bytes:
        return bytes(self.files[pack][start:stop])

    def _report(self, place: Place, _reason: str) -> None:
        self.reported.append(place)
        self.catalog.exclude(place)


def write_pack(folder: Path, made: Sequence[Made]) -> Path:
    """Writes a chunk pack into a ``packs`` folder, past the code that is tested."""
    data = build_index(PackKind.CHUNKS, end_to_end(m.row for m in made), {})
    path = folder / f"{Digest.of(data).hex()}.chunks"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(m.body for m in made) + data + trailer(data))
    return path


def store_at(folder: Path) -> Store:
    return Store(folder, folder / "cache")


def family(folder: Path) -> Repository:
    """A repository with one model in two versions: the second rests on the first.

    v1: first.meta, first.chunks (standalone)    v2: second.meta, second.chunks (differences)
    """
    repository = init(folder, Home(folder / "home", folder / "cache"), label="alice")
    values = np.linspace(-1, 1, 2048, dtype=np.float32)
    for step in (0, 1):
        source = folder / f"v{step}.safetensors"
        noise = np.sin(np.arange(2048, dtype=np.float32) * 1e3).astype(np.float32)
        save_file(
            {
                "embed": (values * noise + step * 1e-6).reshape(32, 64),
                "bias": values[:5] + np.float32(step),
                "head": (noise + step * 1e-6).astype(np.float16),
            },
            source,
        )
        add(repository, source, "tiny")
    return repository
