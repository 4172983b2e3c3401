"""Other processes at work in the same folder, while packs are removed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import pytest

from mgit.adding import add
from mgit.errors import ConflictError
from mgit.repacking import collect
from mgit.store.files import locked
from tests.checkpoints import parts_of
from tests.repacking.family import Family, loosen, remove

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
