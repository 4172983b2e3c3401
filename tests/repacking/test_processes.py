"""Other processes at work in the same folder, while packs are removed."""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import pytest

from mgit.adding import Description, add
from mgit.errors import ConflictError, MachineError
from mgit.repacking import collect
from mgit.store.files import locked
from tests.checkpoints import f32, floats, parts_of, safetensors, written
from tests.repacking.family import START, Family, loosen, remove

AT_ONCE = timedelta()
HOLDER = """
import sys
from pathlib import Path
from mgit.store import Store
store = Store(Path(sys.argv[1]), Path(sys.argv[2]))
with store.leases.held("a long job", is_writing=sys.argv[3] == "True"):
    print("ready", flush=True)
    sys.stdin.readline()
"""
READER = """
import sys
from pathlib import Path
from mgit.digest import Digest
from mgit.store import Store
store = Store(Path(sys.argv[1]), Path(sys.argv[2]))
chunks = [Digest.from_text(text) for text in sys.argv[3:]]
listed = store.reader
print("ready", flush=True)
sys.stdin.readline()
for chunk in chunks:
    print(Digest.of(listed.chunk(chunk)).hex(), flush=True)
"""


@contextmanager
def process(program: str, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that says that it is ready, and goes on when it is told to."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", program, *words],
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline() == "ready\n"
            yield started
        finally:
            started.kill()


def holder(family: Family, *, is_writing: bool) -> AbstractContextManager["subprocess.Popen[str]"]:
    store = family.repository.store
    return process(HOLDER, str(store.folder), str(store.cache), str(is_writing))


def test_nothing_goes_while_somebody_writes(family: Family) -> None:
    remove(family, "other")
    family.grow_old(91)
    before = family.packs()
    collect(family.repository)
    with holder(family, is_writing=True) as writer:
        found = collect(family.repository, grace=AT_ONCE)

        assert [(lease.doing, lease.process) for lease in found.held_by] == [
            ("a long job", writer.pid)
        ]
        assert found.removed_packs == 0
        assert family.packs() == before


@pytest.mark.parametrize("begins", ["before", "after"])
def test_a_reader_keeps_what_was_condemned_after_it_began(family: Family, begins: str) -> None:
    remove(family, "other")
    family.grow_old(91)
    if begins == "after":
        collect(family.repository)
    with holder(family, is_writing=False):
        found = collect(family.repository, grace=AT_ONCE)

    assert found.removed_packs == (1 if begins == "after" else 0)


def test_a_lease_ends_with_its_process_however_that_ends(family: Family) -> None:
    remove(family, "other")
    family.grow_old(91)
    with holder(family, is_writing=True) as writer:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        leases = family.repository.store.leases
        assert len(list(leases.folder.glob("*.lease"))) == 1

        found = collect(family.repository, grace=AT_ONCE)

    assert found.removed_packs == 1
    assert list(leases.folder.glob("*.lease")) == []


def test_a_lease_that_cannot_be_read_counts(family: Family) -> None:
    leases = family.repository.store.leases
    with leases.held("something", is_writing=False):
        (path,) = leases.folder.glob("*.lease")
        path.write_bytes(b"{")

        with leases.paused() as held:
            assert [lease.is_writing for lease in held] == [True]


def test_commands_that_write_hold_a_lease_and_give_it_back(family: Family) -> None:
    repository = family.repository
    seen = []

    def look(_done: int, _total: int) -> None:
        with repository.store.leases.paused() as held:
            seen.append([(lease.doing, lease.is_writing) for lease in held])

    add(repository, family.source("one"), "again", progress=look)

    assert [("add", True)] in seen
    with repository.store.leases.paused() as held:
        assert held == []


def test_in_a_folder_to_be_read_only_a_reader_does_without(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 65534)

    assert family.is_here("kid", "kid")

    assert list(family.repository.store.leases.folder.glob("*.lease")) == []


@pytest.mark.parametrize("reason", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_where_nothing_may_be_written_nobody_waits_for_a_lease(
    family: Family, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    leases = family.repository.store.leases
    monkeypatch.setattr(fcntl, "flock", failing(reason))

    with leases.held("something", is_writing=True):
        assert list(leases.folder.glob("*.lease")) == []


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EMFILE, errno.EIO])
def test_who_writes_does_nothing_without_a_lease_and_who_reads_goes_on(
    family: Family, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    leases = family.repository.store.leases
    monkeypatch.setattr(fcntl, "flock", failing(reason))

    with pytest.raises(MachineError), leases.held("something", is_writing=True):
        pytest.fail("it began")
    with leases.held("something", is_writing=False):
        pass


def test_a_file_in_the_place_of_the_leases_is_told(family: Family) -> None:
    leases = family.repository.store.leases
    shutil.rmtree(leases.folder)
    leases.folder.touch()

    with pytest.raises(MachineError, match="leases"):
        add(family.repository, family.source("one"), "again")


def failing(reason: int) -> Callable[..., None]:
    def fail(*_given: object) -> None:
        raise OSError(reason, os.strerror(reason))

    return fail


def test_a_process_that_listed_the_packs_before_reads_on_when_they_are_gone(
    family: Family,
) -> None:
    """Its packs are rewritten, condemned and removed, all between two of its reads."""
    repository = family.repository
    chunks = [chunk.hex() for chunk in parts_of(repository, "kid").chunks()]
    loosen(family)
    store = repository.store
    with process(READER, str(store.folder), str(store.cache), *chunks) as reader:
        found = collect(family.repository, grace=AT_ONCE)
        out, _ = reader.communicate("go\n")

    assert found.removed_packs > 0
    assert found.copied_bytes > 0
    assert out.split() == chunks


def test_two_collections_do_not_meet(family: Family) -> None:
    with locked(family.repository.folder / "local" / "collecting"), pytest.raises(ConflictError):
        collect(family.repository)


def test_what_somebody_came_to_need_between_the_phases_stays(family: Family) -> None:
    """The same weights are added under another name: they are here already, in a condemned pack."""
    remove(family, "other")
    family.grow_old(91)
    collect(family.repository)
    add(family.repository, family.source("other"), "new")
    family.grow_old(15)

    collect(family.repository)

    assert family.is_here("new", "other")
    assert family.is_sound()


def test_what_no_name_leads_to_is_not_needed_by_what_comes_later(family: Family) -> None:
    """A sister of kid is removed; a new one is nearer to her than to their parent."""
    repository = family.repository
    far = floats(11, len(START))
    for name, number in (("sister", 12), ("new", 13)):
        values = floats(number, 0, near=far)
        written(family.source(name) / "a.safetensors", safetensors({"w": f32(values, 64, 64)}))
    parent = Description(parents=["base@v1"])
    add(repository, family.source("sister"), "sister", description=parent)
    remove(family, "sister")
    family.grow_old(91)
    assert collect(repository).condemned_packs == 1

    add(family.repository, family.source("new"), "new", description=parent)
    family.grow_old(15)

    assert collect(family.repository).removed_packs == 1
    assert family.is_here("new", "new")
