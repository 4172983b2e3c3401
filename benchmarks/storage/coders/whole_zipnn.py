"""ZipNN: each file by itself."""

from collections.abc import Sequence
from pathlib import Path

import zipnn

from benchmarks.storage.coders.calling import call, target
from benchmarks.storage.coders.headers import commonest_type
from benchmarks.storage.lineage import Model

_NAMES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}


def add(models: Sequence[Model], store: Path) -> None:
    """Compresses each file as elements of its commonest type."""
    for model in models:
        name = _NAMES.get(commonest_type(model.path), "float32")
        coder = zipnn.ZipNN(bytearray_dtype=name, threads=1)
        (store / model.name).write_bytes(coder.compress(bytearray(model.path.read_bytes())))


def export(models: Sequence[Model], store: Path, folder: Path) -> None:
    """Writes each file back."""
    for model in models:
        data = zipnn.ZipNN(threads=1).decompress((store / model.name).read_bytes())
        target(folder, model.name).write_bytes(data)


if __name__ == "__main__":
    call(add, export)
