"""Everything that arrives from elsewhere: kept apart, verified, then made part of the repository.

A peer is trusted with nothing. Sizes come from an index that its pack's id commits to, and are
bounded before anything is read; bodies are checked against that index; objects against their digest
and one form; chunks by decoding them; entries and roots by their signatures.
"""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from mgit.digest import Digest
from mgit.errors import FormatError, MgitError, UnknownCodecError
from mgit.objects import (
    MetaObject,
    PackId,
    PackKind,
    Ref,
    decode,
)
from mgit.repository import History, Repository
from mgit.store import Catalog, FinishedPack, PackWriter, Place, Reader

_QUARANTINE_PACK_BYTES = 128 << 20  # what a killed transfer loses at most


@dataclass(slots=True)
class Quarantine:
    """Chunks on their way in. Used as a context: what is verified by then is kept in any case.

    Attributes:
        repository: Where they will belong.
        peer: Who sent them, for messages.
        received_bytes: Bytes of the chunks that were verified and installed.
        unknown: Why something was left out that this version, or this machine, cannot decode.
    """

    repository: Repository
    peer: str
    received_bytes: int = 0
    unknown: UnknownCodecError | None = None
    _writer: PackWriter = field(init=False)
    _places: dict[Ref, Place] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._writer = self._new_writer()

    def _new_writer(self) -> PackWriter:
        writer = self.repository.store.writer(PackKind.CHUNKS)
        writer.limit_bytes = _QUARANTINE_PACK_BYTES
        return writer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None or isinstance(error, MgitError | KeyboardInterrupt):
                self.settle()
        finally:
            self._writer.discard()

    def add(self, place: Place, body: bytes) -> None:
        """Takes the stored body of a chunk, which was checked against its index."""
        self._writer.copy(place.row, body)
        self._places[place.row.ref] = place

    @property
    def is_full(self) -> bool:
        """Whether a pack is complete, so that it is worth settling."""
        return bool(self._writer.finished)

    def settle(self) -> list[Place]:
        """Verifies and installs what was received so far; bases must have come before children.

        Returns the rows at the peer that are not what their ids say. They are left out, and so is
        what cannot be decoded for another reason: a base of it is bad, there or here.
        """
        packs = list(self._writer.finish())
        bad: set[Ref] = set()
        undecoded = self._undecoded(packs, bad)
        if undecoded:
            packs = self._without(undecoded, packs)
        self.repository.store.install(packs)
        self._writer = self._new_writer()
        self.received_bytes += sum(pack.index.bodies_bytes for pack in packs)
        blamed = [self._places[ref] for ref in sorted(bad)]
        self._places.clear()
        return blamed

    def _undecoded(self, packs: list[FinishedPack], bad: set[Ref]) -> set[Ref]:
        """Returns what cannot be decoded; what is itself not what its id says joins ``bad``."""
        reader = self._joint_reader(packs, bad)
        undecoded = set()
        for ref in (row.ref for pack in packs for row in pack.index.rows()):
            try:
                reader.chunk(ref.digest)
            except MgitError as error:
                undecoded.add(ref)
                if isinstance(error, UnknownCodecError):
                    self.unknown = error
        return undecoded

    def _joint_reader(self, packs: list[FinishedPack], bad: set[Ref]) -> Reader:
        """Reads from the repository and from the packs that are not part of it yet."""
        store = self.repository.store
        arrived = {pack.pack: pack for pack in packs}
        indexes = {**store.catalog.packs, **{p: pack.index for p, pack in arrived.items()}}

        def read(pack: PackId, start: int, stop: int) -> bytes:
            return arrived.get(pack, store).read(pack, start, stop)

        def report(place: Place, reason: str) -> None:
            if place.pack in arrived:
                bad.add(place.row.ref)
            else:
                store.reader.report(place, reason)

        damaged = {row for row in store.catalog.damaged if row[0] not in arrived}
        return Reader(Catalog(indexes, damaged), read, report)

    def _without(self, bad: set[Ref], packs: list[FinishedPack]) -> list[FinishedPack]:
        writer = self._new_writer()
        for pack in packs:
            for row in pack.index.rows():
                if row.ref not in bad:
                    writer.copy(row, pack.read(pack.pack, row.offset, row.end))
        self._writer.discard()
        return writer.finish()


def verified(ref: Ref, body: bytes) -> MetaObject:
    """Returns the metadata object in a body that arrived.

    Raises:
        FormatError: Not the object with this digest, not in its one form, or of another kind.
    """
    if Digest.of(body) != ref.digest:
        raise FormatError(f"{ref.kind} {ref.digest.short} does not have its digest")
    obj = decode(body)
    if obj.kind != ref.kind:
        raise FormatError(f"{ref.digest.short} is a {obj.kind}, not a {ref.kind}")
    return obj


def admissible(history: History) -> set[Digest]:
    """Returns the entries and root documents that may become part of a repository.

    Those of the history's own repository that their keys really signed. Entries of keys without a
    role are among them: they are shown aside and move nothing.
    """
    ledger = history.ledger
    own = {d for d, entry in ledger.entries.items() if entry.repository == history.repository}
    return own | set(ledger.roots)
