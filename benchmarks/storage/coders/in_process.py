"""mgit through its Python interface: all models in one process.

``MGIT_BENCH_EFFORT`` may name how much work goes into storing less: ``FAST``.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import mgit
from benchmarks.storage.coders.calling import call, target
from benchmarks.storage.lineage import Model
from mgit.store import Effort


def add(models: Sequence[Model], store: Path) -> None:
    """Adds the models, with their parents."""
    os.environ["MGIT_CONFIG_HOME"] = str(store.parent / "settings")
    effort = Effort[os.environ.get("MGIT_BENCH_EFFORT", "NORMAL")]
    repository = mgit.init(store, label="bench")
    for model in models:
        described = mgit.Description(parents=list(model.parents))
        mgit.add(repository, model.path, model.name, description=described, effort=effort)


def export(models: Sequence[Model], store: Path, folder: Path) -> None:
    """Exports the models."""
    os.environ["MGIT_CONFIG_HOME"] = str(store.parent / "settings")
    repository = mgit.open(store)
    for model in models:
        written = folder / f".{model.name}"
        mgit.export(repository, model.name, written)
        next(written.glob("*.safetensors")).replace(target(folder, model.name))
        written.rmdir()


if __name__ == "__main__":
    call(add, export)
