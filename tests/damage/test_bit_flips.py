"""A bit flips anywhere in a repository: what comes out is right, or nothing does.

    packs/*.meta, packs/*.chunks      body | index: header, kinds, fan-out, rows, bases | trailer
    packs/list, local/*               a listing that nobody relies on, facts of this copy

Versions are asked for by id: which number a version has depends on what is here of its ancestors.
"""

import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mgit import repair, sync
from mgit.adding import add, export
from mgit.errors import MgitError
from mgit.repository import FOLDER, Repository
from tests.checkpoints import (
    f32,
    files_below,
    floats,
    home_of,
    repository_of,
    safetensors,
    written,
)

NEAR = floats(1, 64)
SEED = 20260101


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of a model, the second stored as differences from the first.

    ``in/ID`` is what the version of that id was made from.
    """
    root = tmp_path_factory.mktemp("sound")
    repository = repository_of("alice", root)
    for values in (NEAR, floats(2, 0, near=NEAR)):
        tensors = {"w": f32(values, 8, 8), "b": f32(values[:9])}
        written(root / "m" / "m.safetensors", safetensors(tensors))
        written(root / "m" / "config.json", b'{"model_type": "tiny"}')
        node = add(repository, root / "m", "m").node
        shutil.copytree(root / "m", root / "in" / node.hex())
    return root


def versions(sound: Path) -> dict[str, dict[str, bytes]]:
    """Id of a version -> its files."""
    return {folder.name: files_below(folder) for folder in (sound / "in").iterdir()}


def outcome(repository: Repository, version: str, target: Path) -> dict[str, bytes] | None:
    """The files that come out, or None where the program says why they do not."""
    shutil.rmtree(target, ignore_errors=True)
    try:
        export(repository, version, target)
    except MgitError as error:
        told = error
    else:
        return files_below(target)
    assert str(told)
    assert not target.exists()
    return None


def flipped(sound: Path, root: Path, path: str, byte: int, bit: int) -> Repository:
    """A copy in which one bit is another one."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(sound, root)
    file = root / "alice" / FOLDER / path
    content = bytearray(file.read_bytes())
    content[byte] ^= 1 << bit
    file.write_bytes(content)
    return Repository.at(root / "alice" / FOLDER, home_of("alice", root))


def places(folder: Path, per_file: int) -> list[tuple[str, int, int]]:
    """Places all over the files: evenly spread, at both ends, and drawn at random."""
    drawn = random.Random(SEED)  # noqa: S311
    found = []
    for path, content in files_below(folder).items():
        if content and path != "config.toml":
            size = len(content)
            spread = {size * n // per_file for n in range(per_file)}
            ends = {0, 7, size - 1, size - 9, size - 41, size - 48} & set(range(size))
            more = {drawn.randrange(size) for _ in range(per_file // 2)}
            found += [(path, byte, drawn.randrange(8)) for byte in sorted(spread | ends | more)]
    return found


def check_flips(sound: Path, root: Path, per_file: int) -> int:
    """Asserts what holds after each flip; returns how many of them kept something from coming."""
    right = versions(sound)
    refused = 0
    for path, byte, bit in places(sound / "alice" / FOLDER, per_file):
        repository = flipped(sound, root / "flipped", path, byte, bit)
        found = {v: outcome(repository, v, root / "out") for v in right}
        assert all(found[v] in (None, right[v]) for v in right), (path, byte, bit)
        refused += None in found.values()
    return refused


def test_no_flipped_bit_brings_out_a_wrong_byte(sound: Path, tmp_path: Path) -> None:
    assert check_flips(sound, tmp_path, 8) > 10


@pytest.mark.slow
def test_no_flipped_bit_anywhere_brings_out_a_wrong_byte(sound: Path, tmp_path: Path) -> None:
    assert check_flips(sound, tmp_path, 200) > 200


@pytest.mark.parametrize("kind", ["meta", "chunks"])
def test_a_flipped_bit_in_a_pack_is_found_and_never_passed_on(
    sound: Path, tmp_path: Path, kind: str
) -> None:
    right = versions(sound)
    drawn = random.Random(SEED)  # noqa: S311
    for path in sorted((sound / "alice" / FOLDER / "packs").glob(f"*.{kind}")):
        byte = drawn.randrange(path.stat().st_size)
        name = f"packs/{path.name}"
        repository = flipped(sound, tmp_path / "flipped", name, byte, drawn.randrange(8))
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)

        try:
            cloned = sync.clone(
                str(repository.folder), tmp_path / "copy", repository.home
            ).repository
        except MgitError:
            pass
        else:
            passed_on = repair.check(cloned)  # what the remote could not give is a gap, and is told
            assert replace(passed_on, gaps=()).is_clean
            found = {v: outcome(cloned, v, tmp_path / "out") for v in right}
            assert all(found[v] in (None, right[v]) for v in right), (name, byte)

        report = repair.check(repository)
        assert report.damage or report.unready or report.lost or report.forged, (name, byte)


def test_after_a_flip_adding_the_same_again_brings_everything_back(
    sound: Path, tmp_path: Path
) -> None:
    chunks = sorted((sound / "alice" / FOLDER / "packs").glob("*.chunks"))
    for path in chunks:
        name = f"packs/{path.name}"
        repository = flipped(sound, tmp_path / "flipped", name, 3, 1)
        assert not repair.check(repository).is_clean

        add(repository, sound / "m", "m")

        assert outcome(repository, "m", tmp_path / "out") == files_below(sound / "m")
