"""A reader that shares no code with mgit finds everything in a repository that mgit wrote."""

import ast
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save_file

from mgit.adding import add
from mgit.editing import init
from mgit.objects import CHUNK, Manifest
from mgit.repository import Home, Repository
from tests.formats import reader
from tests.formats.chunks import CHUNKS, EVERY_CHUNK
from tests.formats.make_golden import GOLDEN, LATER, OBJECTS

SOURCE = Path(reader.__file__).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny tensors (stored raw), larger ones (in planes), and files of every sort."""
    folder = tmp_path_factory.mktemp("checkpoint")
    tensors: dict[str, npt.NDArray[Any]] = {
        "bias": np.arange(3, dtype=np.float32),
        "scale": np.array(2.0, np.float16),
        "none": np.zeros((0, 4), np.float64),
        "embed": np.linspace(-1, 1, 4096, dtype=np.float32).reshape(64, 64),
        "half": np.linspace(-1, 1, 512, dtype=np.float16),
        "steps": np.arange(1000, dtype=np.int64),
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text('{"model_type": "tiny"}')
    (folder / "README.md").write_text("# Tiny\n")
    (folder / "model.safetensors.index.json").write_text("{}")
    (folder / "empty.txt").touch()
    return folder


@pytest.fixture(scope="module")
def repository(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    folder = tmp_path_factory.mktemp("repository")
    made = init(folder, Home(folder / "home", folder / "cache"), label="alice")
    add(made, checkpoint, "tiny")
    return made


def test_it_finds_every_object_that_mgit_finds(repository: Repository) -> None:
    held = reader.packs(repository.folder)

    found = {ref for pack in held for ref in pack.rows}

    places = [row for index in repository.store.catalog.packs.values() for row in index.rows()]
    assert found == {(row.ref.kind, bytes(row.ref.digest)) for row in places}
    for kind, digest in found:
        assert len(reader.read(held, kind, digest)) > 0  # its digest was checked


def test_it_writes_the_checkpoint_back_byte_for_byte(
    repository: Repository, checkpoint: Path
) -> None:
    held = reader.packs(repository.folder)
    (manifest,) = {digest for pack in held for kind, digest in pack.rows if kind == Manifest.kind}

    files = reader.files(held, manifest)

    assert files == {path.name: path.read_bytes() for path in checkpoint.iterdir()}


def test_it_reads_the_golden_packs() -> None:
    held = reader.packs(GOLDEN)
    standalone = {name: chunk for name, chunk in CHUNKS.items() if not chunk.bases}

    found = {name: reader.read(held, CHUNK, chunk.digest) for name, chunk in standalone.items()}

    assert found == {name: chunk.raw for name, chunk in standalone.items()}
    assert sum(len(pack.rows) for pack in held) == len(EVERY_CHUNK) + len(OBJECTS) + len(LATER)


def test_it_notices_a_changed_byte_of_a_pack(tmp_path: Path) -> None:
    (tmp_path / "packs").mkdir()
    original = min((GOLDEN / "packs").glob("*.chunks"))
    for at in (0, 1344, -1400, -49, -48, -10, -1):
        content = bytearray(original.read_bytes())
        content[at] ^= 1
        (tmp_path / "packs" / original.name).write_bytes(content)

        with pytest.raises((AssertionError, struct.error)):
            reader.packs(tmp_path)


def test_it_has_at_most_60_lines() -> None:
    assert len([line for line in SOURCE.splitlines() if line.strip()]) <= 60


def test_it_imports_nothing_of_mgit() -> None:
    imported = {
        alias.name if isinstance(node, ast.Import) else str(node.module)
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }

    assert imported == {"hashlib", "struct", "pathlib", "msgpack", "zstandard"}
