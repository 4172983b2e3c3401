"""One peer with one family: stored, written back, compared with what it should be."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.storage.lineage import Model, digest_of, raw_bytes
from benchmarks.storage.measuring import FailedError, Meter, python, size
from benchmarks.storage.peers.peer import Peer, Work
from benchmarks.storage.results import Failure, Kept, Result


def measure(
    peer: Peer, family: str, models: Sequence[Model], cache: Path, *, again: bool
) -> Result | Failure:
    """Returns what a peer takes, measured now or, for the same version and bytes, before.

    Args:
        peer: Who.
        family: Name of the family.
        models: The family, parents first.
        cache: The folder with tools and earlier results.
        again: What was measured before does not count.
    """
    kept = Kept(cache / "results")
    digest = digest_of(models)
    try:
        version = peer.install(cache / "tools")
        known = None if again else kept.find(peer.name, version, digest)
        if known:
            return known
        result = _measured(peer, version, family, models, cache)
    except FailedError as error:
        return Failure(peer.name, family, str(error))
    kept.keep(result, digest)
    return result


def _measured(
    peer: Peer, version: str, family: str, models: Sequence[Model], cache: Path
) -> Result:
    folder = cache / "work"
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was interrupted
    store, exported = folder / "store", folder / "exported-models"
    store.mkdir(parents=True)
    exported.mkdir()
    load = os.getloadavg()[0]
    work = Work(Meter(folder), store, cache / "tools")
    try:
        peer.add(models, work)
        adding, stored = work.meter.taken(), size(store)
        peer.export(models, work, exported)
        exporting = work.meter.taken()
        exact = _exactness(models, exported)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    total = raw_bytes(models)
    return Result(
        peer=peer.name,
        version=version,
        family=family,
        models=len(models),
        raw_bytes=total,
        stored_bytes=stored,
        add=adding,
        export=exporting,
        exact=exact,
        note=peer.note,
        load=round(load, 1),
    )


def _exactness(models: Sequence[Model], folder: Path) -> str:
    """Returns how many files came back as they were, or else what is the worst of the others."""
    differing = [
        (model.path, found)
        for model in models
        if _digest(model.path) != _digest(found := folder / f"{model.name}.safetensors")
    ]
    said = [_compared(expected, found) for expected, found in differing]
    whole = f"{len(models) - len(differing)}/{len(models)}"
    if not said:
        return whole
    if all(each == "tensors" for each in said):
        return f"{whole}, tensors {len(models)}/{len(models)}"
    errors = [each for each in said if each != "tensors"]
    numbers = [each for each in errors if each[0].isdigit()]
    worst = max(numbers, key=float) if len(numbers) == len(errors) else errors[0]
    return f"{whole}, off by up to {worst}" if numbers else f"{whole}, {worst}"


def _compared(expected: Path, found: Path) -> str:
    if not found.exists():
        return f"{found.name} is missing"
    return python("benchmarks.storage.coders.comparing", expected.absolute(), found).strip()


def _digest(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
