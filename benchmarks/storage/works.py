"""Kinds of work, each by itself: what one more model takes, and how quickly.

The parent is there already; what its child adds to the repository is counted. All of it happens in
one process through mgit's Python interface, so that no start of a process is part of a speed: read,
hashed, coded, written, signed.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.storage.lineage import Model, write_models
from benchmarks.storage.measuring import FailedError, python
from benchmarks.storage.tables import markdown

_HEAD = (
    "work",
    "ratio",
    "goal",
    "added, kB",
    "add: MB per CPU s",
    "MB per s",
    "export: MB per CPU s",
    "MB per s",
    "peak MB",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of work.

    Attributes:
        title: For people.
        chain: Models that are there before, each made from the one before it.
        child: The model that is measured.
        parents: Of the child; else the last of the chain.
        goal: What the ratio should be at least.
    """

    title: str
    chain: tuple[str, ...]
    child: str
    goal: str = ""
    parents: tuple[str, ...] = ()


_DEEP = ("base", *(f"ft_sci_v{at}" for at in (1, 2, 3, 4)), "ft_sci", "ft_sci_v6", "ft_sci_v7")
_THREE = ("ft_sci", "ft_torch", "ft_std")
KINDS = (
    Kind("the first model", (), "base"),
    Kind("the same model again", ("base",), "base"),
    Kind("fine-tune, fp32, 2e-5", ("base",), "ft_sci", "3.0"),
    Kind("fine-tune, fp32, 5e-5", ("base",), "ft_torch"),
    Kind("fine-tune, fp32, four layers and embeddings frozen", ("base",), "ft_frozen4", "10"),
    Kind("consecutive checkpoints, fp32", ("base", "ft_sci_v4"), "ft_sci", "3.9"),
    Kind("fine-tune, bf16", ("bf16_base",), "bf16_ft_sci", "8.6"),
    Kind("fine-tune, fp16", ("fp16_base",), "fp16_ft_sci"),
    Kind("adapters merged", ("base",), "ft_lora8", "150"),
    Kind("pruned", ("ft_sci",), "pruned50", "1000"),
    Kind("mean of three", ("base", *_THREE), "fedavg", "1000", _THREE),
    Kind("cast to bf16", ("ft_sci",), "bf16_ft_sci", "1000"),
    Kind("cast to fp16", ("ft_sci",), "fp16_ft_sci", "1000"),
    Kind("quantised to int8, a scale a row", ("ft_sci",), "int8"),
    Kind("consecutive, the eighth after the base", _DEEP, "ft_sci_v8", "3.9"),
)


def measured(folder: Path, cache: Path) -> Iterator[Mapping[str, Any]]:
    """Yields what each kind of work takes; a kind that failed has an ``error``.

    Args:
        folder: The trained family.
        cache: Where a repository may lie for a while.
    """
    at = cache / "work"
    for kind in KINDS:
        shutil.rmtree(at, ignore_errors=True)
        at.mkdir(parents=True)
        write_models(_models(kind, folder), at / "family.json")
        try:
            said = python("benchmarks.storage.coders.one_more", at / "family.json", at / "store")
            found = json.loads(said)
        except FailedError as error:
            found = {"error": str(error)}
        yield {"work": kind.title, "goal": kind.goal, **found}
    shutil.rmtree(at, ignore_errors=True)


def table_of(found: Sequence[Mapping[str, Any]]) -> str:
    """Returns a line for each kind of work."""
    return markdown(_HEAD, [_line(each) for each in found])


def _models(kind: Kind, folder: Path) -> list[Model]:
    """Returns the models to add, the measured one last; without given parents each follows one."""
    names = (*kind.chain, kind.child)
    befores = [(), *((name,) for name in kind.chain)]
    if kind.parents:
        befores = [(), *(kind.chain[:1] for _ in kind.chain[1:]), kind.parents]
    return [
        Model(name, folder / f"{name}.safetensors", parents)
        for name, parents in zip(names, befores, strict=True)
    ]


def _line(found: Mapping[str, Any]) -> tuple[str, ...]:
    if "error" in found:
        return (found["work"], f"not measured: {found['error']}", *[""] * (len(_HEAD) - 2))
    raw, added = found["raw_bytes"], found["added_bytes"]
    speeds = (f"{raw / 1e6 / found[key]:.0f}" for key in _SPEEDS)
    ratio = f"{raw / added:.2f}" if raw < 100 * added else f"{raw / added:.0f}"
    peak = f"{found['peak_bytes'] / 1e6:.0f}"
    return (found["work"], ratio, found["goal"], f"{added / 1e3:.1f}", *speeds, peak)


_SPEEDS = ("add_cpu_s", "add_wall_s", "export_cpu_s", "export_wall_s")
