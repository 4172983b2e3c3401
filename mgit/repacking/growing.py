"""What new packs will hold, while it is being decided: every chunk rests on what came before it."""

import threading
from dataclasses import dataclass, field

from mgit.digest import Digest
from mgit.objects import CHUNK, PackId, Ref
from mgit.store import Catalog, Coded, Cost, PackWriter, Place, Reader, Row
from mgit.store.format import check_of

_NOWHERE = PackId(Digest(bytes(32)))


class Growing(Catalog):
    """The rows of packs that stay, and of chunks that have their place in the new ones.

    A chunk of the new packs has no row that stays. So rows never come to rest on themselves, and
    what a chunk costs never changes once it is known.
    """

    __slots__ = ("fresh", "lasting")

    def __init__(self, lasting: Catalog) -> None:
        """Takes the catalog of the packs that stay."""
        super().__init__({})
        self.lasting = lasting
        self.fresh: dict[Digest, Row] = {}

    def places(self, ref: Ref) -> list[Place]:
        """Returns the one row of a chunk that counts, or those that stay."""
        row = self.fresh.get(ref.digest)
        return [Place(_NOWHERE, row)] if row else self.lasting.choices(ref.digest)

    def take(self, row: Row) -> None:
        """Gives a chunk its place: from now on others may rest on it."""
        with self._lock:
            self.fresh[row.ref.digest] = row
            self._costs.pop(row.ref.digest, None)

    def may_take(self, row: Row) -> bool:
        """Returns whether a row rests on what has its place, and within a writer's bounds."""
        bases = [self.cost(base) for base in row.bases]
        known = [base for base in bases if base is not None]
        cost = Cost.over(row.raw_bytes, known)
        return len(known) == len(bases) and cost.may_be_written(row.raw_bytes, row.stored_bytes)


class Lender(Reader):
    """Chunks as they can be read now; what they cost, as it will be."""

    def __init__(self, catalog: Catalog, reader: Reader) -> None:
        """Takes the catalog to judge by, and the reader to read with."""
        super().__init__(catalog, reader.read, reader.report)
        self._reader = reader

    def chunk(self, digest: Digest) -> bytes:
        """Returns the raw bytes of a chunk; see ``Reader.chunk``."""
        return self._reader.chunk(digest)


@dataclass(slots=True)
class Draft:
    """The new rows: bodies that were coded anew, in packs that nobody will see, and old ones.

    Several threads may write to it.
    """

    writer: PackWriter
    growing: Growing
    copied: dict[Digest, Place] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def copy(self, place: Place) -> None:
        """Keeps a row as it is stored."""
        with self.lock:
            self.copied[place.row.ref.digest] = place
            self.growing.take(place.row)

    def write(self, chunk: Digest, raw_bytes: int, coded: Coded) -> None:
        """Takes a chunk that was coded anew."""
        ref, body = Ref(CHUNK, chunk), coded.body
        row = Row(ref, coded.codec, coded.bases, 0, len(body), raw_bytes, check_of(body))
        with self.lock:
            self.writer.add(ref, body, raw_bytes=raw_bytes, codec=coded.codec, bases=coded.bases)
            self.growing.take(row)
