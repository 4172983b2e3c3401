"""Exports of what the decoded cache holds: copies, and links to its own files."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from mgit import loading
from mgit.adding import export
from mgit.checkpoint import copy_folder
from mgit.decoded import Decoded
from mgit.digest import Digest
from mgit.errors import DamagedError, MachineError
from mgit.repository import Repository
from tests.adding.exported import FILES, MIB, cached_folder, overwrite
from tests.checkpoints import files_below, noise, parts_of, written
from tests.loading.models import again


def test_a_folder_of_the_cache_is_copied(
    warm: Repository, decoded: list[Digest], tmp_path: Path
) -> None:
    export(warm, "m", tmp_path / "out")

    assert files_below(tmp_path / "out") == FILES
    assert decoded == []


def test_a_copy_may_be_written_into(warm: Repository, tmp_path: Path) -> None:
    export(warm, "m", tmp_path / "out")
    (tmp_path / "out" / "config.json").write_bytes(b"mine")

    export(again(warm), "m", tmp_path / "again")

    assert files_below(tmp_path / "again") == FILES


def test_tensors_of_the_cache_are_not_decoded(
    kept: Repository, decoded: list[Digest], tmp_path: Path
) -> None:
    loading.load(kept, "m").arrays()["head"]
    decoded.clear()

    export(again(kept), "m", tmp_path / "out")

    parts = parts_of(kept, "m")
    assert files_below(tmp_path / "out") == FILES
    assert set(decoded) == set(parts.chunks()) - set(parts.weights.tensors["head"].chunks)


@pytest.mark.parametrize("path", ["a.safetensors", "config.json"])
def test_a_folder_that_was_written_into_is_not_copied(
    warm: Repository, tmp_path: Path, path: str
) -> None:
    overwrite(cached_folder(warm) / path, b"X")

    export(warm, "m", tmp_path / "out")

    assert files_below(tmp_path / "out") == FILES


def test_a_folder_that_is_written_into_while_it_is_copied_counts_for_nothing(
    warm: Repository, tmp_path: Path
) -> None:
    path = cached_folder(warm) / "b.safetensors"
    left = [path]

    def write_once(_done: int, _total: int) -> None:
        if left:
            overwrite(left.pop(), b"X")

    export(warm, "m", tmp_path / "out", progress=write_once)

    assert left == []
    assert files_below(tmp_path / "out") == FILES


def test_a_tensor_file_that_was_written_into_is_not_copied(
    kept: Repository, tmp_path: Path
) -> None:
    loading.load(kept, "m").arrays()["head"]
    (path,) = (p for p in Decoded.of(kept).folder.iterdir() if p.stat().st_size == 3 * MIB)
    overwrite(path, b"X")

    export(again(kept), "m", tmp_path / "out")

    assert files_below(tmp_path / "out") == FILES


def test_a_copy_shares_its_bytes_where_the_file_system_can(tmp_path: Path) -> None:
    tool, image, folder = shutil.which("mkfs.btrfs"), tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(200 * MIB)
    folder.mkdir()
    commands = ([tool or "false", str(image)], ["mount", "-o", "loop", str(image), str(folder)])
    if any(subprocess.run(c, check=False, capture_output=True).returncode for c in commands):
        pytest.skip("no such file system may be mounted here")
    try:
        content = noise(1, 70 * MIB).data
        written(folder / "old" / "sub" / "big", content)
        os.sync()
        before = shutil.disk_usage(folder).free

        copy_folder(folder / "old", folder / "new", lambda _size: None)

        os.sync()
        assert (folder / "new" / "sub" / "big").read_bytes() == content
        assert before - shutil.disk_usage(folder).free < 10 * MIB
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_copy_goes_to_another_file_system(tmp_path: Path) -> None:
    memory = Path("/dev/shm")  # noqa: S108
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system")
    written(tmp_path / "old" / "sub" / "file", noise(1, MIB).data)
    written(tmp_path / "old" / "empty", b"")
    sizes = list[int]()
    target = memory / f"mgit-{os.getpid()}"
    try:
        copy_folder(tmp_path / "old", target, sizes.append)

        assert files_below(target) == files_below(tmp_path / "old")
        assert sum(sizes) == MIB
    finally:
        shutil.rmtree(target)


# --- links ---


@pytest.mark.parametrize("state", ["kept", "warm"])
def test_links_are_the_cache_s_own_files(
    request: pytest.FixtureRequest, tmp_path: Path, state: str
) -> None:
    repository: Repository = request.getfixturevalue(state)

    export(repository, "m", tmp_path / "out", link=True)

    folder = cached_folder(repository)
    assert files_below(tmp_path / "out") == FILES
    for path in FILES:
        assert (tmp_path / "out" / path).samefile(folder / path)
        assert (tmp_path / "out" / path).stat().st_mode & 0o222 == 0


def test_without_being_asked_there_are_no_links(warm: Repository, tmp_path: Path) -> None:
    export(warm, "m", tmp_path / "out")

    assert all((tmp_path / "out" / path).stat().st_nlink == 1 for path in FILES)


def test_more_links_take_no_decoding(
    warm: Repository, decoded: list[Digest], tmp_path: Path
) -> None:
    for number in range(3):
        export(warm, "m", tmp_path / str(number), link=True)
    with loading.load(warm, "m") as model:
        assert files_below(model.folder()) == FILES

    assert decoded == []


def test_what_is_written_through_a_link_is_given_to_nobody(
    warm: Repository, tmp_path: Path
) -> None:
    export(warm, "m", tmp_path / "out", link=True)
    overwrite(tmp_path / "out" / "a.safetensors", b"X")

    export(again(warm), "m", tmp_path / "copied")
    export(again(warm), "m", tmp_path / "linked", link=True)
    with loading.load(again(warm), "m") as model:
        assert files_below(model.folder()) == FILES

    assert files_below(tmp_path / "copied") == FILES
    assert files_below(tmp_path / "linked") == FILES
    assert files_below(tmp_path / "out") != FILES


def test_files_that_change_while_they_are_linked_are_not_believed(
    warm: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def meddling(source: Path, target: Path) -> None:
        overwrite(source, b"X")
        link(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", meddling)
        with pytest.raises(DamagedError, match="was changed meanwhile"):
            export(warm, "m", tmp_path / "out", link=True)
    export(again(warm), "m", tmp_path / "linked", link=True)

    assert not (tmp_path / "out").exists()
    assert files_below(tmp_path / "linked") == FILES


def test_links_that_were_removed_leave_the_cache_right(warm: Repository, tmp_path: Path) -> None:
    export(warm, "m", tmp_path / "out", link=True)
    shutil.rmtree(tmp_path / "out")

    export(again(warm), "m", tmp_path / "linked", link=True)

    assert files_below(tmp_path / "linked") == FILES


def test_some_tensors_are_linked_too(kept: Repository, tmp_path: Path) -> None:
    for number in range(2):
        export(kept, "m", tmp_path / str(number), tensors=["head"], link=True)

    found = [load_file(tmp_path / str(n) / "model.safetensors")["head"] for n in range(2)]
    assert np.array_equal(found[0], found[1])
    assert (tmp_path / "0" / "model.safetensors").samefile(tmp_path / "1" / "model.safetensors")


def test_links_into_another_file_system_are_refused(warm: Repository, tmp_path: Path) -> None:
    memory = Path("/dev/shm")  # noqa: S108
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system")
    target = memory / f"mgit-{os.getpid()}"

    with pytest.raises(MachineError, match="no hard link from") as told:
        export(warm, "m", target, link=True)

    assert "one file system" in told.value.hint
    assert [path for path in memory.iterdir() if target.name in path.name] == []
