"""Which objects many packs hold, and what it costs to decode them. Reads indexes only.

A chunk may have several rows in several packs. What can be decoded is the least fixpoint from the
chunks that stand alone: three honest racing writers can otherwise make a cycle A = d(B), B = d(A).
Costs are found as D. E. Knuth generalises Dijkstra's algorithm to grammars (Information Processing
Letters 6, 1977).
"""

import heapq
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from mgit.digest import Digest
from mgit.objects import CHUNK, PackId, Ref
from mgit.store.format import PackIndex, Row
from mgit.store.merged import MergedIndex

WRITE_DEPTH, WRITE_COST = 8, 6  # what a writer keeps to; cost as a multiple of the raw size
SMALL, SMALL_COST = 32, 32  # the same for a row that takes at most 1/32 of its raw size
READ_DEPTH, READ_COST = 32, 64  # what a reader accepts


@dataclass(frozen=True, slots=True, order=True)
class Cost:
    """What decoding a chunk takes: raw bytes made on the way, itself included, and depth."""

    raw_bytes: int
    depth: int

    @classmethod
    def over(cls, raw_bytes: int, bases: Sequence["Cost"]) -> "Cost":
        """Returns the cost of a chunk of this size that rests on chunks of these costs."""
        made = raw_bytes + sum(base.raw_bytes for base in bases)
        return cls(made, 1 + max(base.depth for base in bases) if bases else 0)

    def may_be_written(self, raw_bytes: int, stored_bytes: int) -> bool:
        """Returns whether a writer may add a row of this cost: its bytes decoded, and as stored."""
        bound = SMALL_COST if stored_bytes * SMALL <= raw_bytes else WRITE_COST
        return self.depth <= WRITE_DEPTH and self.raw_bytes <= bound * raw_bytes


@dataclass(frozen=True, slots=True)
class Place:
    """A row, and the pack it is in."""

    pack: PackId
    row: Row


