"""What a new model is stored as a difference from: of what is here, the nearest.

    base --- first          said to be made from base
      \\
       second               near first, though nobody says so
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from mgit.adding import Description, Effort, add, export, relating
from mgit.digest import Digest
from mgit.errors import UsageError
from mgit.objects import CHUNK, Node, Ref
from mgit.repository import Parts, Repository, read_parts
from mgit.store import PackWriter, Reader, Row
from tests.checkpoints import Tensor, files_below, parts_of, repository_of, safetensors, written

Arrays = Mapping[str, npt.NDArray[Any]]
Floats = dict[str, npt.NDArray[np.float32]]
TYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64"}
NAMES = ("embed", "first", "second", "head")
SHAPE = (128, 96)


def drawn(seed: int, scale: float = 1.0) -> Floats:
    random = np.random.default_rng(seed)
    return {name: (random.normal(size=SHAPE) * scale).astype(np.float32) for name in NAMES}


def nudged(near: Floats, seed: int, scale: float = 1e-5) -> Floats:
    return {name: near[name] + step for name, step in drawn(seed, scale).items()}


def saved(folder: Path, arrays: Arrays) -> Path:
    tensors = {
        name: Tensor(TYPES[array.dtype.name], array.shape, array.tobytes())
        for name, array in arrays.items()
    }
    return written(folder / "model.safetensors", safetensors(tensors)).parent


def rows_of(repository: Repository, name: str) -> dict[str, Row]:
    """The only row of each tensor of one chunk."""
    repository.store.refresh()
    found = {}
    for tensor, entry in parts_of(repository, name).weights.tensors.items():
        (chunk,) = entry.chunks
        (place,) = repository.store.catalog.places(Ref(CHUNK, chunk))
        found[tensor] = place.row
    return found


def bases_of(repository: Repository, name: str) -> dict[str, tuple[Digest, ...]]:
    return {tensor: row.bases for tensor, row in rows_of(repository, name).items()}


def chunks_of(repository: Repository, name: str) -> dict[str, tuple[Digest, ...]]:
    return {tensor: (row.ref.digest,) for tensor, row in rows_of(repository, name).items()}


def made_from(*parents: str) -> Description:
    return Description(parents=parents)


BASE = drawn(1)
FIRST = nudged(BASE, 2, 1e-2)
SECOND = nudged(FIRST, 3, 1e-5)


@pytest.mark.parametrize("parents", [(), ("base",)])
def test_the_nearest_model_is_found_also_where_nobody_names_it(
    alice: Repository, tmp_path: Path, parents: tuple[str, ...]
) -> None:
    add(alice, saved(tmp_path / "base", BASE), "base")
    add(alice, saved(tmp_path / "first", FIRST), "first", description=made_from("base"))
    add(alice, saved(tmp_path / "other", drawn(9)), "other")

    add(alice, saved(tmp_path / "second", SECOND), "second", description=made_from(*parents))

    assert bases_of(alice, "first") == chunks_of(alice, "base")
    assert bases_of(alice, "second") == chunks_of(alice, "first")


def test_in_haste_only_parents_are_looked_at(alice: Repository, tmp_path: Path) -> None:
    add(alice, saved(tmp_path / "base", BASE), "base")
    add(alice, saved(tmp_path / "first", FIRST), "first", description=made_from("base"))

    source = saved(tmp_path / "second", SECOND)
    add(alice, source, "second", description=made_from("base"), effort=Effort.FAST)

    assert bases_of(alice, "second") == chunks_of(alice, "base")


def test_a_model_like_no_other_stands_alone(alice: Repository, tmp_path: Path) -> None:
    for seed in range(3):
        add(alice, saved(tmp_path / str(seed), drawn(seed)), f"m{seed}")

        assert set(bases_of(alice, f"m{seed}").values()) == {()}


def test_of_a_model_farther_than_the_parents_only_samples_are_read(
    alice: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(alice, saved(tmp_path / "base", BASE), "base")
    add(alice, saved(tmp_path / "first", FIRST), "first", description=made_from("base"))
    (unread,) = {*chunks_of(alice, "first")["first"]}
    read, fetch = set(), Reader.chunk

    def reading(reader: Reader, chunk: Digest) -> bytes:
        read.add(chunk)
        return fetch(reader, chunk)

    monkeypatch.setattr(Reader, "chunk", reading)
    source = saved(tmp_path / "near", nudged(BASE, 7))
    add(alice, source, "near", description=made_from("base"))

    assert read & {chunk for chunks in chunks_of(alice, "first").values() for chunk in chunks}
    assert unread not in read
    assert bases_of(alice, "near") == chunks_of(alice, "base")


def test_few_models_are_looked_at_however_many_there_are(
    alice: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(20):
        add(alice, saved(tmp_path / str(seed), {"w": drawn(seed)["embed"][:8]}), f"m{seed}")
    looked = []

    def reading(repository: Repository, node: Node) -> Parts:
        looked.append(node)
        return read_parts(repository, node)

    monkeypatch.setattr(relating, "read_parts", reading)

    add(alice, saved(tmp_path / "new", {"w": drawn(99)["embed"][:8]}), "new")

    assert len(looked) == 16


@pytest.mark.parametrize("effort", list(Effort))
def test_whatever_the_effort_every_byte_comes_back(
    alice: Repository, tmp_path: Path, effort: Effort
) -> None:
    half = {name: values.astype(ml_dtypes.bfloat16) for name, values in FIRST.items()}
    mean = {name: (BASE[name] + FIRST[name]) / np.float32(2) for name in NAMES}
    odd = {name: values.view(np.int64) for name, values in SECOND.items()}
    family = {"base": BASE, "first": FIRST, "second": SECOND, "half": half, "mean": mean, "o": odd}
    for name, arrays in family.items():
        told = made_from(*([] if name == "base" else ["base", "first"] if name == "mean" else []))
        add(alice, saved(tmp_path / name, arrays), name, description=told, effort=effort)

    for name in family:
        export(alice, name, tmp_path / "out" / name)
        assert files_below(tmp_path / "out" / name) == files_below(tmp_path / name)


def test_what_was_derived_takes_next_to_nothing(alice: Repository, tmp_path: Path) -> None:
    half = {name: values.astype(ml_dtypes.bfloat16) for name, values in FIRST.items()}
    pruned = {n: np.where(abs(v) > 0.5, v, np.float32(0)) for n, v in FIRST.items()}
    mean = {name: (BASE[name] + FIRST[name]) / np.float32(2) for name in NAMES}
    add(alice, saved(tmp_path / "base", BASE), "base")
    add(alice, saved(tmp_path / "first", FIRST), "first", description=made_from("base"))
    for name, arrays, parents in (
        ("half", half, ["first"]),
        ("pruned", pruned, ["first"]),
        ("mean", mean, ["base", "first"]),
    ):
        add(alice, saved(tmp_path / name, arrays), name, description=made_from(*parents))

        stored = sum(row.stored_bytes for row in rows_of(alice, name).values())
        assert stored * 300 < sum(array.nbytes for array in arrays.values())


def test_adding_again_what_is_here_decodes_nothing_and_writes_nothing(
    alice: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(alice, saved(tmp_path / "base", BASE), "base")
    source = saved(tmp_path / "first", FIRST)
    add(alice, source, "first", description=made_from("base"))
    other = Repository.at(alice.folder, alice.home)
    monkeypatch.setattr(Reader, "chunk", lambda *_: pytest.fail("decoded"))

    added = add(other, source, "twin")

    assert added.stored_bytes == 0


def test_a_chunk_that_is_in_a_model_many_times_is_written_once(
    alice: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_refs: list[Ref] = []
    adding = PackWriter.add

    def counted(writer: PackWriter, ref: Ref, body: bytes, **named: Any) -> None:
        written_refs.append(ref)
        adding(writer, ref, body, **named)

    monkeypatch.setattr(PackWriter, "add", counted)
    tied = {f"t{number}": BASE["embed"] for number in range(40)}

    add(alice, saved(tmp_path / "in", tied), "m")

    assert len([ref for ref in written_refs if ref.kind == CHUNK]) == 1


def test_an_interruption_in_the_middle_leaves_nothing_behind(
    alice: Repository, tmp_path: Path
) -> None:
    before = files_below(alice.store.packs_folder)

    def interrupted(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add(alice, saved(tmp_path / "in", BASE), "m", progress=interrupted)

    assert files_below(alice.store.packs_folder) == before
    assert not list(alice.store.incoming.iterdir())


@pytest.mark.parametrize("wanted", ["magic", 1])
def test_an_entropy_coder_that_nobody_knows_is_refused(
    alice: Repository, tmp_path: Path, wanted: object
) -> None:
    alice.write_settings({**alice.settings(), "entropy-coder": wanted})

    with pytest.raises(UsageError, match=str(wanted)):
        add(alice, saved(tmp_path / "in", BASE), "m")


def test_an_entropy_coder_that_is_not_installed_is_told(
    alice: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.write_settings({**alice.settings(), "entropy-coder": "openzl"})
    monkeypatch.setitem(sys.modules, "openzl", None)

    with pytest.raises(UsageError, match="not installed") as refused:
        add(alice, saved(tmp_path / "in", BASE), "m")

    assert "mgit-models[openzl]" in refused.value.hint


@pytest.mark.parametrize("effort", list(Effort))
def test_with_the_entropy_coder_it_takes_less_and_every_byte_comes_back(
    alice: Repository, tmp_path: Path, effort: Effort
) -> None:
    halves = [{n: v.astype(ml_dtypes.bfloat16) for n, v in m.items()} for m in (BASE, FIRST)]
    plain = [
        add(alice, saved(tmp_path / str(i), half), "m", effort=effort)
        for i, half in enumerate(halves)
    ]
    other = repository_of("bob", tmp_path)
    other.write_settings({**other.settings(), "entropy-coder": "openzl"})

    coded = [add(other, tmp_path / str(i), "m", effort=effort) for i in range(2)]

    assert sum(a.stored_bytes for a in coded) < sum(a.stored_bytes for a in plain)
    for i in range(2):
        export(other, f"m@v{i + 1}", tmp_path / "out" / str(i))
        assert files_below(tmp_path / "out" / str(i)) == files_below(tmp_path / str(i))
