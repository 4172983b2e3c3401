"""Checkpoints for tests, written by hand, and the repository of the person who adds them."""

import json
import os
import random
import shutil
import struct
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from mgit import editing
from mgit.objects import Ref
from mgit.repository import Home, Parts, Repository, read_parts
from mgit.store import Place

NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor as it lies in a file."""

    dtype: str
    shape: Sequence[int]
    data: bytes


def safetensors(
    tensors: Mapping[str, Tensor],
    *,
    metadata: Mapping[str, str] | None = None,
    listed: Sequence[str] = (),
    padding: int = 0,
) -> bytes:
    """A file with these tensors in the order of their bytes; ``listed`` orders the header."""
    header: dict[str, object] = {} if metadata is None else {"__metadata__": metadata}
    at, described = 0, {}
    for name, tensor in tensors.items():
        stop = at + len(tensor.data)
        described[name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [at, stop],
        }
        at = stop
    header |= {name: described[name] for name in (listed or described)}
    text = json.dumps(header, ensure_ascii=False).encode() + b" " * padding
    return with_header(text, b"".join(tensor.data for tensor in tensors.values()))


def with_header(header: bytes, body: bytes) -> bytes:
    """A file with this header, whatever it says."""
    return struct.pack("<Q", len(header)) + header + body


def floats(seed: int, count: int, *, near: Sequence[float] = ()) -> tuple[float, ...]:
    """Numbers drawn anew, or moved a little from where they were."""
    drawn = random.Random(seed)  # noqa: S311  # weights, not secrets
    if near:
        return tuple(value * (1 + 1e-4 * drawn.gauss(0, 1)) for value in near)
    return tuple(drawn.gauss(0, 1) for _ in range(count))


def f32(values: Sequence[float], *shape: int) -> Tensor:
    """A tensor of single precision; one-dimensional unless it is told otherwise."""
    return Tensor("F32", shape or (len(values),), struct.pack(f"<{len(values)}f", *values))


def noise(seed: int, size: int) -> Tensor:
    """Bytes that cannot be compressed."""
    data = random.Random(seed).randbytes(size)  # noqa: S311  # weights, not secrets
    return Tensor("U8", (size,), data)


def written(path: Path, content: bytes) -> Path:
    """Writes a file, and the folders it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its path."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def home_of(person: str, root: Path) -> Home:
    """Keys and caches of a person."""
    return Home(root / "homes" / person, root / "caches" / person)


def repository_of(person: str, root: Path, folder: str = "") -> Repository:
    """A new repository of a person."""
    return editing.init(root / (folder or person), home_of(person, root), label=person)


def parts_of(repository: Repository, name: str) -> Parts:
    """What describes the checkpoint that a name points to."""
    history = repository.history()
    (node,) = history.names.resolve(name)
    return read_parts(repository, history.nodes[node])


def place_of(repository: Repository, ref: Ref) -> Place:
    """Where an object lies."""
    repository.store.refresh()
    return repository.store.catalog.places(ref)[0]


def spoil(repository: Repository, place: Place) -> None:
    """Flips a bit of a stored body, on the disk."""
    path = repository.store.path_of(place.pack)
    content = bytearray(path.read_bytes())
    content[place.row.offset + place.row.stored_bytes // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture(scope="session")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Alice's home and her new repository, to be copied."""
    root = tmp_path_factory.mktemp("beginning")
    repository_of("alice", root)
    return root


@pytest.fixture
def alice(beginning: Path, tmp_path: Path) -> Repository:
    """Her repository, in ``tmp_path/alice``; nothing is in it yet."""
    shutil.copytree(beginning, tmp_path, dirs_exist_ok=True)
    return Repository.open(tmp_path / "alice", home_of("alice", tmp_path))


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that everybody may use: that of the tests is for the one who runs them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)  # so that another user may write here
        yield folder


def without_privileges(step: Callable[[], object]) -> str:
    """Runs a step as a user whom permissions bind; returns the result, or the error's class."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons fear for threads
        child = os.fork()
    if child == 0:
        outcome = "no outcome"
        try:
            if os.getuid() == 0:
                os.setuid(NOBODY)
            outcome = str(step())
        except BaseException as error:  # noqa: BLE001  # told to the parent, whatever it is
            outcome = type(error).__name__
        finally:
            os.write(writing, outcome.encode())
            os._exit(0)
    os.waitpid(child, 0)
    outcome = os.read(reading, 4096).decode()
    os.close(reading)
    os.close(writing)
    return outcome
