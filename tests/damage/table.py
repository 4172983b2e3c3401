r"""A small repository with one of everything, and the ways in which its files can be damaged.

base@v1 --- base           the second version rests on the first
   \--- half               the same weights in half precision: derived

alice/.mgit/packs/*       bodies, index (header, kinds, fan-out, rows, bases, summary), trailer
alice/.mgit/packs/list, local/*, decoded/*, config.toml
caches/alice/**           indexes of packs, the index over all packs, seals
good/                      a copy of the repository that nothing happens to
"""

import shutil
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mgit import sync
from mgit.adding import Description, add
from mgit.codecs import CAST, FAST, RCB
from mgit.decoded import Decoded
from mgit.objects import CHUNK, PackId
from mgit.repository import FOLDER, Repository, read_parts
from tests.checkpoints import (
    Tensor,
    f32,
    files_below,
    floats,
    home_of,
    repository_of,
    safetensors,
    written,
)

_SMALL_MODELS = 6  # so many packs that an index over all of them is kept
_HEADER_BYTES, _KINDS_BYTES, _FAN_OUT_BYTES, _ROW_BYTES, _TRAILER_BYTES = 64, 256, 1024, 80, 48
_HEADER = (
    ("magic of the index", 8),
    ("features", 24),
    ("counts", 12),
    ("kind and size", 20),
    ("kinds", _KINDS_BYTES),
    ("fan-out", _FAN_OUT_BYTES),
)
_ROW = (
    ("digest in a row", 32),
    ("check in a row", 16),
    ("offset in a row", 8),
    ("stored size in a row", 8),
    ("raw size in a row", 8),
    ("first base in a row", 4),
    ("number of bases in a row", 2),
    ("codec in a row", 1),
    ("kind in a row", 1),
)
_TRAILER = (("size of the index", 8), ("pack id", 32), ("magic of the trailer", 8))


