"""The file transport: the contract, and what is particular to folders.

place/.mgit/packs/<id>.chunks    or    place/packs/<id>.chunks    or    place/ (empty)
"""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from mgit.errors import (
    ForbiddenError,
    MachineError,
    MgitError,
    NotFoundError,
    PackMissingError,
    RemoteError,
)
from mgit.remote import connect
from mgit.testing import PackInMemory, TransportContract

PACK = PackInMemory.of(1000)
LONG_AGO = (1_000_000_000, 1_000_000_000)


class TestFileRemote(TransportContract):
    def empty_place(self, folder: Path) -> str:
        return str(folder)

    def nowhere(self, folder: Path) -> str:
        (folder / "holiday.jpg").write_bytes(b"not a pack")
        return str(folder)


class TestFileUrl(TransportContract):
    def empty_place(self, folder: Path) -> str:
        (folder / "my models").mkdir()
        return f"file://{folder}/my%20models"

    def nowhere(self, folder: Path) -> str:
        (folder / "holiday.jpg").write_bytes(b"not a pack")
        return f"file://{folder}"


def place(tmp_path: Path, name: str = "place") -> Path:
    """A folder that holds the pack."""
    folder = tmp_path / name
    folder.mkdir()
    connect(str(folder)).write(PACK.pack, PACK)
    return folder


def test_a_url_of_this_machine_names_the_same_folder_as_its_path(tmp_path: Path) -> None:
    folder = place(tmp_path)

    for url in (f"file://{folder}", f"file://localhost{folder}"):
        assert list(connect(url).packs()) == [PACK.listing]


def test_a_url_of_another_machine_is_not_this_one(tmp_path: Path) -> None:
    folder = place(tmp_path)

    with pytest.raises(NotFoundError, match="another machine"):
        connect(f"file://elsewhere.example{folder}")


def test_a_repository_is_found_by_its_folder(tmp_path: Path) -> None:
    folder = place(tmp_path)
    (folder / ".mgit").mkdir()
    (folder / "packs").rename(folder / ".mgit" / "packs")

    assert list(connect(str(folder)).packs()) == [PACK.listing]


