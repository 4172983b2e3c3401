"""A real family: all-MiniLM-L6-v2 and relatives made from it on the spot, without training.

minilm --- nudged --- nudged-again        noise on the layers, as a fine-tune moves them
      \\--- pruned                         half of the weights of the layers are zero
      \\--- cast                           rounded to bfloat16
"""

import hashlib
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import relatives
from measuring import Row, seconds, shown

from mgit import editing
from mgit.adding import Description, add, export
from mgit.repository import Home

FAMILY = {
    "minilm": "",
    "nudged": "minilm",
    "nudged-again": "nudged",
    "pruned": "minilm",
    "cast": "minilm",
}


def measure(root: Path) -> Iterator[Row]:
    """Yields what adding and exporting each model takes, and what is stored of all of them.

    Raises:
        FileNotFoundError: The package with the model is not installed.
    """
    _make(root)
    repository = editing.init(root / "family", Home(root / "home", root / "cache"), label="alice")
    total = 0
    for name, parent in FAMILY.items():
        source = root / name
        size = _size(source)
        total += size
        told = Description(parents=[parent] if parent else [])
        plain = seconds(partial(_copy_and_hash, source, root / "cp"))
        adding = seconds(partial(add, repository, source, name, description=told))
        exporting = seconds(partial(export, repository, name, root / "out" / name))
        _require_same(source, root / "out" / name)
        beside = f"cp and sha256: {shown(plain)}"
        yield Row(f"add {name}, {size / 1e6:.0f} MB", shown(adding), beside, _by(adding, plain))
        yield Row(f"export {name}", shown(exporting), beside, _by(exporting, plain))
    stored = _size(repository.folder)
    yield Row(
        f"stored bytes of {len(FAMILY)} models",
        f"{stored / 1e6:.1f} MB",
        f"their sum: {total / 1e6:.1f} MB",
        _by(stored, total),
    )


def _make(root: Path) -> None:
    relatives.copy_base(root / "minilm")
    relatives.nudge(root / "minilm", root / "nudged", seed=1)
    relatives.nudge(root / "nudged", root / "nudged-again", seed=2)
    relatives.prune(root / "minilm", root / "pruned", fraction=0.5)
    relatives.cast_bfloat16(root / "minilm", root / "cast")


def _copy_and_hash(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    for path in (path for path in sorted(source.rglob("*")) if path.is_file()):
        with path.open("rb") as file:
            hashlib.file_digest(file, "sha256")


def _require_same(source: Path, target: Path) -> None:
    for path in (path for path in source.rglob("*") if path.is_file()):
        if path.read_bytes() != (target / path.relative_to(source)).read_bytes():
            raise AssertionError(f"{path} came out changed")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _by(measured: float, compared_with: float) -> str:
    return f"{measured / compared_with:.2f}"
