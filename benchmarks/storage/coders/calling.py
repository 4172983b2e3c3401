"""The command line that all coders share; needs nothing but the standard library."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.storage.lineage import Model, read_models

Add = Callable[[Sequence[Model], Path], None]
Export = Callable[[Sequence[Model], Path, Path], None]


def call(add: Add, export: Export) -> None:
    """Does what the arguments of this process ask for."""
    verb, family, store, *rest = sys.argv[1:]
    models = read_models(Path(family))
    if verb == "add":
        add(models, Path(store))
    else:
        export(models, Path(store), Path(rest[0]))


def target(folder: Path, name: str) -> Path:
    """Returns where a model is exported to."""
    return folder / f"{name}.safetensors"
