"""Exports: a few tensors alone, and what is left of one that was cut off."""

import json
import os
import time
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from mgit.adding import export
from mgit.digest import Digest
from mgit.errors import DamagedError, MachineError, NotFoundError, UsageError
from mgit.objects import CHUNK, Ref
from mgit.repository import Repository
from tests.adding.exported import FILES, FIRST, SECOND
from tests.checkpoints import files_below, parts_of, place_of, spoil, written
from tests.loading.models import again, started

# --- some tensors ---


def test_some_tensors_are_written_into_one_file(kept: Repository, tmp_path: Path) -> None:
    export(kept, "m", tmp_path / "out", tensors=["encoder.*"])

    assert set(files_below(tmp_path / "out")) == {"model.safetensors"}
    found = load_file(tmp_path / "out" / "model.safetensors")
    expected = {**FIRST, "encoder.b": SECOND["encoder.b"]}
    assert {name: array.tobytes() for name, array in found.items()} == {
        name: tensor.data for name, tensor in expected.items()
    }
    with safe_open(tmp_path / "out" / "model.safetensors", "numpy") as file:
        assert file.metadata() == {"format": "pt"}


def test_only_their_chunks_are_decoded(
    kept: Repository, decoded: list[Digest], tmp_path: Path
) -> None:
    export(kept, "m", tmp_path / "out", tensors=["head"])

    chunks = parts_of(kept, "m").weights.tensors["head"].chunks
    assert len(chunks) == 3
    assert sorted(decoded) == sorted(chunks)


def test_every_pattern_adds_tensors_and_has_to_fit_some(kept: Repository, tmp_path: Path) -> None:
    export(kept, "m", tmp_path / "out", tensors=["*.b", "*.w", "encoder.b"])

    assert set(load_file(tmp_path / "out" / "model.safetensors")) == {"encoder.b", "encoder.w"}
    with pytest.raises(NotFoundError, match=r"no tensor 'decoder.\*'; it has: encoder.b, encoder"):
        export(kept, "m", tmp_path / "other", tensors=["encoder.*", "decoder.*"])
    assert not (tmp_path / "other").exists()


def test_damage_of_another_tensor_is_not_met(kept: Repository, tmp_path: Path) -> None:
    chunk = parts_of(kept, "m").weights.tensors["head"].chunks[1]
    spoil(kept, place_of(kept, Ref(CHUNK, chunk)))

    export(again(kept), "m", tmp_path / "out", tensors=["encoder.*"])
    with pytest.raises(DamagedError):
        export(again(kept), "m", tmp_path / "all")

    assert [path.name for path in tmp_path.iterdir() if "all" in path.name] == []


# --- cut off ---

KILLED = """
from mgit.adding import export

def kill(done, total):
    if done > 1 << 20:
        os.kill(os.getpid(), signal.SIGKILL)

export(repository, "m", words[0], progress=kill, link=words[1] == "link")
"""


def leavings(folder: Path) -> list[Path]:
    return list(folder.glob(".out.*.part"))


def age(path: Path) -> None:
    os.utime(path, (time.time() - 3600,) * 2)


@pytest.mark.parametrize(("state", "how"), [("kept", "copy"), ("kept", "link"), ("warm", "copy")])
def test_a_killed_export_leaves_no_checkpoint_and_can_be_run_again(
    request: pytest.FixtureRequest, tmp_path: Path, state: str, how: str
) -> None:
    repository: Repository = request.getfixturevalue(state)
    process = started(KILLED, repository, str(tmp_path / "out"), how)
    process.communicate(timeout=120)
    assert process.returncode == -9
    assert not (tmp_path / "out").exists()
    (left,) = leavings(tmp_path)
    age(left)

    export(again(repository), "m", tmp_path / "out", link=how == "link")

    assert files_below(tmp_path / "out") == FILES
    assert leavings(tmp_path) == []


def test_an_export_that_still_runs_is_left_alone(kept: Repository, tmp_path: Path) -> None:
    def race(_done: int, _total: int) -> None:
        (mine,) = leavings(tmp_path)
        if not (tmp_path / "out").exists():
            age(mine)
            export(again(kept), "m", tmp_path / "out")
            assert leavings(tmp_path) == [mine]

    with pytest.raises(MachineError, match="not empty"):  # somebody else was faster
        export(kept, "m", tmp_path / "out", progress=race)

    assert files_below(tmp_path / "out") == FILES
    assert leavings(tmp_path) == []


def test_something_else_is_never_written_over(kept: Repository, tmp_path: Path) -> None:
    written(tmp_path / "out" / "mine", b"")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")

    for name in ("out", "link"):
        with pytest.raises(UsageError, match="there already"):
            export(kept, "m", tmp_path / name, link=True)

    assert json.dumps(sorted(files_below(tmp_path / "out"))) == '["mine"]'