def test_a_file_is_no_repository(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")

    with pytest.raises(NotFoundError):
        list(connect(str(path)).packs())


def test_other_files_among_the_packs_are_not_listed(tmp_path: Path) -> None:
    folder = place(tmp_path)
    for name in ("list.bak", f"{PACK.pack.hex()}.zip", f"{PACK.pack.hex().upper()}.chunks"):
        (folder / "packs" / name).write_bytes(b"?")
    (folder / "packs" / f"{'0' * 64}.meta").mkdir()

    assert list(connect(str(folder)).packs()) == [PACK.listing]


def test_the_listing_for_servers_of_static_files_is_kept(tmp_path: Path) -> None:
    folder = place(tmp_path)
    other = PackInMemory.of(2000)

    connect(str(folder)).write(other.pack, other)

    listed = (folder / "packs" / "list").read_text().splitlines()
    both = (PACK.listing, other.listing)
    assert listed == sorted(f"{pack.file_name} {pack.size_bytes}" for pack in both)


@pytest.mark.parametrize("linked", [".mgit", "packs"])
def test_a_folder_behind_a_link_is_no_repository(tmp_path: Path, linked: str) -> None:
    secret = place(tmp_path, "secret")
    (tmp_path / "shown").mkdir()
    target = secret if linked == ".mgit" else secret / "packs"
    (tmp_path / "shown" / linked).symlink_to(target)

    with pytest.raises(NotFoundError):
        list(connect(str(tmp_path / "shown")).packs())


def test_a_pack_behind_a_link_is_neither_listed_nor_read(tmp_path: Path) -> None:
    secret = place(tmp_path, "secret")
    shown = tmp_path / "shown"
    (shown / "packs").mkdir(parents=True)
    (shown / "packs" / PACK.listing.file_name).symlink_to(secret / "packs" / PACK.listing.file_name)

    remote = connect(str(shown))

    assert list(remote.packs()) == []
    with pytest.raises(PackMissingError):
        remote.read(PACK.pack, 0, 10)


def test_a_pack_that_became_a_link_is_not_read(tmp_path: Path) -> None:
    folder = place(tmp_path)
    remote = connect(str(folder))
    list(remote.packs())
    path = folder / "packs" / PACK.listing.file_name
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(RemoteError):
        remote.read(PACK.pack, 0, 10)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    folder, outside = place(tmp_path), tmp_path / "outside"
    outside.mkdir()
    (folder / "incoming").rmdir()
    (folder / "incoming").symlink_to(outside)
    before = outside.stat().st_mtime_ns
    other = PackInMemory.of(2000)

    with pytest.raises(ForbiddenError, match="is a link"):
        connect(str(folder)).write(other.pack, other)

    assert outside.stat().st_mtime_ns == before


def test_a_pack_that_vanished_since_the_listing_is_missing(tmp_path: Path) -> None:
    folder = place(tmp_path)
    remote = connect(str(folder))
    list(remote.packs())
    (folder / "packs" / PACK.listing.file_name).unlink()

    with pytest.raises(PackMissingError):
        remote.read(PACK.pack, 0, 10)


def test_a_pack_cut_short_is_written_again(tmp_path: Path) -> None:
    folder = place(tmp_path)
    path = folder / "packs" / PACK.listing.file_name
    path.write_bytes(PACK.data[:100])

    connect(str(folder)).write(PACK.pack, PACK)

    assert path.read_bytes() == PACK.data


@pytest.mark.skipif(os.getuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_may_only_be_read_says_so(tmp_path: Path) -> None:
    folder = place(tmp_path)
    other = PackInMemory.of(2000)
    (folder / "incoming").chmod(0o500)
    try:
        with pytest.raises(ForbiddenError, match="not allowed"):
            connect(str(folder)).write(other.pack, other)
    finally:
        (folder / "incoming").chmod(0o700)

    assert list(connect(str(folder)).packs()) == [PACK.listing]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, MachineError),
        (errno.EDQUOT, MachineError),
        (errno.EROFS, ForbiddenError),
        (errno.EACCES, ForbiddenError),
        (errno.EIO, RemoteError),
        (errno.ESTALE, RemoteError),
    ],
)
def test_an_error_of_the_disk_is_told_by_what_can_be_done(
    tmp_path: Path, number: int, expected: type[MgitError]
) -> None:
    folder, other = place(tmp_path), PackInMemory.of(2000)

    class OnThatDisk:
        listing = other.listing

        def read(self, _start: int, _stop: int) -> bytes:
            raise OSError(number, os.strerror(number))

    with pytest.raises(expected):
        connect(str(folder)).write(other.pack, OnThatDisk())

    assert list(connect(str(folder)).packs()) == [PACK.listing]


def test_what_a_killed_writer_left_is_swept_by_the_next(tmp_path: Path) -> None:
    folder, other = place(tmp_path), PackInMemory.of(2000)
    left, fresh = (folder / "incoming" / name for name in ("left.part", "fresh.part"))
    for path in (left, fresh):
        path.write_bytes(b"half a pack")
    os.utime(left, LONG_AGO)

    connect(str(folder)).write(other.pack, other)

    assert not left.exists()
    assert fresh.exists()


def test_a_slow_writer_is_not_swept_away(tmp_path: Path) -> None:
    folder, other = place(tmp_path), PackInMemory.of(2000)
    slow = folder / "incoming" / "slow.part"

    with slow.open("xb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.utime(slow, LONG_AGO)
        connect(str(folder)).write(other.pack, other)

        assert slow.exists()


def test_a_write_leaves_nothing_beside_the_packs(tmp_path: Path) -> None:
    folder = place(tmp_path)

    with pytest.raises(RemoteError):
        connect(str(folder)).write(PackInMemory.of(9).pack, PackInMemory.of(9).failing_after(0))

    assert list((folder / "incoming").iterdir()) == []
    assert {p.name for p in (folder / "packs").iterdir()} == {PACK.listing.file_name, "list"}
