"""What a fine-tune takes when small errors are allowed: ``mgit repack --lossy``.

The exact model stays where it is, so what the lossy one adds to the repository is counted. It is
behind a gate that only asks for finite weights: what an error does to a model is not measured here.
"""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.storage.measuring import FailedError, Meter, python, size
from benchmarks.storage.peers.ours import variables
from benchmarks.storage.tables import markdown

WAYS = {
    "error at most 1e-4, the paper's bound": ("--error", "1e-4"),
    "step half the size of a tensor's change": ("--lossy", "0.5"),
}
CHECK = '''
import mgit
import numpy as np


@mgit.check
def finite(model):
    """Returns the share of tensors whose elements are all finite."""
    share = np.mean([np.isfinite(each).all() for each in model.arrays().values()])
    return {"finite": float(share)}
'''
_HEAD = ("bound", "ratio of the child", "added, MB", "CPU s", "off by up to")


def measured(folder: Path, cache: Path) -> Iterator[Mapping[str, Any]]:
    """Yields what each bound gives; one that failed has an ``error``.

    Args:
        folder: The trained family.
        cache: Where a repository may lie for a while.
    """
    for title, words in WAYS.items():
        at = cache / "work"
        shutil.rmtree(at, ignore_errors=True)
        (at / "store").mkdir(parents=True)
        try:
            found = _one(folder, at, words)
        except FailedError as error:
            found = {"error": str(error)}
        shutil.rmtree(at, ignore_errors=True)
        yield {"bound": title, **found}


def table_of(found: Sequence[Mapping[str, Any]]) -> str:
    """Returns a line for each bound."""
    return markdown(_HEAD, [_line(each) for each in found])


def _one(folder: Path, at: Path, words: Sequence[str]) -> dict[str, Any]:
    meter, store = Meter(at, variables(at)), at / "store"

    def mgit(*arguments: str | Path) -> None:
        meter.run(sys.executable, "-m", "mgit", "--quiet", *arguments, inside=store)

    child = folder / "ft_sci.safetensors"
    mgit("init", "--as", "bench")
    mgit("add", folder / "base.safetensors", "base")
    mgit("add", child, "child", "--parent", "base")
    (store / "finite.py").write_text(CHECK, "utf-8")
    mgit("check", "add", "finite:finite", "--on", "child", "--gate", 'at_least("finite", 1.0)')
    packs = store / ".mgit" / "packs"  # the check leaves a decoded copy in a cache beside them
    there = size(packs)
    meter.taken()
    mgit("repack", "child", *words, "--gate", "finite")
    taken, added = meter.taken(), size(packs) - there
    mgit("export", "child", at / "exported")
    lossy = next((at / "exported").glob("*.safetensors"))
    return {
        "raw_bytes": child.stat().st_size,
        "added_bytes": added,
        "cpu_s": taken.cpu_s,
        "off_by": python("benchmarks.storage.coders.comparing", child.absolute(), lossy).strip(),
    }


def _line(found: Mapping[str, Any]) -> tuple[str, ...]:
    if "error" in found:
        return (found["bound"], f"not measured: {found['error']}", "", "", "")
    return (
        found["bound"],
        f"{found['raw_bytes'] / found['added_bytes']:.2f}",
        f"{found['added_bytes'] / 1e6:.1f}",
        f"{found['cpu_s']:.1f}",
        found["off_by"],
    )
