"""The contract of the port to remotes, as tests that every transport inherits.

A transport shows itself conformant by one class::

    class TestMine(TransportContract):
        def empty_place(self, folder: Path) -> str: ...
        def nowhere(self, folder: Path) -> str: ...

Knows the port only: nothing here looks at how a transport keeps packs.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from mgit.digest import Digest
from mgit.errors import MgitError, NotFoundError, PackMissingError
from mgit.objects import CHUNK, Node, PackId, PackKind, Ref
from mgit.remote import MAX_READ_BYTES, PackListing, Remote, connect
from mgit.store import Row
from mgit.store.format import build_index, check_of, trailer

_BODY_BYTES = 1 << 20
_OBJECT_KINDS = {PackKind.CHUNKS: CHUNK, PackKind.META: Node.kind}


@dataclass(frozen=True, slots=True)
class PackInMemory:
    """A pack to be written: bodies of noise under a true index.

    Attributes:
        listing: Its id, kind and size.
        data: The bytes of the whole file.
        readable_bytes: How many of them can be read before the source fails; None: all.
    """

    listing: PackListing
    data: bytes
    readable_bytes: int | None = None

    @classmethod
    def of(
        cls, size_bytes: int, kind: PackKind = PackKind.CHUNKS, *, seed: int = 0
    ) -> "PackInMemory":
        """Returns a pack with so many bytes of bodies, the same for the same seed."""
        noise = random.Random(f"{size_bytes} {seed}").randbytes(size_bytes)  # noqa: S311
        bodies = [noise[at : at + _BODY_BYTES] for at in range(0, size_bytes, _BODY_BYTES)]
        index = build_index(kind, _rows(_OBJECT_KINDS[kind], bodies), {})
        data = noise + index + trailer(index)
        return cls(PackListing(PackId(Digest.of(index)), kind, len(data)), data)

    @property
    def pack(self) -> PackId:
        """Its id."""
        return self.listing.pack

    def read(self, start: int, stop: int) -> bytes:
        """Returns a range of its bytes; OSError beyond what can be read."""
        if self.readable_bytes is not None and stop > self.readable_bytes:
            raise OSError("the disk under the source fails")
        return self.data[start:stop]

    def failing_after(self, readable_bytes: int) -> "PackInMemory":
        """Returns the same pack on a disk that fails."""
        return PackInMemory(self.listing, self.data, readable_bytes)


def _rows(kind: str, bodies: Sequence[bytes]) -> list[Row]:
    rows: list[Row] = []
    for body in bodies:
        at, size = rows[-1].end if rows else 0, len(body)
        rows.append(Row(Ref(kind, Digest.of(body)), 0, (), at, size, size, check_of(body)))
    return rows


def _by_name(remote: Remote) -> dict[str, PackListing]:
    return {listing.file_name: listing for listing in remote.packs()}


def _whole(remote: Remote, pack: PackInMemory) -> bytes:
    size = pack.listing.size_bytes
    steps = range(0, size, MAX_READ_BYTES)
    return b"".join(remote.read(pack.pack, at, min(at + MAX_READ_BYTES, size)) for at in steps)


class TransportContract(ABC):
    """What holds of every transport; a subclass says where there is room and where is nothing."""

    @abstractmethod
    def empty_place(self, folder: Path) -> str:
        """Returns the URL of a place that holds nothing yet and may be written to.

        Args:
            folder: Empty, and the test's own.
        """

    @abstractmethod
    def nowhere(self, folder: Path) -> str:
        """Returns a URL at which there is no repository, and none may be begun."""

    def connect(self, url: str) -> Remote:
        """Returns a new connection; by default through the entry point of the scheme."""
        return connect(url)

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """The URL of an empty place."""
        folder = tmp_path / "place"
        folder.mkdir()
        return self.empty_place(folder)

    @pytest.fixture
    def remote(self, url: str) -> Remote:
        """A connection to an empty place."""
        return self.connect(url)

    def test_an_empty_place_lists_nothing(self, remote: Remote) -> None:
        """No packs, and no error either: one may push there."""
        assert list(remote.packs()) == []

    def test_a_place_without_a_repository_is_not_found(self, tmp_path: Path) -> None:
        """Else a mistyped URL would look like a repository with nothing in it."""
        folder = tmp_path / "nowhere"
        folder.mkdir()

        with pytest.raises(NotFoundError):
            list(self.connect(self.nowhere(folder)).packs())

    def test_a_pack_is_listed_with_id_kind_and_size(self, remote: Remote, url: str) -> None:
        """For the connection that wrote it, and for any other."""
        chunks = PackInMemory.of(5000)
        meta = PackInMemory.of(300, PackKind.META)

        for pack in (chunks, meta):
            remote.write(pack.pack, pack)

        expected = {pack.listing.file_name: pack.listing for pack in (chunks, meta)}
        assert _by_name(remote) == expected
        assert _by_name(self.connect(url)) == expected

    @pytest.mark.parametrize("size_bytes", [1, 4096, (4 << 20) + 1, MAX_READ_BYTES + 12345])
    def test_the_same_bytes_come_back(self, remote: Remote, url: str, size_bytes: int) -> None:
        """Whatever the size, also beyond what one read returns."""
        pack = PackInMemory.of(size_bytes)

        remote.write(pack.pack, pack)

        assert _whole(self.connect(url), pack) == pack.data

    def test_a_range_is_exactly_what_was_asked_for(self, remote: Remote) -> None:
        """From its first byte to before its last one; an empty range is nothing."""
        pack = PackInMemory.of(5000)
        remote.write(pack.pack, pack)

        for start, stop in ((0, 1), (7, 4000), (4999, 5001), (0, 0), (123, 123)):
            assert remote.read(pack.pack, start, stop) == pack.data[start:stop]

    def test_a_range_past_the_end_is_cut_off_there(self, remote: Remote) -> None:
        """So that a reader who asks for a tail need not know the size to a byte."""
        pack = PackInMemory.of(5000)
        remote.write(pack.pack, pack)
        size = pack.listing.size_bytes

        assert remote.read(pack.pack, size - 10, size + 10) == pack.data[-10:]
        assert remote.read(pack.pack, size, size + 1) == b""
        assert remote.read(pack.pack, size + 5, size + 10) == b""

    def test_one_read_is_bounded(self, remote: Remote) -> None:
        """More than 16 MiB at once is a mistake of the programmer."""
        pack = PackInMemory.of(100)
        remote.write(pack.pack, pack)

        with pytest.raises(ValueError, match=str(MAX_READ_BYTES + 1)):
            remote.read(pack.pack, 0, MAX_READ_BYTES + 1)

    def test_a_pack_that_is_not_there_is_missing(self, remote: Remote) -> None:
        """A caller lists again, which no other error makes it do."""
        pack = PackInMemory.of(100)
        remote.write(pack.pack, pack)

        with pytest.raises(PackMissingError):
            remote.read(PackInMemory.of(200).pack, 0, 1)

    def test_a_pack_of_another_connection_can_be_read(self, url: str) -> None:
        """A connection does not go by what it listed long ago."""
        early, late = self.connect(url), self.connect(url)
        pack = PackInMemory.of(100)
        list(early.packs())

        late.write(pack.pack, pack)

        assert early.read(pack.pack, 0, 100) == pack.data[:100]

    def test_writing_a_pack_again_changes_nothing(self, remote: Remote) -> None:
        """It is there already, whoever brought it."""
        pack = PackInMemory.of(5000)
        remote.write(pack.pack, pack)

        remote.write(pack.pack, pack.failing_after(0))

        assert _by_name(remote) == {pack.listing.file_name: pack.listing}
        assert _whole(remote, pack) == pack.data

    @pytest.mark.parametrize("readable_bytes", [0, 5 << 20])
    def test_a_write_that_fails_midway_leaves_nothing(
        self, remote: Remote, url: str, readable_bytes: int
    ) -> None:
        """All or nothing; and trying again succeeds."""
        pack = PackInMemory.of(6 << 20)

        with pytest.raises((MgitError, OSError)):
            remote.write(pack.pack, pack.failing_after(readable_bytes))
        listed = _by_name(self.connect(url))
        remote.write(pack.pack, pack)

        assert listed == {}
        assert _whole(remote, pack) == pack.data

    def test_two_writers_at_once_do_not_disturb_each_other(self, url: str) -> None:
        """Both bring two packs, one of them the same."""
        shared, first, second = (PackInMemory.of(3 << 20, seed=seed) for seed in range(3))

        def bring(*packs: PackInMemory) -> None:
            remote = self.connect(url)
            for pack in packs:
                remote.write(pack.pack, pack)

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(bring, shared, first), pool.submit(bring, shared, second)]:
                done.result()

        after = self.connect(url)
        packs = (shared, first, second)
        assert _by_name(after) == {pack.listing.file_name: pack.listing for pack in packs}
        assert all(_whole(after, pack) == pack.data for pack in packs)
