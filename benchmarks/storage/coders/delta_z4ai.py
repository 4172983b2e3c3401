"""z4ai: a base by itself, every other model against its nearest parent."""

from collections.abc import Sequence
from pathlib import Path

import z4ai
from z4ai import model_delta

from benchmarks.storage.coders.calling import call, target
from benchmarks.storage.coders.headers import commonest_type
from benchmarks.storage.lineage import Model

_NAMES = {"F32": "fp32", "BF16": "bf16", "F16": "fp16"}


def add(models: Sequence[Model], store: Path) -> None:
    """Compresses each file, against the file of its nearest parent if it has one."""
    files = {model.name: model.path for model in models}
    for model in models:
        raw = model.path.read_bytes()
        if model.parents:
            coded = model_delta.compress(raw, files[model.parents[0]].read_bytes())
        else:
            name = _NAMES.get(commonest_type(model.path), "fp32")
            coded = z4ai.compress(raw, dtype=name, threads=1)
        (store / model.name).write_bytes(coded)


def export(models: Sequence[Model], store: Path, folder: Path) -> None:
    """Writes each file back."""
    for model in models:
        coded = (store / model.name).read_bytes()
        if model.parents:
            parent = target(folder, model.parents[0]).read_bytes()
            raw = model_delta.decompress(coded, parent)
        else:
            raw = z4ai.decompress(coded)
        target(folder, model.name).write_bytes(raw)


if __name__ == "__main__":
    call(add, export)
