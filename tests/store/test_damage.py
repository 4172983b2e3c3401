"""The damage table: what happens to bytes on the disk, and what a reader says.

    part            flip         zero         truncate     delete
    body            object bad   object bad   not ready    not ready
    index           not ready    not ready    not ready    not ready
    trailer         not ready    not ready    not ready    not ready

Everything else still reads, and no reader ever gives a wrong byte.
"""

import errno
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError, MgitError
from mgit.objects import CHUNK, PackKind, Ref
from mgit.store import Reader, Store
from mgit.store.format import TRAILER_BYTES
from tests.store.building import family, full, id_of, raw_of, store_at, write_pack

Objects = dict[Ref, bytes]


def flip(content: bytearray, start: int, stop: int) -> None:
    content[(start + stop) // 2] ^= 0x10


def zero(content: bytearray, start: int, stop: int) -> None:
    content[start:stop] = bytes(stop - start)


def truncate(content: bytearray, start: int, stop: int) -> None:
    del content[(start + stop) // 2 :]


def delete(content: bytearray, start: int, stop: int) -> None:
    del content[start:stop]


DAMAGES: dict[str, Callable[[bytearray, int, int], None]] = {
    "flip": flip,
    "zero": zero,
    "truncate": truncate,
    "delete": delete,
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``.mgit`` folder of a family of two versions."""
    return family(tmp_path_factory.mktemp("sound")).folder


@pytest.fixture(scope="module")
def originals(sound: Path) -> Objects:
    found, refused = read_all(store_at(sound))
    assert refused == {}
    return found


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound / "packs", tmp_path / "packs")
    return tmp_path


def read_all(store: Store) -> tuple[Objects, dict[Ref, MgitError]]:
    """Everything that can be read, and the error for everything else that is in an index."""
    found: Objects = {}
    refused: dict[Ref, MgitError] = {}
    for ref in sorted({row.ref for index in store.catalog.packs.values() for row in index.rows()}):
        try:
            found[ref] = read(store.reader, ref)
        except MgitError as error:
            refused[ref] = error
    return found, refused


def read(reader: Reader, ref: Ref) -> bytes:
    return reader.chunk(ref.digest) if ref.kind == CHUNK else reader.object(ref)


def victim(folder: Path, kind: PackKind) -> Path:
    """The oldest pack of a kind: others rest on what is in it."""
    paths = (folder / "packs").glob(f"*.{kind.value}")
    return min(paths, key=lambda path: (path.stat().st_mtime_ns, path.name))


def in_pack(folder: Path, path: Path) -> list[Ref]:
    index = next(i for p, i in store_at(folder).catalog.packs.items() if p.hex() == path.stem)
    return [row.ref for row in index.rows()]


def damage(path: Path, part: str, how: str) -> None:
    content = bytearray(path.read_bytes())
    (length,) = struct.unpack_from("<Q", content, len(content) - TRAILER_BYTES)
    index_at = len(content) - TRAILER_BYTES - length
    start, stop = {
        "body": (0, index_at),
        "index": (index_at, len(content) - TRAILER_BYTES),
        "trailer": (len(content) - TRAILER_BYTES, len(content)),
    }[part]
    DAMAGES[how](content, start, stop)
    path.write_bytes(content)


def resting_on(store: Store, bad: set[Ref]) -> set[Ref]:
    """These objects and every chunk whose only row rests on one of them."""
    lost: set[Ref] = set(bad)
    rows = [row for index in store.catalog.packs.values() for row in index.rows()]
    for _ in rows:
        lost |= {row.ref for row in rows if any(Ref(CHUNK, base) in lost for base in row.bases)}
    return lost


@pytest.mark.parametrize("kind", PackKind)
@pytest.mark.parametrize("part", ["body", "index", "trailer"])
@pytest.mark.parametrize("how", DAMAGES)
def test_damage_is_told_and_everything_else_reads(
    copy: Path, originals: Objects, kind: PackKind, part: str, how: str
) -> None:
    path = victim(copy, kind)
    held = set(in_pack(copy, path))
    lost = resting_on(store_at(copy), held)
    damage(path, part, how)

    store = store_at(copy)
    found, refused = read_all(store)

    assert found.items() <= originals.items()  # never a wrong byte
    assert originals.keys() - found.keys() <= lost
    is_only_a_body = part == "body" and how in {"flip", "zero"}
    assert (path.name in store.unready) == (not is_only_a_body)
    assert all(isinstance(error, DamagedError | AbsentError) for error in refused.values())
    if is_only_a_body:
        assert {ref for ref in refused if ref in held}
        assert any(isinstance(error, DamagedError) for error in refused.values())
    else:
        assert held.isdisjoint(found)
        assert "not" in store.unready[path.name]


@pytest.mark.parametrize("kind", PackKind)
def test_a_pack_that_is_gone_takes_only_its_own(
    copy: Path, originals: Objects, kind: PackKind
) -> None:
    path = victim(copy, kind)
    lost = resting_on(store_at(copy), set(in_pack(copy, path)))
    path.unlink()

    store = store_at(copy)
    found, refused = read_all(store)

    assert found.items() <= originals.items()
    assert found.keys() == originals.keys() - lost
    assert store.unready == {}
    assert all(isinstance(error, AbsentError) for error in refused.values())


@pytest.mark.parametrize("kind", PackKind)
def test_damage_to_one_body_takes_that_object_alone(
    copy: Path, originals: Objects, kind: PackKind
) -> None:
    store = store_at(copy)
    for index in list(store.catalog.packs.values()):
        for row in index.rows():
            if index.kind is not kind:
                continue
            path = store.path_of(index.pack)
            sound = path.read_bytes()
            content = bytearray(sound)
            flip(content, row.offset, row.end)
            path.write_bytes(content)

            fresh = Store(copy, copy / "cache")
            fresh.damage.path.unlink(missing_ok=True)
            found, _ = read_all(fresh)

            assert found.keys() == originals.keys() - resting_on(store, {row.ref})
            assert found.items() <= originals.items()
            path.write_bytes(sound)


def test_damage_that_was_found_is_remembered_until_the_same_is_added_again(tmp_path: Path) -> None:
    path = write_pack(tmp_path / "packs", [full("A")])
    sound = path.read_bytes()
    content = bytearray(sound)
    flip(content, 0, 10)
    path.write_bytes(content)

    with pytest.raises(DamagedError, match="damaged in pack"):
        store_at(tmp_path).reader.chunk(id_of("A"))
    with pytest.raises(AbsentError):
        store_at(tmp_path).reader.chunk(id_of("A"))
    store = store_at(tmp_path)
    with store.writer(PackKind.CHUNKS) as writer:
        made = full("A")
        writer.add(made.row.ref, made.body, raw_bytes=made.row.raw_bytes)
        store.install(writer.finish())

    assert store_at(tmp_path).reader.chunk(id_of("A")) == raw_of("A")
    assert path.read_bytes() == sound


@pytest.mark.parametrize(
    "name",
    ["notes.txt", "0" * 64, "0" * 63 + ".meta", "A" * 64 + ".meta", "0" * 64 + ".other"],
)
def test_a_file_that_is_no_pack_is_told_and_left_alone(tmp_path: Path, name: str) -> None:
    write_pack(tmp_path / "packs", [full("A")])
    (tmp_path / "packs" / name).write_bytes(b"mine")

    store = store_at(tmp_path)

    assert store.reader.chunk(id_of("A")) == raw_of("A")
    assert list(store.unready) == [name]
    assert (tmp_path / "packs" / name).read_bytes() == b"mine"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = write_pack(tmp_path / "elsewhere", [full("A")])
    (tmp_path / "packs").mkdir()
    (tmp_path / "packs" / elsewhere.name).symlink_to(elsewhere)

    store = store_at(tmp_path)

    assert Ref(CHUNK, id_of("A")) not in store.catalog
    assert list(store.unready) == [elsewhere.name]


@pytest.mark.parametrize("content", [b"", b"x" * 47, b"x" * 48, bytes(2000)])
def test_garbage_under_the_right_name_is_not_ready(tmp_path: Path, content: bytes) -> None:
    name = f"{Digest.of(b'').hex()}.meta"
    write_pack(tmp_path / "packs", [full("A")])
    (tmp_path / "packs" / name).write_bytes(content)

    store = store_at(tmp_path)
    store.refresh()

    assert list(store.unready) == [name]
    assert store.reader.chunk(id_of("A")) == raw_of("A")


def test_a_pack_under_the_ending_or_the_id_of_another_is_not_ready(tmp_path: Path) -> None:
    first = write_pack(tmp_path / "packs", [full("A")])
    second = write_pack(tmp_path / "packs", [full("B")])
    first.rename(first.with_suffix(".meta"))
    content = second.read_bytes()
    swapped = second.with_stem("0" * 64)
    second.rename(swapped)

    store = store_at(tmp_path)
    store.refresh()

    assert store.unready.keys() == {first.with_suffix(".meta").name, swapped.name}
    assert swapped.read_bytes() == content


def test_where_the_disk_gives_an_error_another_pack_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for made in ([full("A")], [full("A"), full("B")]):
        write_pack(tmp_path / "packs", made)
    store = store_at(tmp_path)
    first, second = store.catalog.choices(id_of("A"))
    refused = store.path_of(first.pack).stat().st_ino
    real = os.pread

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        if os.fstat(descriptor).st_ino == refused:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", pread)

    assert store.reader.chunk(id_of("A")) == raw_of("A")
    assert store.reader.catalog.choices(id_of("A")) == [second]
