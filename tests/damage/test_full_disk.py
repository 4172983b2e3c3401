"""A disk that fills up at any page or any file: told, nothing left behind, and room helps.

On a small file system of its own where one may be mounted; else the disk's answers are given by
hand: the n-th write, or the n-th new file, is refused.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import pytest

from mgit import editing, loading, repair, sync
from mgit.adding import add, export
from mgit.errors import MachineError, MgitError
from mgit.repository import Repository
from tests.checkpoints import files_below, home_of, noise, safetensors, written
from tests.damage.disks import disk, fill


def saved(folder: Path, size: int, seed: int = 1) -> Path:
    return written(folder / f"{seed}.safetensors", safetensors({"w": noise(seed, size)}))


def partial_files(folder: Path) -> list[Path]:
    return list(folder.rglob("*.part"))


def is_told(step: Callable[[], object]) -> bool:
    """Whether a step fails, in the one way that is right."""
    try:
        step()
    except MachineError as error:
        told = error
    else:
        return False
    assert "free some space" in told.hint
    return True


def add_with_pages(room: Path, root: Path, pages: int) -> bool:
    """Adds with so many pages left; returns whether that was enough."""
    repository = editing.init(room / f"with-{pages}", home_of("alice", root), label="alice")
    source = saved(root, 1 << 12)
    filler = fill(room, but_pages=pages)
    failed = is_told(lambda: add(repository, source, "m"))

    names = repository.history().names.names()
    assert names == (() if failed else ("m",)), pages
    assert not partial_files(room), pages
    assert repair.check(repository).is_clean, pages
    filler.unlink()
    assert add(repository, source, "m").is_new == failed
    return not failed


@pytest.mark.parametrize("pages", [0, 1, 3, 5])
def test_a_full_disk_moves_no_name_and_leaves_nothing_behind(tmp_path: Path, pages: int) -> None:
    with disk(tmp_path / "disk", "size=3m") as room:
        add_with_pages(room, tmp_path, pages)


@pytest.mark.slow
def test_at_each_page_a_disk_may_be_full(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "size=3m") as room:
        enough = [add_with_pages(room, tmp_path, pages) for pages in range(30)]

    assert not enough[0]
    assert enough[-1]


def add_with_files(root: Path, number: int) -> bool | None:
    """Adds where only so many files fit; None where not even a repository does."""
    with disk(root / "disk", f"size=3m,nr_inodes={number}") as room:
        home = home_of("alice", root)
        try:
            repository = editing.init(room / "a", home, label="alice")
        except MachineError:
            assert not (room / "a" / ".mgit").exists()
            return None
        failed = is_told(lambda: add(repository, saved(root, 1 << 12), "m"))
        assert repository.history().names.names() == (() if failed else ("m",))
        assert not partial_files(room)
        assert repair.check(repository).is_clean
        return not failed


@pytest.mark.parametrize("number", [8, 12, 15, 18])
def test_a_disk_that_takes_no_more_files_moves_no_name(tmp_path: Path, number: int) -> None:
    add_with_files(tmp_path, number)


@pytest.mark.slow
def test_at_each_file_a_disk_may_be_full(tmp_path: Path) -> None:
    outcomes = [add_with_files(tmp_path, number) for number in range(4, 30)]

    assert outcomes[0] is None
    assert False in outcomes
    assert outcomes[-1]


def test_a_checkpoint_that_is_larger_than_the_disk_is_told(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "size=3m") as room:
        repository = editing.init(room / "a", home_of("alice", tmp_path), label="alice")

        with pytest.raises(MachineError) as told:
            add(repository, saved(tmp_path, 5 << 20), "m")

        assert "free some space" in told.value.hint
        assert not partial_files(room)
        assert add(repository, saved(tmp_path, 1 << 20, seed=2), "m").is_new


@pytest.mark.parametrize("is_cached", [False, True])
def test_an_export_to_a_full_disk_leaves_nothing_behind(
    alice: Repository,
    tmp_path: Path,
    is_cached: bool,  # noqa: FBT001
) -> None:
    add(alice, saved(tmp_path, 2 << 20), "m")
    if is_cached:
        with loading.load(alice, "m") as model:
            model.folder()
    with disk(tmp_path / "disk", "size=1m") as room:
        with pytest.raises(MachineError):
            export(alice, "m", room / "out")

        assert list(room.iterdir()) == []


def test_a_push_or_clone_to_a_full_disk_can_be_run_again(alice: Repository, tmp_path: Path) -> None:
    add(alice, saved(tmp_path, 1 << 18), "m")
    with disk(tmp_path / "disk", "size=3m") as room:
        (room / "stick").mkdir()
        filler = fill(room, but_pages=20)
        with pytest.raises(MachineError):
            sync.push(alice, str(room / "stick"))
        with pytest.raises(MachineError):
            sync.clone(str(alice.folder), room / "copy", alice.home)
        assert not partial_files(room)
        filler.unlink()

        sync.push(alice, str(room / "stick"))
        cloned = sync.clone(str(room / "stick"), room / "copy", alice.home).repository

        assert repair.check(cloned).is_clean
        export(cloned, "m", tmp_path / "out")
    assert files_below(tmp_path / "out") == {"1.safetensors": saved(tmp_path, 1 << 18).read_bytes()}


class Refusing:
    """Answers the n-th write of a pack, or the n-th new file, as a full disk does."""

    def __init__(self, allowed: int) -> None:
        self.left = allowed

    def spend(self, path: Path) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@pytest.mark.parametrize("allowed", range(8))
def test_wherever_no_file_can_be_made_it_is_told(
    alice: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    source = saved(tmp_path, 1 << 12)
    refusing, real_open, real_os_open = Refusing(allowed), Path.open, os.open

    def path_open(path: Path, mode: str = "r", **rest: int) -> BinaryIO:
        if alice.folder in path.parents and set(mode) & set("xwa"):
            refusing.spend(path)
        return real_open(path, mode, **rest)  # type: ignore[call-overload,no-any-return]

    def os_open(path: str, flags: int, *rest: int) -> int:
        if flags & os.O_CREAT and alice.folder in Path(path).parents:
            refusing.spend(Path(path))
        return real_os_open(path, flags, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", path_open)
        patched.setattr(os, "open", os_open)
        failed = is_told(lambda: add(alice, source, "m"))

    assert alice.history().names.names() == (() if failed else ("m",))
    assert not partial_files(alice.folder)
    with suppress(MgitError):
        add(alice, source, "m")
    assert alice.history().names.names() == ("m",)
    assert repair.check(alice).is_clean
