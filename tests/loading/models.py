"""Models to load: kept in a repository, looked at bit by bit, loaded by other processes."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from mgit import adding
from mgit.decoded import Decoded, tensor_key
from mgit.loading import LoadedModel
from mgit.repository import Home, Repository
from tests.checkpoints import Tensor, noise, parts_of, safetensors, written

ROOT = Path(__file__).parents[2]
CHUNK = 1 << 20  # bytes of a chunk of a U8 tensor
SIZE = 3 * CHUNK
MODEL = {"weight": noise(1, SIZE)}

# What a child process begins with.
_PRELUDE = """
import hashlib, os, resource, signal, sys
from pathlib import Path
from mgit import decoded, loading
from mgit.errors import MgitError
from mgit.repository import Home, Repository
from mgit.store import Reader

folder, config, cache, *words = sys.argv[1:]
repository = Repository.at(Path(folder), Home(Path(config), Path(cache)))

def digests(model):
    made = sorted((name, bytes(array.view("u1"))) for name, array in model.arrays().items())
    return hashlib.sha256(repr(made).encode()).hexdigest()
"""


def keep(
    repository: Repository, name: str, tensors: Mapping[str, Tensor], *parents: str
) -> Repository:
    """Adds a model with these tensors, and a config."""
    source = repository.folder.parent.parent / "checkpoints" / name
    written(source / "model.safetensors", safetensors(tensors))
    written(source / "config.json", b'{"model_type": "tiny"}')
    adding.add(repository, source, name, description=adding.Description(parents=parents))
    return again(repository)


def again(repository: Repository, home: Home | None = None) -> Repository:
    """The same repository, as another process sees it: nothing is in memory yet."""
    return Repository.at(repository.folder, home or repository.home)


def bits(model: LoadedModel) -> dict[str, bytes]:
    """Every tensor's bits, read with numpy."""
    return {name: array.tobytes() for name, array in model.arrays().items()}


def bits_of(tensors: Mapping[str, Tensor]) -> dict[str, bytes]:
    return {name: tensor.data for name, tensor in tensors.items()}


def cached(repository: Repository) -> set[str]:
    """The names of everything in the decoded cache."""
    folder = Decoded.of(repository).folder
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def file_of(repository: Repository, name: str, tensor: str = "weight") -> Path:
    """Where the cache keeps a tensor."""
    entry = parts_of(repository, name).weights.tensors[tensor]
    return Decoded.of(repository).folder / tensor_key(entry).hex()


def limited(repository: Repository, limit_bytes: object) -> Repository:
    """The repository with another limit of its decoded cache."""
    repository.write_settings({**repository.settings(), "decoded-limit": limit_bytes})
    return repository


def chunk_reads(repository: Repository) -> list[int]:
    """Starts counting: gets the size of every stored body that is read from now on."""
    reader, sizes = repository.store.reader, list[int]()
    read = reader.read

    def counting(pack: object, start: int, stop: int) -> bytes:
        sizes.append(stop - start)
        return read(pack, start, stop)  # type: ignore[arg-type]

    reader.read = counting
    return sizes


def started(script: str, repository: Repository, *words: str) -> subprocess.Popen[str]:
    """Starts a process that loads from the repository."""
    home = repository.home
    path = os.pathsep.join([str(ROOT), str(ROOT / "remotes"), os.environ.get("PYTHONPATH", "")])
    folders = map(str, (repository.folder, home.config, home.cache))
    return subprocess.Popen(
        [sys.executable, "-c", _PRELUDE + script, *folders, *words],
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(script: str, repository: Repository, *words: str) -> str:
    """Returns what such a process prints."""
    process = started(script, repository, *words)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output.strip()
