"""Many processes load at once; some are killed, some have little memory or few files."""

import os
import time
from pathlib import Path

import pytest

from mgit import loading
from mgit.decoded import Decoded
from mgit.repository import Repository
from tests.checkpoints import Tensor, noise
from tests.loading.models import (
    CHUNK,
    MODEL,
    again,
    bits,
    bits_of,
    cached,
    file_of,
    keep,
    started,
    told,
)


def test_eight_processes_make_a_tensor_once(kept: Repository, tmp_path: Path) -> None:
    script = """
made, fetch, begun = [], Reader.chunk, Path(words[0])

def slow(reader, chunk):
    made.append(chunk)
    while len(list(begun.iterdir())) < 8:
        os.sched_yield()
    raw = fetch(reader, chunk)
    for _ in range(50):  # while the others come to look for the file
        hashlib.sha256(raw)
    return raw

Reader.chunk = slow
(begun / str(os.getpid())).touch()
print(digests(loading.load(repository, "m")), len(made))
"""
    begun = tmp_path / "begun"
    begun.mkdir()
    processes = [started(script, kept, str(begun)) for _ in range(8)]

    answers = [process.communicate(timeout=120)[0].split() for process in processes]

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
