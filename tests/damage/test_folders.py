"""A repository's folder as one may find it: somebody else's, without caches, with strange files."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mgit import editing, repair, sync
from mgit.adding import add, export
from mgit.errors import ForbiddenError, MgitError, TrustError
from mgit.objects import CHUNK
from mgit.repository import Repository
from tests.checkpoints import (
    f32,
    files_below,
    floats,
    repository_of,
    safetensors,
    spoil,
    without_privileges,
    written,
)

SOMEBODY = 1234


def saved(folder: Path, seed: int) -> Path:
    return written(folder / f"{seed}.safetensors", safetensors({"w": f32(floats(seed, 64))}))


def everything(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every path below a folder with its mode, owner and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (state.st_mode, state.st_uid, content)
    return found


@pytest.fixture
def foreign(alice: Repository, tmp_path: Path) -> Iterator[Repository]:
    """Alice's repository with one model, which belongs to somebody else now."""
    if os.getuid() != 0:
        pytest.skip("only root can give a folder away")
    add(alice, saved(tmp_path, 1), "m")
    for path in (alice.folder.parent, alice.folder, *alice.folder.rglob("*")):
        os.chown(path, SOMEBODY, SOMEBODY)
    yield Repository.at(alice.folder, alice.home)
    for path in (alice.folder, *alice.folder.rglob("*")):
        os.chown(path, 0, 0)


def test_a_folder_of_somebody_else_can_be_read_from(foreign: Repository, tmp_path: Path) -> None:
    before = everything(foreign.folder)

    export(foreign, "m", tmp_path / "out")
    cloned = sync.clone(str(foreign.folder), tmp_path / "copy", foreign.home).repository
    report = repair.check(foreign)

    assert files_below(tmp_path / "out") == {"1.safetensors": saved(tmp_path, 1).read_bytes()}
    assert cloned.history().names.names() == ("m",)
    assert report.is_clean
    assert everything(foreign.folder) == before


@pytest.mark.parametrize(
    "step",
    [
        lambda r, root: add(r, saved(root, 2), "m"),
        lambda r, _root: editing.rename(r, "m", "other"),
        lambda r, _root: editing.remove(r, "m"),
        lambda r, _root: editing.add_tags(r, "m", ["tag"]),
        lambda r, _root: editing.undo(r),
    ],
    ids=["add", "rename", "remove", "tag", "undo"],
)
def test_a_folder_of_somebody_else_is_written_to_only_when_it_is_trusted(
    foreign: Repository, tmp_path: Path, step: Callable[[Repository, Path], object]
) -> None:
    before = everything(foreign.folder)

    with pytest.raises(TrustError, match="belongs to another user") as refused:
        step(foreign, tmp_path)

    assert refused.value.hint == f"mgit trust folder {foreign.folder.parent}"
    assert everything(foreign.folder) == before
    foreign.home.trust_folder(foreign.folder)
    step(foreign, tmp_path)
    assert everything(foreign.folder) != before


def test_damage_in_a_folder_of_somebody_else_is_told_and_not_noted_there(
    foreign: Repository, tmp_path: Path
) -> None:
    spoil(foreign, next(foreign.store.catalog.of_kind(CHUNK)))
    before = everything(foreign.folder)
    fresh = Repository.at(foreign.folder, foreign.home)

    with pytest.raises(MgitError):
        export(fresh, "m", tmp_path / "out")
    assert repair.check(Repository.at(foreign.folder, foreign.home)).damage

    assert everything(foreign.folder) == before


def test_a_folder_that_may_not_be_written_to_is_read_and_refuses(shared_folder: Path) -> None:
    def step() -> object:
        mine = repository_of("bob", shared_folder)
        add(mine, saved(shared_folder, 1), "m")
        folders = [mine.folder, *(p for p in mine.folder.rglob("*") if p.is_dir())]
        for folder in folders:
            folder.chmod(0o500)
        try:
            export(mine, "m", shared_folder / "out")
            sync.push(mine, str(mine.folder))
            return add(mine, saved(shared_folder, 2), "m")
        except ForbiddenError:
            return "ForbiddenError"
        finally:
            for folder in folders:
                folder.chmod(0o700)

    assert without_privileges(step) in {"MachineError", "ForbiddenError"}
    assert (shared_folder / "out" / "1.safetensors").is_file()


