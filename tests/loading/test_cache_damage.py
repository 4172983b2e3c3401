"""The decoded cache never gives a wrong number, whatever happens to its files."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mgit import loading
from mgit.decoded import Decoded, seals
from mgit.digest import Digest
from mgit.errors import DamagedError
from mgit.objects import TensorEntry
from mgit.repository import Repository
from tests.checkpoints import NOBODY, files_below, home_of
from tests.loading.models import (
    MODEL,
    SIZE,
    again,
    bits,
    bits_of,
    cached,
    chunk_reads,
    file_of,
)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    overwrite(path, bytes(content))


def overwrite(path: Path, content: bytes) -> None:
    """Writes in place, and until the clock of the file system has seen it."""
    path.chmod(0o644)
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:
        with path.open("r+b") as file:
            file.write(content)
            file.truncate()


def replace_by_another(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(bytes(SIZE))
    other.rename(path)


def keep_the_times(path: Path) -> None:
    facts = path.stat()
    flip(path)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def put_a_link(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(bytes(SIZE))
    path.unlink()
    path.symlink_to(other)


def put_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def put_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "a flipped bit": flip,
    "a flipped bit, times set back": keep_the_times,
    "truncated": lambda path: overwrite(path, path.read_bytes()[:-1]),
    "emptied": lambda path: overwrite(path, b""),
    "longer": lambda path: overwrite(path, path.read_bytes() + b"0"),
    "zeros": lambda path: overwrite(path, bytes(SIZE)),
    "another file": replace_by_another,
    "a link": put_a_link,
    "a folder": put_a_folder,
    "a pipe": put_a_pipe,
    "gone": Path.unlink,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_never_gives_a_wrong_number(
    warm: Repository, damage: Callable[[Path], None]
) -> None:
    damage(file_of(warm, "m"))

    assert bits(loading.load(again(warm), "m")) == bits_of(MODEL)
    assert bits(loading.load(again(warm), "m")) == bits_of(MODEL)


def test_a_damaged_file_is_made_anew(warm: Repository) -> None:
    flip(file_of(warm, "m"))

    bits(loading.load(warm, "m"))

    assert file_of(warm, "m").read_bytes() == MODEL["weight"].data


def test_after_a_restart_every_byte_is_compared_again(
    warm: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file_of(warm, "m")
    overwrite(path, bytes(SIZE))  # what a power cut may leave, with the times of before
    Decoded.of(warm).seals.write(path.name, seals.seal_of(path.stat()))
    monkeypatch.setattr(seals, "_boot", lambda: "the next boot")

    assert bits(loading.load(warm, "m")) == bits_of(MODEL)


def test_without_a_boot_id_every_byte_is_compared_every_time(
    kept: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "_boot", lambda: "")
    with loading.load(kept, "m") as model:
        bits(model)
        model.folder()

    repository = again(kept)
    model = loading.load(repository, "m")
    reads = chunk_reads(repository)

    assert bits(model) == bits_of(MODEL)
    assert reads == []  # the file was right: nothing was decoded


def test_a_folder_from_elsewhere_is_believed_in_nothing(warm: Repository, tmp_path: Path) -> None:
    flip(file_of(warm, "m"))  # by the stranger, before it was copied
    stranger_s = tmp_path / "stick"
    shutil.copytree(warm.folder, stranger_s / ".mgit")
    copy = Repository.at(stranger_s / ".mgit", home_of("bob", tmp_path))

    assert bits(loading.load(copy, "m")) == bits_of(MODEL)


def test_a_linked_cache_folder_is_not_followed(kept: Repository, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (kept.folder / "decoded").symlink_to(tmp_path / "elsewhere")

    assert bits(loading.load(kept, "m")) == bits_of(MODEL)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_deleted_cache_is_made_again_and_what_was_loaded_stays(warm: Repository) -> None:
    weight = loading.load(warm, "m").arrays()["weight"]
    shutil.rmtree(warm.folder / "decoded")

    assert weight.tobytes() == MODEL["weight"].data
    assert bits(loading.load(again(warm), "m")) == bits_of(MODEL)
    assert cached(warm) == {file_of(warm, "m").name}


@pytest.mark.parametrize("change", ["flip", "add", "remove"])
def test_a_checkpoint_folder_that_was_changed_is_made_anew(warm: Repository, change: str) -> None:
    with loading.load(warm, "m") as model:
        folder = model.folder()
    before = files_below(folder)
    match change:
        case "flip":
            flip(folder / "config.json")
        case "add":
            (folder / "new.json").write_text("{}")
        case _:
            (folder / "config.json").unlink()

    with loading.load(again(warm), "m") as model:
        assert files_below(model.folder()) == before


def test_a_file_of_another_user_is_not_believed(warm: Repository) -> None:
    if os.getuid() != 0:
        pytest.skip("only root gives files away")
    path = file_of(warm, "m")
    os.chown(path, NOBODY, -1)  # who may write into it while it is mapped

    assert bits(loading.load(warm, "m")) == bits_of(MODEL)
    assert path.stat().st_uid == 0


def test_chunks_that_do_not_fit_their_tensor_are_refused(warm: Repository) -> None:
    chunk = b"abc"
    entry = TensorEntry("U8", (4,), (Digest.of(chunk),))
    cache = Decoded.of(warm)
    before = cached(warm)

    with pytest.raises(DamagedError, match="has 3 bytes, but its tensor, U8 \\[4\\], needs 4"):
        cache.tensor(entry, lambda _: chunk)

    assert cached(warm) == before
