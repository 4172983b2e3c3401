"""A family of tiny models and the people who keep it: real checkpoints, folders and keys.

Tensors are written as safetensors by hand. Most are larger than 64 bytes, so that a model made from
another one is stored as differences from it.
"""

import hashlib
import json
import random
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mgit import adding, editing, sync
from mgit.digest import Digest
from mgit.objects import Edge, EdgeKind, Node, digest_of
from mgit.repository import Home, Repository, Step, record
from mgit.selection import Selection
from mgit.signing import key_text

TENSORS = ("embedding", "layer.0", "layer.1", "head")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a key and places to work in."""

    name: str
    root: Path

    @property
    def home(self) -> Home:
        return Home(self.root / "homes" / self.name, self.root / "caches" / self.name)

    @property
    def key(self) -> bytes:
        return editing.own_identity(self.home, self.name).key.public

    def init(self, folder: str = "") -> Repository:
        return editing.init(self.root / (folder or self.name), self.home, label=self.name)

    def clone(
        self, url: str, folder: str = "", *, select: str = "", weights: bool = True
    ) -> Repository:
        editing.own_identity(self.home, self.name)
        target = self.root / (folder or self.name)
        return sync.clone(url, target, self.home, select=select, weights=weights).repository


def weights(seed: str, *, elements: int = 64) -> dict[str, list[float]]:
    """Every tensor drawn anew: nothing in common with another seed."""
    drawn = random.Random(seed)  # noqa: S311
    return {name: [drawn.gauss(0, 1) for _ in range(elements)] for name in TENSORS}


def tuned(base: Mapping[str, list[float]], seed: str) -> dict[str, list[float]]:
    """All but the embedding moved a little: what a fine-tune does."""
    drawn = random.Random(seed)  # noqa: S311
    moved = {name: [v + drawn.gauss(0, 1e-4) for v in values] for name, values in base.items()}
    return {**moved, TENSORS[0]: base[TENSORS[0]]}


def write_checkpoint(folder: Path, tensors: Mapping[str, Sequence[float]], note: str = "") -> Path:
    """Writes one safetensors file, a config and a document."""
    folder.mkdir(parents=True, exist_ok=True)
    at, header, body = 0, {}, b""
    for name, values in tensors.items():
        data = struct.pack(f"<{len(values)}f", *values)
        header[name] = {
            "dtype": "F32",
            "shape": [len(values)],
            "data_offsets": [at, at + len(data)],
        }
        at, body = at + len(data), body + data
    described = json.dumps(header).encode()
    content = struct.pack("<Q", len(described)) + described + body
    (folder / "model.safetensors").write_bytes(content)
    (folder / "config.json").write_text('{"model_type": "tiny"}')
    (folder / "README.md").write_text(note or "a tiny model")
    return folder


def add(
    repository: Repository,
    name: str,
    tensors: Mapping[str, Sequence[float]],
    *parents: str,
    **more: object,
) -> Digest:
    source = (
        repository.folder.parent.parent
        / "checkpoints"
        / hashlib.sha256(
            f"{name}{repository.folder}{sorted(tensors.items())}".encode()
        ).hexdigest()[:16]
    )
    write_checkpoint(source, tensors)
    description = adding.Description(parents=parents, **more)  # type: ignore[arg-type]
    return adding.add(repository, source, name, description=description).node


def bare_node(label: str, *version_parents: Digest) -> Node:
    """A node whose manifest nobody has: enough for names, and made in no time."""
    edges = frozenset(Edge(EdgeKind.VERSION, parent) for parent in version_parents)
    return Node(Digest.of(label.encode()), edges, None, "import", "tiny")


def point(repository: Repository, name: str, label: str, *version_parents: Digest) -> Digest:
    """Points a name to a bare node: one signed step, and nothing else."""
    node = bare_node(label, *version_parents)
    with repository.writing():
        step = Step(f"add {name}", {name: digest_of(node)}, [node])
        record(repository, repository.history(), step)
    return digest_of(node)


def trusted(repository: Repository, *people: Person) -> None:
    """Makes people maintainers, under their own names."""
    for person in people:
        key = key_text(person.key)
        editing.trust_add(repository, key, role_names=["maintainer"], label=person.name)


def apart(root: Path) -> tuple[Repository, Repository]:
    """Alice's repository and Bob's copy of it; Bob sees that they moved ``m`` apart."""
    alice, bob = Person("alice", root), Person("bob", root)
    hers = alice.init()
    first = point(hers, "m", "first")
    trusted(hers, bob)
    his = bob.clone(str(root / "alice"))
    point(hers, "m", "by alice", first)
    point(his, "m", "by bob", first)
    sync.fetch(his)
    return hers, his


def names(repository: Repository) -> dict[str, frozenset[Digest]]:
    found = repository.history().names
    return {name: found.resolve(name) for name in found.names()}


def titles(repository: Repository) -> dict[str, set[str]]:
    history = repository.history()
    selection = Selection(repository, history)
    return {n: {selection.title(t) for t in ts} for n, ts in names(repository).items()}


def files(folder: Path) -> dict[str, str]:
    """Every file below a folder, with its digest: for 'byte for byte as before'."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
