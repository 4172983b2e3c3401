"""Every chunk of a family coded anew, with bases chosen over the whole of it; or kept as it is."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mgit.codecs import CAST, INT8, LOW_RANK, OPTIONAL, PRUNE, STEPS, SUM
from mgit.codecs.form import Form
from mgit.digest import Digest
from mgit.errors import AbsentError, MgitError, PackMissingError, UnknownCodecError
from mgit.objects import CHUNK, Ref
from mgit.repacking.columns import Column, Relative, Spot
from mgit.repacking.growing import Draft, Lender
from mgit.store import Candidate, Coded, Coding, Effort, Place, Reader, encode_chunk, sampled_size

_NEAR = 3  # of the others in a column, as many as a writer looks at
_TINY = 32  # a derivation that takes so small a part of a chunk cannot be bettered by much
_DERIVED = frozenset(codec.number for codec in (CAST, PRUNE, SUM, LOW_RANK, INT8, STEPS))


@dataclass(frozen=True, slots=True)
class Recoder:
    """Fills a draft, column by column: on several threads, each chunk once.

    Attributes:
        reader: Reads what is here now; one with a cache of its own is made for each column.
        draft: Takes what was decided.
        placed: Chunks that need a place.
        chosen: Those of them that are coded anew if that is smaller; others are copied if they can.
        relatives: For each model, those before it that it may resemble, the nearest first.
        coding: How much work goes into it.
        begun: Chunks that somebody decides on, or has decided on.
    """

    reader: Reader
    draft: Draft
    placed: frozenset[Digest]
    chosen: frozenset[Digest]
    relatives: Mapping[Digest, Sequence[Relative]]
    coding: Coding
    begun: set[Digest] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def recode(self, column: Column) -> int:
        """Decides on the chunks of a column, ancestors first; returns their raw bytes.

        Raises:
            DamagedError: One of them is damaged.
        """
        reader = Reader(self.reader.catalog, self.reader.read, self.reader.report)
        done = 0
        for node, spot in column.items():
            if self._is_ours(spot.chunk):
                relatives = self.relatives.get(node, ())
                done += self._decide(reader, spot, _above(column, relatives))
        return done

    def _is_ours(self, chunk: Digest) -> bool:
        with self.lock:
            is_first = chunk not in self.begun
            self.begun.add(chunk)
        return is_first and chunk in self.placed

    def _decide(self, reader: Reader, spot: Spot, candidates: list[Candidate]) -> int:
        old = self._copyable(reader, spot.chunk)
        if old and (spot.chunk not in self.chosen or _is_good(old)):
            self.draft.copy(old)
            return old.row.raw_bytes
        try:
            raw = reader.chunk(spot.chunk)
        except (AbsentError, PackMissingError, UnknownCodecError):
            return 0  # it stays where it is, and whoever asked decides whether that will do
        if old and (old.pack, spot.chunk) in reader.catalog.damaged:  # that was found out just now
            old = self._copyable(reader, spot.chunk)
        near = self._nearest(reader, raw, spot.form, candidates)
        coded = self._coded(reader, raw, spot.form, near)
        if old and old.row.stored_bytes <= len(coded.body):
            self.draft.copy(old)
        else:
            self.draft.write(spot.chunk, len(raw), coded)
        return len(raw)

    def _coded(self, reader: Reader, raw: bytes, form: Form, near: list[Candidate]) -> Coded:
        """Returns the smallest coding, as a sample says, or of all that were tried."""
        lender = Lender(self.draft.growing, reader)
        one_by_one = [[candidate] for candidate in near]
        ways = [near, *one_by_one] if self.coding.effort is Effort.MAX else [near]
        tried = (encode_chunk(lender, raw, form, way, self.coding) for way in ways)
        return min(tried, key=lambda coded: len(coded.body))

    def _copyable(self, reader: Reader, chunk: Digest) -> Place | None:
        """Returns the smallest sound row whose bases have their places already, if there is one."""
        rows = reader.catalog.places(Ref(CHUNK, chunk))
        for place in sorted(rows, key=lambda place: (place.row.stored_bytes, place.pack)):
            is_readable = self.coding.has_openzl or place.row.codec not in OPTIONAL
            if is_readable and self.draft.growing.may_take(place.row) and _is_sound(reader, place):
                return place
        return None

    def _nearest(
        self, reader: Reader, raw: bytes, form: Form, candidates: list[Candidate]
    ) -> list[Candidate]:
        """Returns the parents and the nearest of the others; in haste, all by distance."""
        sized = [
            (_distance(reader, candidate, raw, form), place, candidate)
            for place, candidate in enumerate(candidates)
            if self.draft.growing.choices(candidate.chunk)
        ]
        ordered = [candidate for _, _, candidate in sorted(sized, key=lambda item: item[:2])]
        if self.coding.effort is Effort.FAST:
            return ordered
        parents = [candidate for _, _, candidate in sized if candidate.is_parent]
        return [*parents, *[other for other in ordered if not other.is_parent][:_NEAR]]


def _is_good(place: Place) -> bool:
    row = place.row
    return row.codec in _DERIVED and row.stored_bytes * _TINY <= row.raw_bytes


def _above(column: Column, relatives: Sequence[Relative]) -> list[Candidate]:
    return [
        Candidate(spot.chunk, spot.form.type, relative.is_parent)
        for relative in relatives
        if (spot := column.get(relative.node))
    ]


def _is_sound(reader: Reader, place: Place) -> bool:
    try:
        reader.stored(place)
    except MgitError:
        return False
    return True


def _distance(reader: Reader, candidate: Candidate, raw: bytes, form: Form) -> int:
    """Returns what a sample takes as a difference; of another type, or unreadable: all of it."""
    if candidate.type != form.type or len(raw) % form.dtype.lane:
        return len(raw)
    try:
        base = reader.chunk(candidate.chunk)
    except MgitError:
        return len(raw)
    return sampled_size(raw, base, form) if len(base) == len(raw) else len(raw)
