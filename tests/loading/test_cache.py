"""The decoded cache: never a wrong number, whatever happens to its files; never without bound."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mgit import loading
from mgit.decoded import Decoded, seals
from mgit.errors import MachineError
from mgit.repository import Home, Repository
from tests.checkpoints import NOBODY, Tensor, files_below, home_of, noise
from tests.loading.models import (
    CHUNK,
    again,
    bits,
    bits_of,
    cached,
    chunk_reads,
    file_of,
    keep,
    limited,
    started,
    told,
)

MODEL = {"weight": noise(1, 3 * CHUNK)}  # three chunks
SIZE = 3 * CHUNK


@pytest.fixture
def kept(alice: Repository) -> Repository:
    return keep(alice, "m", MODEL)


@pytest.fixture
def warm(kept: Repository) -> Repository:
    """The model has been loaded before."""
    bits(loading.load(kept, "m"))
    return again(kept)


# --- damage ---


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


# --- processes ---


def test_eight_processes_make_a_tensor_once(kept: Repository) -> None:
    script = """
made, fetch = [], Reader.chunk
Reader.chunk = lambda reader, chunk: made.append(chunk) or fetch(reader, chunk)
model = loading.load(repository, "m")
print("ready", flush=True)
sys.stdin.readline()
print(digests(model), len(made))
"""
    processes = [started(script, kept) for _ in range(8)]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    answers = [process.communicate("go\n", timeout=120)[0].split() for process in processes]

    assert len({digest for digest, _ in answers}) == 1
    assert sorted(int(made) for _, made in answers) == [0] * 7 + [3]
    assert cached(kept) == {file_of(kept, "m").name}


@pytest.mark.parametrize("moment", ["chunk 1", "chunk 3", "rename", "seal"])
def test_a_killed_process_leaves_nothing_that_is_believed(kept: Repository, moment: str) -> None:
    script = """
def kill():
    os.kill(os.getpid(), signal.SIGKILL)

model = loading.load(repository, "m")
fetch, chunks = Reader.chunk, []
match words[0].split():
    case ["chunk", number]:
        Reader.chunk = lambda reader, chunk: chunks.append(chunk) or (
            kill() if len(chunks) == int(number) else fetch(reader, chunk)
        )
    case ["rename"]:
        Path.rename = lambda *_: kill()
    case ["seal"]:
        decoded.cached.Seals.write = lambda *_: kill()
model.arrays()["weight"]
"""
    process = started(script, kept, moment)
    process.communicate(timeout=120)
    assert process.returncode == -9
    left = cached(kept) - {file_of(kept, "m").name}

    assert bits(loading.load(again(kept), "m")) == bits_of(MODEL)
    assert len(left) == (moment != "seal")
    for name in left:  # swept, once nobody can be at work on it any more
        an_hour_ago = time.time() - 3600
        os.utime(kept.folder / "decoded" / name, (an_hour_ago, an_hour_ago))
    Decoded.of(kept).trim()
    assert cached(kept) == {file_of(kept, "m").name}


def test_a_model_may_have_more_tensors_than_a_process_may_have_files(alice: Repository) -> None:
    script = """
model = loading.load(repository, "m")
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = dict(model.arrays())
print(sum(int(array.sum()) for array in held.values()))
"""
    tensors = {f"t{number}": noise(number, 100) for number in range(200)}
    repository = keep(alice, "m", tensors)
    expected = str(sum(sum(tensor.data) for tensor in tensors.values()))

    assert told(script, repository) == expected  # made
    assert told(script, repository) == expected  # found
    assert len(cached(repository)) == 200


# --- room ---


@pytest.fixture
def three(alice: Repository) -> Repository:
    """Three models, each as large as the other."""
    for number, name in enumerate("abc"):
        keep(alice, name, {"weight": noise(number, 1000)})
    return again(alice)


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


# --- disks ---


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

    with pytest.raises(MachineError, match="0.0 MB are free"):
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


def test_a_large_tensor_takes_little_memory(alice: Repository) -> None:
    script = """
def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) >> 10

model = loading.load(repository, "m")
before = peak()
model.arrays()["weight"][3].sum()
print(peak() - before)
"""
    data = b"".join(noise(number, CHUNK).data[:64] * (CHUNK // 64) for number in range(200))
    repository = keep(alice, "m", {"weight": Tensor("U8", (200, CHUNK), data)})

    made_mb, found_mb = (int(told(script, repository)) for _ in range(2))

    assert made_mb < 140  # the reader keeps 96 MiB of decoded chunks
    assert found_mb < 10
