"""What everything is held against: a copy of each file and its SHA-256."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.storage.coders.calling import call, target
from benchmarks.storage.lineage import Model


def add(models: Sequence[Model], store: Path) -> None:
    """Copies the files and writes their digests beside them."""
    for model in models:
        shutil.copyfile(model.path, target(store, model.name))
        (store / f"{model.name}.sha256").write_text(_digest(model.path), "ascii")


def export(models: Sequence[Model], store: Path, folder: Path) -> None:
    """Copies the files back and compares the digests."""
    for model in models:
        shutil.copyfile(target(store, model.name), target(folder, model.name))
        if _digest(target(folder, model.name)) != (store / f"{model.name}.sha256").read_text():
            raise ValueError(f"{model.name} is damaged")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    call(add, export)
