"""What the storage benchmark says of others must be true: its re-implementations, its counting.

first --- second        one matrix has moved, one vector has another name, one of NaN is new
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from benchmarks.storage.coders.comparing import compared
from benchmarks.storage.lineage import (
    FAMILIES,
    PARENTS,
    Model,
    digest_of,
    members,
    read_models,
    write_models,
)
from benchmarks.storage.measuring import ROOT, FailedError, Meter, size
from benchmarks.storage.results import Failure, Kept, Result
from benchmarks.storage.tables import table_of

EPSILON = 1e-4


def family(folder: Path) -> list[Model]:
    random = np.random.default_rng(0)
    first: dict[str, NDArray[Any]] = {
        "matrix": random.standard_normal((64, 96), dtype=np.float32),
        "same": random.standard_normal(30_000, dtype=np.float32),
        "half": random.standard_normal(50).astype(np.float16),
    }
    moved = first["matrix"] + np.float32(0.003) * random.standard_normal((64, 96))
    second = {
        "half": first["half"],
        "matrix": moved.astype(np.float32),
        "renamed": first["same"],
        "odd": np.array([np.nan, -0.0, np.inf], dtype=np.float32),
    }
    for name, arrays in (("first", first), ("second", second)):
        save_file(arrays, folder / f"{name}.safetensors")
    names = (("first", ()), ("second", ("first",)))
    return [Model(name, folder / f"{name}.safetensors", parents) for name, parents in names]


def through(coder: str, models: list[Model], folder: Path) -> list[Path]:
    """Returns the files that a coder writes back, each step in a process of its own."""
    store, out = folder / "store", folder / "out"
    store.mkdir()
    out.mkdir()
    write_models(models, folder / "family.json")
    words = [sys.executable, "-m", f"benchmarks.storage.coders.{coder}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for verb, rest in (("add", []), ("export", [out])):
        subprocess.run(
            [*words, verb, folder / "family.json", store, *rest], check=True, env=environment
        )
    return [out / f"{model.name}.safetensors" for model in models]


@pytest.mark.parametrize("coder", ["bitx", "copying"])
def test_what_a_lossless_coder_writes_back_is_what_it_was_given(tmp_path: Path, coder: str) -> None:
    models = family(tmp_path)

    found = through(coder, models, tmp_path)

    assert [path.read_bytes() for path in found] == [model.path.read_bytes() for model in models]


def test_bitx_stores_equal_tensors_once_and_small_changes_small(tmp_path: Path) -> None:
    models = family(tmp_path)

    through("bitx", models, tmp_path)

    raw = models[1].path.stat().st_size
    assert (tmp_path / "store" / "second").stat().st_size < 0.2 * raw
    assert (tmp_path / "store" / "first").stat().st_size > 0.85 * models[0].path.stat().st_size


def test_the_coding_of_the_paper_is_off_by_half_a_step_at_most(tmp_path: Path) -> None:
    models = family(tmp_path)

    first, second = through("original", models, tmp_path)

    assert first.read_bytes() == models[0].path.read_bytes()
    error = np.abs(load_file(second)["matrix"] - load_file(models[1].path)["matrix"]).max()
    assert 0 < error <= EPSILON * 1.01
    assert compared(models[1].path, second) == f"{error:.1e}"


def test_comparing_tells_what_is_missing_and_what_differs(tmp_path: Path) -> None:
    first, second = (model.path for model in family(tmp_path))
    changed = load_file(first) | {"half": np.ones(50, dtype=np.float16)}
    save_file(changed, tmp_path / "changed.safetensors")
    save_file(load_file(first), tmp_path / "headed.safetensors", metadata={"by": "another"})

    assert compared(second, first) == "odd is missing"
    assert compared(first, tmp_path / "changed.safetensors") == "half differs"
    assert compared(first, tmp_path / "headed.safetensors") == "tensors"


@pytest.mark.parametrize("names", FAMILIES.values(), ids=FAMILIES)
def test_parents_come_before_their_children_and_are_near(names: tuple[str, ...]) -> None:
    for at, model in enumerate(members(Path(), names)):
        assert set(model.parents) <= set(names[:at])
        assert bool(model.parents) == bool(PARENTS[model.name])


def test_a_family_has_another_digest_when_a_byte_or_a_parent_changes(tmp_path: Path) -> None:
    first, second = family(tmp_path)
    write_models([first, second], tmp_path / "family.json")
    orphan = Model(second.name, second.path)

    digests = {digest_of([first, second]), digest_of([first, orphan]), digest_of([first])}
    first.path.write_bytes(first.path.read_bytes()[:-1] + b"x")

    assert len(digests | {digest_of([first, second])}) == 4
    assert read_models(tmp_path / "family.json") == [first, second]


def test_a_meter_counts_the_work_of_grandchildren(tmp_path: Path) -> None:
    meter = Meter(tmp_path)
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"

    meter.run(sys.executable, "-c", nested)
    taken = meter.taken()

    assert taken.cpu_s >= 0.3
    assert taken.wall_s >= 0.3
    assert taken.peak_bytes > 1 << 20
    assert meter.taken().cpu_s == 0


def test_a_failed_command_is_told_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(FailedError, match=r"-c raise.*no such luck"):
        Meter(tmp_path).run(sys.executable, "-c", "raise SystemExit('no such luck')", "x")


def test_everything_in_a_folder_counts(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".hidden").write_bytes(b"123")
    (tmp_path / "b").write_bytes(b"45")

    assert size(tmp_path) == 5


def test_a_result_is_kept_for_the_version_and_the_bytes(tmp_path: Path) -> None:
    meter = Meter(tmp_path)
    cost = meter.taken()
    result = Result("git, really", "1.0", "nine", 9, 818, 737, cost, cost, "9/9")
    kept = Kept(tmp_path)

    kept.keep(result, "abc")

    assert kept.find("git, really", "1.0", "abc") == result
    assert kept.find("git, really", "1.1", "abc") is None
    assert kept.find("git, really", "1.0", "abd") is None


def test_a_peer_that_could_not_be_measured_has_a_line_with_the_reason() -> None:
    shown = table_of([Failure("DVC", "nine", "no network")])

    assert "| DVC " in shown
    assert "not measured: no network" in shown
