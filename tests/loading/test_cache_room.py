"""The decoded cache has a bound, spares what is in use, and does without a disk."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mgit import loading
from mgit.decoded import Decoded
from mgit.decoded.room import Room
from mgit.errors import MachineError
from mgit.repository import Home, Repository
from tests.checkpoints import NOBODY, files_below, home_of, noise, without_privileges
from tests.loading.models import (
    CHUNK,
    MODEL,
    again,
    bits,
    bits_of,
    cached,
    file_of,
    limited,
    started,
    told,
)


def test_a_tensor_in_use_is_never_removed(three: Repository) -> None:
    tiny = limited(three, 1500)
    held = {name: loading.load(again(tiny), name).arrays()["weight"] for name in "ab"}

    bits(loading.load(again(tiny), "c"))
    Decoded.of(tiny).trim()

    assert cached(tiny) == {file_of(tiny, name).name for name in "ab"}
    del held["a"]
    Decoded.of(tiny).trim()
    assert cached(tiny) == {file_of(tiny, "b").name}


def test_another_process_s_tensor_is_not_removed_either(three: Repository) -> None:
    tiny = limited(three, 0)
    script = """
held = loading.load(repository, "a").arrays()["weight"]
print("holding", flush=True)
sys.stdin.readline()
"""
    process = started(script, tiny)
    assert process.stdout
    assert process.stdout.readline() == "holding\n"

    Decoded.of(tiny).trim()
    assert cached(tiny) == {file_of(tiny, "a").name}

    process.communicate("done\n", timeout=60)
    Decoded.of(tiny).trim()
    assert cached(tiny) == set()


def test_a_slice_keeps_its_tensor(three: Repository) -> None:
    tiny = limited(three, 0)
    model = loading.load(tiny, "a")
    row = model.tensors()["weight"][3:5]
    model.close()

    Decoded.of(tiny).trim()
    assert cached(tiny) == {file_of(tiny, "a").name}

    del row
    Decoded.of(tiny).trim()
    assert cached(tiny) == set()


def test_what_was_used_least_recently_goes_first(three: Repository) -> None:
    for hours, name in enumerate("abc"):
        bits(loading.load(three, name))
        then = time.time() - 3600 * (10 - hours)
        os.utime(Decoded.of(three).seals.folder / file_of(three, name).name, (then, then))

    bits(loading.load(three, "a"))
    Decoded.of(limited(three, 2000)).trim()

    assert cached(three) == {file_of(three, name).name for name in "ac"}


def test_closing_a_model_that_is_larger_than_the_limit_makes_room_again(three: Repository) -> None:
    tiny = limited(three, 500)
    with loading.load(tiny, "a") as model:
        assert len(bits(model)) == 1
        assert files_below(model.folder()).keys() == {"config.json", "model.safetensors"}

    assert cached(tiny) == set()


def test_a_folder_in_use_is_never_removed(three: Repository) -> None:
    tiny = limited(three, 0)
    model = loading.load(tiny, "a")
    folder = model.folder()

    Decoded.of(tiny).trim()
    assert (folder / "config.json").exists()

    model.close()
    assert not folder.exists()


def test_the_seals_of_what_is_gone_go_too(three: Repository) -> None:
    bits(loading.load(three, "a"))
    shutil.rmtree(three.folder / "decoded")
    bits(loading.load(again(three), "b"))

    seal_files = list(Decoded.of(three).seals.folder.iterdir())

    assert [path.name for path in seal_files] == [file_of(three, "b").name]


def test_on_a_full_disk_tensors_are_decoded_into_memory(kept: Repository) -> None:
    before = files_below(kept.folder)
    script = f"""
resource.setrlimit(resource.RLIMIT_FSIZE, ({2 * CHUNK}, {2 * CHUNK}))
model = loading.load(repository, "m")
print(digests(model))
try:
    model.folder()
except MgitError as error:
    print(type(error).__name__)
"""
    expected = told('print(digests(loading.load(repository, "m")))', again(kept))
    shutil.rmtree(kept.folder / "decoded")

    assert told(script, kept).split() == [expected, "MachineError"]
    assert cached(kept) == set()
    assert files_below(kept.folder) == before


def test_where_the_disk_has_no_room_what_is_unused_goes(
    three: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    bits(loading.load(three, "a"))
    full = shutil.disk_usage(three.folder)._replace(free=500)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: full)

    assert bits(loading.load(again(three), "b")) == {"weight": noise(1, 1000).data}

    assert cached(three) == set()


def test_a_full_disk_is_told_where_only_a_disk_will_do(
    three: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = shutil.disk_usage(three.folder)._replace(free=500)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: full)

    with pytest.raises(MachineError, match=r"and 0 kB are free"):
        loading.load(three, "a").folder()

    assert cached(three) == set()


@contextmanager
def another_user_s(folder: Path) -> Iterator[None]:
    """The folder belongs to another user; who cannot give it away may not write it."""
    mode = folder.stat().st_mode
    if os.getuid() == 0:
        os.chown(folder, NOBODY, -1)
    else:
        folder.chmod(0o555)
    yield
    if os.getuid() == 0:
        os.chown(folder, 0, -1)
    folder.chmod(mode)


def test_somebody_else_s_folder_is_left_as_it_is(warm: Repository, tmp_path: Path) -> None:
    before = files_below(warm.folder)
    bob = home_of("bob", tmp_path)

    with another_user_s(warm.folder):
        repository = again(warm, bob)
        model = loading.load(repository, "m")
        assert bits(model) == bits_of(MODEL)
        assert files_below(model.folder())["config.json"] == b'{"model_type": "tiny"}'
        assert len(cached(repository)) == 2

    assert files_below(warm.folder) == before
    assert files_below(bob.cache)


def test_without_a_place_for_any_cache_models_are_loaded_all_the_same(
    kept: Repository, tmp_path: Path
) -> None:
    (tmp_path / "no folder").touch()
    nowhere = Home(kept.home.config, tmp_path / "no folder")

    with another_user_s(kept.folder):
        assert bits(loading.load(again(kept, nowhere), "m")) == bits_of(MODEL)


def test_who_may_only_read_a_repository_loads_from_it_too(
    kept: Repository, shared_folder: Path
) -> None:
    shutil.copytree(kept.folder, shared_folder / "alice" / ".mgit")
    before = files_below(shared_folder / "alice")
    bob = home_of("bob", shared_folder)

    def step() -> tuple[object, ...]:
        repository = Repository.at(shared_folder / "alice" / ".mgit", bob)
        with loading.load(repository, "m") as model:
            folder = model.folder()
            is_right = bits(model) == bits_of(MODEL) and len(cached(repository)) == 2
        Room(folder.parent, Decoded.of(repository).seals, 0).trim()
        return is_right, folder.exists(), sorted(cached(repository))

    assert without_privileges(step) == "(True, False, [])"
    assert files_below(shared_folder / "alice") == before