def flip(content: bytearray, start: int, stop: int) -> None:
    content[(start + stop) // 2] ^= 0x10


def truncate(content: bytearray, start: int, stop: int) -> None:
    del content[(start + stop) // 2 :]


def zero(content: bytearray, start: int, stop: int) -> None:
    content[start:stop] = bytes(stop - start)


def swap(content: bytearray, start: int, stop: int) -> None:
    half = (stop - start) // 2
    first, second = content[start : start + half], content[start + half : start + 2 * half]
    content[start : start + 2 * half] = second + first


def delete(content: bytearray, start: int, stop: int) -> None:
    del content[start:stop]


DAMAGES: Mapping[str, Callable[[bytearray, int, int], None]] = {
    "flip": flip,
    "truncate": truncate,
    "zero": zero,
    "swap": swap,
    "delete": delete,
}
REMOVED = "remove"  # the file is gone


@dataclass(frozen=True, slots=True)
class Case:
    """What happens to which bytes.

    Attributes:
        path: Of the file, below the root.
        role: What the file is.
        part: What the bytes are.
        how: A key of ``DAMAGES``, or ``REMOVED``.
        start: The first byte.
        stop: The one behind the last.
    """

    path: str
    role: str
    part: str
    how: str
    start: int
    stop: int

    def happens(self, root: Path) -> bool:
        """Damages the file; returns whether it is another one now."""
        path = root / self.path
        if self.how == REMOVED:
            path.unlink()
            return True
        content = bytearray(path.read_bytes())
        before = bytes(content)
        DAMAGES[self.how](content, self.start, self.stop)
        path.chmod(0o644)
        path.write_bytes(content)
        return bytes(content) != before

    def __str__(self) -> str:
        return f"{self.how} {self.part} of {self.role}, {self.path}"


ROLES = (
    "first metadata",
    "metadata",
    "newest metadata",
    "chunks",
    "differences",
    "derivation",
    "decoded tensor",
    "cache",
    "settings",
    "facts",
)


def models(root: Path) -> dict[str, Path]:
    """Id of a node -> the checkpoint that it was made from."""
    return {path.name: path for path in (root / "in").iterdir()}


def alice_in(root: Path) -> Repository:
    """Her repository, as somebody opens it who knows nothing yet."""
    return Repository.at(root / "alice" / FOLDER, home_of("alice", root))


def build(root: Path) -> None:
    """Makes the repository, in ``root/alice``, and the good copy of it."""
    alice = repository_of("alice", root)
    near = floats(1, 1024)
    half = b"".join(struct.pack("<e", value) for value in near)
    _added(alice, root, "base", f32(near, 32, 32))
    _added(alice, root, "base", f32(floats(2, 0, near=near), 32, 32))
    _added(alice, root, "half", Tensor("F16", (32, 32), half), "base@v1")
    for number in range(_SMALL_MODELS):
        _added(alice, root, f"small-{number}", f32(floats(number + 9, 16)))
    _work_with(alice, root)
    shutil.copytree(root / "alice", root / "good")
    codecs = {place.row.codec for place in alice.store.catalog.of_kind(CHUNK)}
    assert CAST.number in codecs
    assert codecs & {FAST.number, RCB.number}


def _added(alice: Repository, root: Path, name: str, tensor: Tensor, parent: str = "") -> None:
    source = root / "source"
    written(source / "m.safetensors", safetensors({"w": tensor}))
    written(source / "config.json", b'{"model_type": "tiny"}')
    told = Description(parents=[parent]) if parent else Description()
    node = add(alice, source, name, description=told).node
    shutil.copytree(source, root / "in" / node.hex())


def _work_with(alice: Repository, root: Path) -> None:
    """Leaves the facts and caches that daily work leaves."""
    shutil.copytree(root / "alice", root / "elsewhere")
    sync.add_remote(alice, "origin", str(root / "elsewhere"))
    sync.fetch(alice, "origin")
    pack = min(alice.store.catalog.packs)
    alice.store.condemned.add([pack])
    alice.store.condemned.forget([pack])
    alice.store.reader.report(next(alice.store.catalog.of_kind(CHUNK)), "it was bad for a while")
    alice.store.note_healing(next(alice.store.catalog.of_kind(CHUNK)).pack)
    alice.facts("promises").append({"nodes": [], "reason": "here", "remote": "origin"})
    alice.store.refresh()
    decode_all(alice)


def decode_all(repository: Repository) -> dict[str, bytes]:
    """The bytes of every tensor, out of the decoded cache; by node and name."""
    found, cache = {}, Decoded.of(repository)
    for digest, node in repository.history().nodes.items():
        weights = read_parts(repository, node).weights
        for name, entry in weights.tensors.items():
            raw = cache.tensor(entry, repository.store.reader.chunk)
            found[f"{digest.hex()} {name}"] = bytes(raw)
    return found


# --- what can be damaged ---


def cases(root: Path) -> Iterator[Case]:
    """Yields every case of the table."""
    for path, role, parts in _files(root):
        for part, start, stop in parts:
            for how in DAMAGES:
                yield Case(path, role, part, how, start, stop)
        yield Case(path, role, "all", REMOVED, 0, 0)


def _files(root: Path) -> Iterator[tuple[str, str, list[tuple[str, int, int]]]]:
    folder = root / "alice" / FOLDER
    for role, path in _packs(root).items():
        yield f"alice/{FOLDER}/packs/{path.name}", role, list(parts_of_pack(path.read_bytes()))
    for name in sorted(files_below(folder)):
        if not name.startswith("packs/") or name == "packs/list":
            yield f"alice/{FOLDER}/{name}", _role_of(name), _whole(folder / name)
    for name in sorted(files_below(root / "caches")):
        yield f"caches/{name}", "cache", _whole(root / "caches" / name)


def _role_of(name: str) -> str:
    if name.startswith("decoded/"):
        return "decoded tensor"
    return "settings" if name == "config.toml" else "facts"


def _whole(path: Path) -> list[tuple[str, int, int]]:
    size = path.stat().st_size
    return [("all", 0, size)] if size else []


def _packs(root: Path) -> dict[str, Path]:
    """One pack of every role."""
    store = alice_in(root).store
    by_age = sorted(store.catalog.packs, key=lambda pack: store.path_of(pack).stat().st_mtime_ns)

    def first_with(codecs: set[int]) -> PackId:
        return next(
            place.pack
            for place in store.catalog.of_kinds({CHUNK}, by_age)
            if place.row.codec in codecs
        )

    metadata = [pack for pack in by_age if store.path_of(pack).suffix == ".meta"]
    chunks = [pack for pack in by_age if store.path_of(pack).suffix == ".chunks"]
    roles = {
        "first metadata": metadata[0],
        "metadata": metadata[2],
        "newest metadata": metadata[-1],
        "chunks": chunks[0],
        "differences": first_with({FAST.number, RCB.number}),
        "derivation": first_with({CAST.number}),
    }
    return {role: store.path_of(pack) for role, pack in roles.items()}


def parts_of_pack(content: bytes) -> Iterator[tuple[str, int, int]]:
    """Yields the parts of a pack: name, first byte, the one behind the last."""
    end = len(content) - _TRAILER_BYTES
    (length,) = struct.unpack_from("<Q", content, end)
    index = end - length
    rows, bases, note = struct.unpack_from("<III", content, index + 32)
    rows_at = index + _HEADER_BYTES + _KINDS_BYTES + _FAN_OUT_BYTES
    (offset, stored) = struct.unpack_from("<QQ", content, rows_at + 48)
    yield "body", offset, offset + stored
    yield "bodies", 0, index
    yield from _laid(index, _HEADER)
    yield from _laid(rows_at, _ROW)
    behind = (("base table", bases * 32), ("summary", note), *_TRAILER)
    yield from _laid(rows_at + rows * _ROW_BYTES, behind)


def _laid(at: int, parts: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int, int]]:
    """Yields parts of known sizes that lie end to end, but for those that are empty."""
    for name, size in parts:
        if size:
            yield name, at, at + size
        at += size