def test_deleted_caches_lose_nothing(alice: Repository, tmp_path: Path) -> None:
    for seed in range(9):  # so many that an index over all packs is kept
        add(alice, saved(tmp_path, seed), f"m{seed}")
    before = {name: alice.history().names.resolve(name) for name in alice.history().names.names()}
    shutil.rmtree(alice.home.cache)
    fresh = Repository.at(alice.folder, alice.home)

    assert {name: fresh.history().names.resolve(name) for name in before} == before
    export(fresh, "m1", tmp_path / "out")
    assert add(fresh, saved(tmp_path, 99), "m99").is_new
    assert repair.check(fresh).is_clean


def test_spoilt_caches_mislead_nobody(alice: Repository, tmp_path: Path) -> None:
    for seed in range(9):
        add(alice, saved(tmp_path, seed), f"m{seed}")
    sync.clone(str(alice.folder), tmp_path / "copy", alice.home)
    for path in [path for path in alice.home.cache.rglob("*") if path.is_file()]:
        path.write_bytes(bytes(reversed(path.read_bytes())))
    fresh = Repository.at(alice.folder, alice.home)

    export(fresh, "m1", tmp_path / "out")
    sync.clone(str(alice.folder), tmp_path / "again", alice.home)

    assert files_below(tmp_path / "out") == {"1.safetensors": saved(tmp_path, 1).read_bytes()}


@pytest.mark.parametrize("folder", ["incoming", "local"])
def test_what_is_not_packs_may_be_gone(alice: Repository, tmp_path: Path, folder: str) -> None:
    add(alice, saved(tmp_path, 1), "m")
    shutil.rmtree(alice.folder / folder, ignore_errors=True)
    fresh = Repository.at(alice.folder, alice.home)

    export(fresh, "m", tmp_path / "out")
    assert add(fresh, saved(tmp_path, 2), "m").is_new
    assert repair.check(fresh).is_clean


@pytest.mark.parametrize("kept", [0, 10, -1])
def test_a_pack_that_is_still_arriving_is_skipped_and_kept(
    alice: Repository, tmp_path: Path, kept: int
) -> None:
    add(alice, saved(tmp_path, 1), "m")
    elsewhere = sync.clone(str(alice.folder), tmp_path / "copy", alice.home).repository
    known = set(files_below(elsewhere.store.packs_folder))
    add(elsewhere, saved(tmp_path, 2), "m")
    for name, content in files_below(elsewhere.store.packs_folder).items():
        if name not in known:
            written(alice.store.packs_folder / name, content[:kept])
    fresh = Repository.at(alice.folder, alice.home)

    export(fresh, "m", tmp_path / "out")
    report = repair.check(fresh)
    added = add(fresh, saved(tmp_path, 3), "other")

    assert files_below(tmp_path / "out") == {"1.safetensors": saved(tmp_path, 1).read_bytes()}
    assert len(report.unready) == 2
    assert not report.is_clean
    assert added.is_new
    for name in report.unready:
        whole = (elsewhere.store.packs_folder / name).read_bytes()
        assert (alice.store.packs_folder / name).read_bytes() == whole[:kept]
        written(alice.store.packs_folder / name, whole)
    assert repair.check(Repository.at(alice.folder, alice.home)).is_clean


def test_a_pack_that_may_not_be_read_is_told_and_others_are_read(shared_folder: Path) -> None:
    def step() -> object:
        mine = repository_of("bob", shared_folder)
        add(mine, saved(shared_folder, 1), "m")
        next(mine.store.packs_folder.glob("*.chunks")).chmod(0)
        fresh = Repository.open(shared_folder / "bob", mine.home)
        unready = repair.check(fresh).unready
        return fresh.history().names.names(), ["ermission" in why for why in unready.values()]

    assert without_privileges(step) == "(('m',), [True])"
