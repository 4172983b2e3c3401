"""What one more model takes in a repository that holds its parents.

    python -m benchmarks.storage.coders.one_more FAMILY.json STORE

Prints JSON: bytes and seconds of the last of the models.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import mgit
from benchmarks.storage.lineage import Model, read_models
from benchmarks.storage.measuring import size


def main(family: Path, store: Path) -> dict[str, float]:
    """Returns what adding and exporting the last model takes."""
    os.environ["MGIT_CONFIG_HOME"] = str(store.parent / "settings")
    os.environ["XDG_CACHE_HOME"] = str(store.parent / "cache")
    *before, last = read_models(family)
    repository = mgit.init(store, label="bench")
    for model in before:
        _add(repository, model, model.name)
    there = size(store)
    found: dict[str, float] = {"raw_bytes": last.path.stat().st_size}
    seconds = _seconds(lambda: _add(repository, last, f"{last.name}-measured"))
    found |= {"add_cpu_s": seconds[0], "add_wall_s": seconds[1]}
    found["added_bytes"] = size(store) - there
    target = store.parent / "exported"
    opened = mgit.open(store)
    seconds = _seconds(lambda: mgit.export(opened, f"{last.name}-measured", target))
    found |= {"export_cpu_s": seconds[0], "export_wall_s": seconds[1]}
    written = next(target.glob("*.safetensors"))
    if written.read_bytes() != last.path.read_bytes():
        raise ValueError(f"{last.name} came out changed")
    found["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    return found


def _add(repository: mgit.Repository, model: Model, name: str) -> None:
    described = mgit.Description(parents=list(model.parents))
    mgit.add(repository, model.path, name, description=described)


def _seconds(step: Callable[[], object]) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    step()
    return time.process_time() - cpu, time.perf_counter() - wall


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))
