"""A pack is written whole or not at all, and counts from the moment it is renamed into place."""

import errno
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgit.digest import Digest
from mgit.errors import MachineError
from mgit.objects import CHUNK, PackKind, Ref
from mgit.store import PackWriter, Store
from tests.store.building import Made, delta, full, id_of, raw_of, store_at

KILLED = """
import os, signal, sys
from pathlib import Path
from mgit.objects import PackKind
from tests.store.building import full, store_at

store = store_at(Path(sys.argv[1]))
writer = store.writer(PackKind.CHUNKS)
made = full("B")
writer.add(made.row.ref, made.body, raw_bytes=made.row.raw_bytes)
if sys.argv[2] == "finished":
    writer.finish()
else:
    writer._file.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


def put(writer: PackWriter, made: Made) -> None:
    row = made.row
    writer.add(row.ref, made.body, raw_bytes=row.raw_bytes, codec=row.codec, bases=row.bases)


def store_with(folder: Path, *words: str) -> Store:
    store = store_at(folder)
    with store.writer(PackKind.CHUNKS) as writer:
        for word in words:
            put(writer, full(word))
        store.install(writer.finish())
    return store


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@given(st.lists(st.integers(1, 60), min_size=1, max_size=20), st.integers(1, 100))
@settings(max_examples=settings().max_examples // 5)
def test_a_full_pack_is_followed_by_the_next_one(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], limit: int
) -> None:
    bodies = {Digest.of(bytes([i])): bytes([i]) * size for i, size in enumerate(sizes)}
    store = store_at(tmp_path_factory.mktemp("store"))

    with PackWriter(PackKind.CHUNKS, store.incoming, limit_bytes=limit) as writer:
        for digest, body in bodies.items():
            writer.add(Ref(CHUNK, digest), body, raw_bytes=len(body))
        known = [Ref(CHUNK, digest) in writer for digest in bodies]
        packs = list(writer.finish())
        store.install(packs)

    rows = [list(pack.index.rows()) for pack in packs]
    assert [row.ref.digest for pack in rows for row in pack] == list(bodies)
    assert all(len(pack) == 1 or pack[-1].end <= limit for pack in rows)
    assert all(a[-1].end + b[0].stored_bytes > limit for a, b in pairwise(rows))
    assert all(known)
    assert all(Ref(CHUNK, digest) in store.catalog for digest in bodies)


def test_what_is_installed_is_there_and_listed_and_nothing_is_left_behind(tmp_path: Path) -> None:
    store = store_with(tmp_path, "A", "B")

    (pack,) = store.catalog.packs.values()
    name = f"{pack.pack.hex()}.chunks"
    assert names_in(store.packs_folder) == sorted([name, "list"])
    assert (store.packs_folder / "list").read_text() == f"{name} {pack.size_bytes}\n"
    assert (store.packs_folder / name).stat().st_size == pack.size_bytes
    assert names_in(store.incoming) == []
    assert store.reader.chunk(id_of("B")) == raw_of("B")


def test_the_same_objects_make_the_same_pack(tmp_path: Path) -> None:
    first, second = (store_with(tmp_path / folder, "A", "B") for folder in ("one", "two"))
    again = store_with(tmp_path / "one", "A", "B")

    assert first.catalog.packs.keys() == second.catalog.packs.keys() == again.catalog.packs.keys()


def fail_while_writing(store: Store) -> None:
    with PackWriter(PackKind.CHUNKS, store.incoming, limit_bytes=1) as writer:
        put(writer, full("B"))
        put(writer, full("C"))  # the first pack is finished by now
        raise RuntimeError


def test_discarding_leaves_nothing(tmp_path: Path) -> None:
    store = store_with(tmp_path, "A")
    before = names_in(store.packs_folder)

    with pytest.raises(RuntimeError):
        fail_while_writing(store)

    assert names_in(store.incoming) == []
    assert names_in(store.packs_folder) == before
    assert id_of("B") not in {
        row.ref.digest for i in store.catalog.packs.values() for row in i.rows()
    }


def test_a_pack_that_the_disk_refused_is_given_up_and_not_finished_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    store = store_at(tmp_path)
    writer = store.writer(PackKind.CHUNKS)
    put(writer, full("A"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(MachineError):
            writer.finish()

    assert writer.finish() == []
    assert names_in(store.incoming) == []


def test_a_writer_that_was_given_nothing_writes_nothing(tmp_path: Path) -> None:
    store = store_at(tmp_path)

    with store.writer(PackKind.META) as writer:
        assert writer.finish() == []

    assert names_in(store.incoming) == []


def test_a_pack_being_written_can_be_read_and_is_not_there_yet(tmp_path: Path) -> None:
    store = store_with(tmp_path, "A")

    with store.writer(PackKind.CHUNKS) as writer:
        put(writer, delta("B", "A"))
        (pack,) = writer.finish()
        store.refresh()

        assert Ref(CHUNK, id_of("B")) not in store.catalog
        row = pack.index.find(Ref(CHUNK, id_of("B")))
        assert row is not None
        assert pack.read(pack.pack, row.offset, row.end) == delta("B", "A").body
        store.install([pack])

    assert store.reader.chunk(id_of("B")) == raw_of("B")


@pytest.mark.parametrize("moment", ["writing", "finished"])
def test_a_kill_midway_leaves_no_visible_pack_and_the_rest_is_swept(
    tmp_path: Path, moment: str
) -> None:
    store = store_with(tmp_path, "A")
    before = names_in(store.packs_folder)

    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), moment],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    left = names_in(store.incoming)
    for name in left:  # as after a minute
        os.utime(store.incoming / name, (time.time() - 3600,) * 2)
    store_with(tmp_path, "C")

    assert killed.returncode == -signal.SIGKILL
    assert len(left) == 1
    assert names_in(store.incoming) == []
    assert set(before) <= set(names_in(store.packs_folder))
    fresh = store_at(tmp_path)
    assert fresh.reader.chunk(id_of("A")) == raw_of("A")
    assert Ref(CHUNK, id_of("B")) not in fresh.catalog
    assert fresh.unready == {}


def test_what_another_command_is_writing_is_not_swept(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    with store.writer(PackKind.CHUNKS) as busy:
        put(busy, full("A"))
        for name in names_in(store.incoming):
            os.utime(store.incoming / name, (time.time() - 3600,) * 2)
        store_with(tmp_path, "B")
        store.install(busy.finish())

    assert store.reader.chunk(id_of("A")) == raw_of("A")


def test_no_place_to_write_is_told(tmp_path: Path) -> None:
    (tmp_path / "incoming").touch()

    with pytest.raises(MachineError, match="writing a pack"):
        store_with(tmp_path, "A")
