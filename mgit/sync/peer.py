"""A remote seen as a set of packs: its catalog from cached indexes, its bodies in joined reads."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from mgit.errors import FormatError, MgitError, RemoteError, UnknownCodecError
from mgit.objects import MAX_PACK_BYTES, PackId, PackKind
from mgit.remote import MAX_READ_BYTES, PackListing, Remote
from mgit.repository import Repository
from mgit.store import (
    TRAILER_BYTES,
    Catalog,
    FinishedPack,
    PackIndex,
    Place,
    derived,
    parse_trailer,
)
from mgit.store.files import write_whole
from mgit.store.format import MAX_INDEX_BYTES, check_of

_TAIL_BYTES = 64 << 10  # one read gets the trailer and most indexes
_GAP_BYTES = 256 << 10
_MAX_PACKS = 100_000


@dataclass(slots=True)
class Peer:
    """What a remote holds.

    Attributes:
        name: For messages.
        remote: The transport.
        catalog: The rows of its complete packs.
        unready: Packs that are not complete there, with the reason.
        damaged: Rows of it that turned out to be bad, in words, in the order in which they did.
    """

    name: str
    remote: Remote
    catalog: Catalog
    unready: dict[str, str] = field(default_factory=dict)
    damaged: dict[Place, str] = field(default_factory=dict)

    def read(self, pack: PackId, start: int, stop: int) -> bytes:
        """Returns a range of any length of a pack there."""
        return read_range(self.remote, pack, start, stop)

    def bodies(self, places: Iterable[Place]) -> Iterator[tuple[Place, bytes]]:
        """Yields the stored bodies of rows, checked against their index, gaps read along.

        Rows are read in the given order; neighbours in a pack share a read. A body that is not as
        its index promises is left out and noted in ``damaged``.
        """
        for run in _runs(places):
            start = run[0].row.offset
            data = self.read(run[0].pack, start, run[-1].row.end)
            for place in run:
                body = data[place.row.offset - start : place.row.end - start]
                if check_of(body) == place.row.check:
                    yield place, body
                else:
                    self.blame(place, "stored bytes differ from what the index promises")

    def blame(self, place: Place, reason: str) -> None:
        """Notes that a row of this peer is bad; it counts as absent from now on."""
        self.catalog.exclude(place)
        ref = place.row.ref
        self.damaged[place] = (
            f"{self.name}: {ref.kind} {ref.digest.short} in pack {place.pack.short}: {reason}"
        )


def meet(repository: Repository, name: str, remote: Remote) -> Peer:
    """Returns what a remote holds: one listing, and the indexes that were never seen before.

    Raises:
        RemoteError, NotFoundError: It cannot be reached, or is no repository.
    """
    listings = list(islice(remote.packs(), _MAX_PACKS + 1))
    if len(listings) > _MAX_PACKS:
        raise RemoteError(f"{name} lists more than {_MAX_PACKS:,} packs")
    peer = Peer(name, remote, Catalog({}))
    indexes: dict[PackId, PackIndex] = {}
    for listing in sorted(listings, key=_largest_metadata_first):
        try:
            found = _index(repository, remote, listing)
        except (FormatError, UnknownCodecError) as error:
            peer.unready[listing.file_name] = str(error)
            continue
        indexes[listing.pack] = found
        _keep_derived(repository, found)
    peer.catalog = Catalog(indexes)
    return peer


def _largest_metadata_first(listing: PackListing) -> tuple[bool, int, str]:
    """Packs that stand for smaller ones come before those, which need no read then."""
    return listing.kind is not PackKind.META, -listing.size_bytes, listing.file_name


def _keep_derived(repository: Repository, index: PackIndex) -> None:
    own = repository.store.catalog.packs

    def is_unknown(pack: PackId) -> bool:
        return pack not in own and not index_path(repository, pack).exists()

    for known in derived(index, is_unknown):
        keep_index(index_path(repository, known.pack), known)
        _keep_derived(repository, known)


def _index(repository: Repository, remote: Remote, listing: PackListing) -> PackIndex:
    own = repository.store.catalog.packs.get(listing.pack)
    if own is not None and own.size_bytes == listing.size_bytes:
        return own
    path = index_path(repository, listing.pack)
    index = _cached(path, listing.pack) or _read_index(remote, listing, path)
    if index.size_bytes != listing.size_bytes or index.kind is not listing.kind:
        raise FormatError("the pack is not complete")
    return index


def write_pack(repository: Repository, peer: Peer, pack: FinishedPack) -> None:
    """Adds a pack to what a peer holds; its index need not be read from there then."""
    peer.remote.write(pack.pack, _Outgoing(pack))
    keep_index(index_path(repository, pack.pack), pack.index)


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """A finished pack as the port takes it."""

    pack: FinishedPack

    @property
    def listing(self) -> PackListing:
        return PackListing(self.pack.pack, self.pack.index.kind, self.pack.size_bytes)

    def read(self, start: int, stop: int) -> bytes:
        return self.pack.read(self.pack.pack, start, stop)


def index_path(repository: Repository, pack: PackId) -> Path:
    """Returns where the index of a pack of some remote is cached."""
    return repository.home.cache / "indexes" / pack.hex()


def keep_index(path: Path, index: PackIndex) -> None:
    """Caches an index: it never changes, because its pack's id is its digest."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, index.to_bytes())
    except OSError:
        path.unlink(missing_ok=True)  # a cache that cannot be kept costs a read next time


def _cached(path: Path, pack: PackId) -> PackIndex | None:
    try:
        return PackIndex(pack, path.read_bytes())
    except (OSError, MgitError):
        return None


def _read_index(remote: Remote, listing: PackListing, path: Path) -> PackIndex:
    size = listing.size_bytes
    if not TRAILER_BYTES <= size <= MAX_PACK_BYTES + MAX_INDEX_BYTES:
        raise FormatError(f"a pack of {size:,} bytes")
    tail = read_range(remote, listing.pack, max(size - _TAIL_BYTES, 0), size)
    length, named = parse_trailer(tail[-TRAILER_BYTES:])
    if named != listing.pack or length > min(size - TRAILER_BYTES, MAX_INDEX_BYTES):
        raise FormatError("the trailer does not match the name: the pack is not complete")
    start = size - TRAILER_BYTES - length
    held = max(size - _TAIL_BYTES, 0)
    head = read_range(remote, listing.pack, start, held) if start < held else b""
    data = (head + tail[max(start - held, 0) :])[:length]
    index = PackIndex(listing.pack, data)
    keep_index(path, index)
    return index


def read_range(remote: Remote, pack: PackId, start: int, stop: int) -> bytes:
    """Returns a range of any length, in reads that the port allows."""
    parts = [
        remote.read(pack, at, min(at + MAX_READ_BYTES, stop))
        for at in range(start, stop, MAX_READ_BYTES)
    ]
    return b"".join(parts)


def _runs(places: Iterable[Place]) -> Iterator[list[Place]]:
    run: list[Place] = []
    for place in places:
        if run and not _joins(run, place):
            yield run
            run = []
        run.append(place)
    if run:
        yield run


def _joins(run: list[Place], place: Place) -> bool:
    gap = place.row.offset - run[-1].row.end
    is_near = place.pack == run[-1].pack and 0 <= gap <= _GAP_BYTES
    return is_near and place.row.end - run[0].row.offset <= MAX_READ_BYTES