@dataclass(slots=True)
class Catalog:
    """The rows of a set of packs. May be asked by several threads.

    Attributes:
        packs: Their indexes.
        damaged: Rows known to be bad: they count as absent.
        merged: A sorted index over most of the packs; the others are asked one by one.
        condemned: Packs that will be removed: of rows that cost the same, theirs come last.
        codecs: Chunks that are stored with others count as absent; None: with none.
    """

    packs: Mapping[PackId, PackIndex]
    damaged: set[tuple[PackId, Digest]] = field(default_factory=set)
    merged: MergedIndex | None = None
    condemned: AbstractSet[PackId] = frozenset()
    codecs: AbstractSet[int] | None = None
    _costs: dict[Digest, Cost | None] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)
    _beside: Sequence[PackIndex] = field(init=False, repr=False)  # those not merged

    def __post_init__(self) -> None:
        """Finds out once which packs are to be asked one by one."""
        covered = self.merged.covered if self.merged else frozenset()
        self._beside = [index for pack, index in self.packs.items() if pack not in covered]

    def places(self, ref: Ref) -> list[Place]:
        """Returns every undamaged row of an object."""
        merged = self.merged.find(ref.digest) if self.merged else ()
        found = [(pack, self.packs[pack].row(number)) for pack, number in merged]
        found += [(index.pack, row) for index in self._beside if (row := index.find(ref))]
        return [
            Place(pack, row)
            for pack, row in found
            if row.ref == ref
            and (pack, ref.digest) not in self.damaged
            and (self.codecs is None or row.codec in self.codecs)
        ]

    def all_places(self, ref: Ref) -> Iterator[Place]:
        """Yields every row of an object, those too that count as absent."""
        for pack, index in self.packs.items():
            if row := index.find(ref):
                yield Place(pack, row)

    def all_bases(self, chunk: Digest) -> Iterator[Digest]:
        """Yields what any row of a chunk rests on, those too that count as absent."""
        for place in self.all_places(Ref(CHUNK, chunk)):
            yield from place.row.bases

    def __contains__(self, ref: object) -> bool:
        """Returns whether an object is here and, if it is a chunk, can be decoded."""
        if not isinstance(ref, Ref):
            return False
        if ref.kind == CHUNK:
            return self.cost(ref.digest) is not None
        return bool(self.places(ref))

    def exclude(self, place: Place) -> None:
        """Makes a row that was found bad count as absent."""
        with self._lock:
            self.damaged.add((place.pack, place.row.ref.digest))
            self._costs.clear()

    def restrict(self, codecs: AbstractSet[int]) -> None:
        """Makes rows of all other codecs count as absent."""
        with self._lock:
            self.codecs = codecs
            self._costs.clear()

    def of_kinds(self, kinds: AbstractSet[str], packs: Iterable[PackId]) -> Iterator[Place]:
        """Yields the rows of all objects of some kinds in some packs, in the order of bodies."""
        for pack in packs:
            index = self.packs[pack]
            if kinds & set(index.kinds):
                for row in index.rows():
                    if row.ref.kind in kinds and (pack, row.ref.digest) not in self.damaged:
                        yield Place(pack, row)

    def of_kind(self, kind: str) -> Iterator[Place]:
        """Yields the rows of all objects of a kind, pack by pack, in the order of their bodies."""
        return self.of_kinds({kind}, self.packs)

    def cost(self, chunk: Digest) -> Cost | None:
        """Returns the least cost of decoding a chunk, or None where it cannot be decoded."""
        with self._lock:
            if chunk not in self._costs:
                self._settle(chunk)
            return self._costs[chunk]

    def choices(self, chunk: Digest) -> list[Place]:
        """Returns the rows that a chunk can be decoded from within bounds, cheapest first."""
        costed = []
        for place in self.places(Ref(CHUNK, chunk)):
            cost = self.row_cost(place.row)
            bound = READ_COST * place.row.raw_bytes
            if cost and cost.depth <= READ_DEPTH and cost.raw_bytes <= bound:
                costed.append((cost, place.pack in self.condemned, place.pack, place))
        return [place for *_, place in sorted(costed, key=lambda item: item[:3])]

    def row_cost(self, row: Row) -> Cost | None:
        """Returns the cost of decoding this very row, or None where a base cannot be decoded."""
        bases = [self.cost(base) for base in row.bases]
        known = [base for base in bases if base is not None]
        if len(known) < len(bases):
            return None
        return Cost.over(row.raw_bytes, known)

    def _settle(self, start: Digest) -> None:
        """Finds the cost of ``start`` and of every chunk that it may be decoded from."""
        rows = self._reachable(start)
        waiting: dict[Digest, list[Row]] = {}
        heap: list[tuple[Cost, Digest]] = []
        for row in (row for found in rows.values() for row in found):
            for base in set(row.bases):
                waiting.setdefault(base, []).append(row)
            self._offer(row, heap)
        while heap:
            cost, chunk = heapq.heappop(heap)
            if self._costs.get(chunk) is None:
                self._costs[chunk] = cost
                for row in waiting.get(chunk, ()):
                    self._offer(row, heap)
        for chunk in rows:
            self._costs.setdefault(chunk, None)

    def _offer(self, row: Row, heap: list[tuple[Cost, Digest]]) -> None:
        bases = [self._costs.get(base) for base in row.bases]
        known = [base for base in bases if base is not None]
        if len(known) == len(bases):
            heapq.heappush(heap, (Cost.over(row.raw_bytes, known), row.ref.digest))

    def _reachable(self, start: Digest) -> dict[Digest, list[Row]]:
        rows: dict[Digest, list[Row]] = {}
        todo = [start]
        while todo:
            chunk = todo.pop()
            if chunk not in rows and chunk not in self._costs:
                rows[chunk] = [place.row for place in self.places(Ref(CHUNK, chunk))]
                todo += [base for row in rows[chunk] for base in row.bases]
        return rows
