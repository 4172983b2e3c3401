"""How a new chunk is stored: tried on a sample first, then coded once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import islice

from mgit.codecs import (
    FAST,
    PLANES,
    PLANES_X,
    RAW,
    RCB,
    RCB_X,
    ZSTD,
    fast,
    lanes,
    planes,
    rcb,
    zstd,
)
from mgit.codecs.deriving import derive
from mgit.codecs.form import RAW_FORM, Form, Related
from mgit.digest import Digest
from mgit.errors import MgitError
from mgit.objects import DTYPES
from mgit.store.catalog import SMALL, Catalog, Cost
from mgit.store.format import Row
from mgit.store.reading import Reader

_TINY_BYTES = 64
_SAMPLES, _SAMPLE_BYTES = 4, 32 << 10  # pieces from all over a chunk: rows of it differ
_NEAR = 3  # bases that are looked at


class Effort(Enum):
    """How much work goes into storing less."""

    FAST = "the first base that fits, the fastest coding"
    NORMAL = "the best of a few bases, and how the chunk may have been derived from them"
    MAX = "the same; whoever writes a whole family anew also tries each base by itself"


@dataclass(frozen=True, slots=True)
class Coding:
    """How new chunks are stored.

    Attributes:
        effort: How much work goes into it.
        has_openzl: What is stored may need the optional entropy coder to be read.
    """

    effort: Effort = Effort.NORMAL
    has_openzl: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """The chunk at the same place in a related model.

    Attributes:
        chunk: Its id.
        type: Name of its element type, a key of ``DTYPES``.
        is_parent: The new model is said to be made from that one.
    """

    chunk: Digest
    type: str
    is_parent: bool = True


@dataclass(frozen=True, slots=True)
class Coded:
    """A chunk as it will be stored."""

    codec: int
    bases: tuple[Digest, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Base:
    """A chunk to rest on.

    Attributes:
        chunk: Its id.
        raw: Its bytes.
        type: Its element type.
        is_parent: It is the parents' own, not what that rests on.
        cost: Of decoding it.
        sampled: Bytes that a sample takes as a difference from it; None: it has another type.
    """

    chunk: Digest
    raw: bytes
    type: str
    is_parent: bool
    cost: Cost
    sampled: int | None

    @property
    def related(self) -> Related:
        return Related(self.raw, self.type)


def encode_chunk(
    reader: Reader,
    raw: bytes,
    form: Form,
    candidates: Iterable[Candidate] = (),
    coding: Coding = Coding(),
) -> Coded:
    """Returns the smallest way to store a chunk, judged on a sample of it.

    Args:
        reader: Reads what the store holds.
        raw: The chunk's bytes.
        form: What they are.
        candidates: Chunks of the same place in related models, the likeliest first.
        coding: How much work goes into it.
    """
    plain = Coded(RAW.number, (), raw)
    if len(raw) < _TINY_BYTES or len(raw) % form.dtype.lane:
        return plain
    bases = _usable(reader, raw, form, candidates, coding)
    derived = _derived(raw, form, bases) if coding.effort is not Effort.FAST else None
    if derived and len(derived.body) * SMALL <= len(raw):
        return derived
    found = _by_difference(raw, form, bases, coding)
    return min(derived or plain, found, plain, key=lambda coded: len(coded.body))


def _derived(raw: bytes, form: Form, bases: list[_Base]) -> Coded | None:
    """Returns the chunk as a derivation from the nearest bases or from all parents, if it is one.

    A base of another type cannot be measured: one of them is tried before all others.
    """
    others = [base for base in bases if base.sampled is None]
    near = [*others[:1], *_alike(bases), *others[1:]][:_NEAR]
    given = [*near, *(base for base in bases if base.is_parent)]
    found = derive(
        raw, form, [base.related for base in near], [base.related for base in given[len(near) :]]
    )
    if found is None:
        return None
    used = [given[place] for place in found.bases]
    cost = Cost.over(len(raw), [base.cost for base in used])
    if not cost.may_be_written(len(raw), len(found.body)):
        return None
    return Coded(found.codec, tuple(base.chunk for base in used), found.body)


def _by_difference(raw: bytes, form: Form, bases: list[_Base], coding: Coding) -> Coded:
    """Returns the chunk as a difference from the nearest base, or by itself if that is smaller."""
    shallow = [base for base in _alike(bases) if _fits(base.cost, len(raw), len(raw))]
    alone = len(planes.encode(_sample(raw, form), form))
    if not shallow or (shallow[0].sampled or 0) >= alone:
        return _alone(raw, form, alone, coding)
    base = shallow[0]
    if coding.effort is Effort.FAST:
        return Coded(FAST.number, (base.chunk,), fast.encode(raw, base.raw, form))
    body = rcb.encode(raw, base.raw, form, entropy_coded=coding.has_openzl)
    number = (RCB_X if rcb.is_in_pieces(body) else RCB).number
    return Coded(number, (base.chunk,), body)


def _alone(raw: bytes, form: Form, sampled: int, coding: Coding) -> Coded:
    """Returns the chunk by itself, a file's as text where its planes take more of a sample."""
    if form == RAW_FORM:
        sample = _sample(raw, form)
        text = zstd.encode(sample)
        if len(text) < sampled:
            return Coded(ZSTD.number, (), text if sample is raw else zstd.encode(raw))
    body = planes.encode(raw, form, entropy_coded=coding.has_openzl)
    number = (PLANES_X if lanes.is_in_pieces(body) else PLANES).number
    return Coded(number, (), body)


def _alike(bases: list[_Base]) -> list[_Base]:
    """Returns the bases of the same type, the nearest first."""
    sized = [(base.sampled, place, base) for place, base in enumerate(bases) if base.sampled]
    return [base for _, _, base in sorted(sized, key=lambda item: item[:2])]


def sampled_size(raw: bytes, base: bytes, form: Form) -> int:
    """Returns what a sample of a chunk takes as a difference from a base of the same size."""
    return len(fast.encode(_sample(raw, form), _sample(base, form), form))


def _sample(raw: bytes, form: Form) -> bytes:
    if len(raw) <= _SAMPLES * _SAMPLE_BYTES:
        return raw
    lane = form.dtype.lane
    step = (len(raw) - _SAMPLE_BYTES) // (_SAMPLES - 1) // lane * lane
    return b"".join(raw[i * step : i * step + _SAMPLE_BYTES] for i in range(_SAMPLES))


# --- bases ---


def _usable(
    reader: Reader, raw: bytes, form: Form, candidates: Iterable[Candidate], coding: Coding
) -> list[_Base]:
    """Returns the bases that are here and sound: all parents and a few others; one if in haste."""
    found: dict[Digest, _Base] = {}
    others = 0
    for candidate in candidates:
        if coding.effort is Effort.FAST and (found or candidate.type != form.type):
            continue
        if others >= _NEAR and not candidate.is_parent:
            continue
        others += not candidate.is_parent
        for chunk in _within_bounds(reader.catalog, candidate, len(raw), form):
            if chunk not in found and (base := _loaded(reader, chunk, candidate, raw, form)):
                found[chunk] = base
    return list(found.values())


def _loaded(
    reader: Reader, chunk: Digest, candidate: Candidate, raw: bytes, form: Form
) -> _Base | None:
    try:
        content = reader.chunk(chunk)
    except MgitError:
        return None  # damaged, or of a newer codec: the chunk is stored without this base
    cost = reader.catalog.cost(chunk)
    if cost is None:
        return None
    is_alike = candidate.type == form.type and len(content) == len(raw)
    sampled = sampled_size(raw, content, form) if is_alike else None
    is_parent = candidate.is_parent and chunk == candidate.chunk
    return _Base(chunk, content, candidate.type, is_parent, cost, sampled)


def _within_bounds(
    catalog: Catalog, candidate: Candidate, raw_bytes: int, form: Form
) -> Iterator[Digest]:
    """Yields a chunk if something may be derived from it, and what it rests on if it is too deep.

    That is the root: what stands nearer would be too deep for the next one.
    """
    places, cost = catalog.choices(candidate.chunk), catalog.cost(candidate.chunk)
    elements = raw_bytes * 8 // form.dtype.bits
    if cost is None or not places:
        return
    if places[0].row.raw_bytes * 8 // DTYPES[candidate.type].bits != elements:
        return
    if _fits(cost, raw_bytes, 0):
        yield candidate.chunk
    if not _fits(cost, raw_bytes, raw_bytes):
        below = [row.ref.digest for row in _below(catalog, places[0].row, raw_bytes)]
        costs = [(chunk, catalog.cost(chunk)) for chunk in reversed(below)]
        fitting = (chunk for chunk, known in costs if known and _fits(known, raw_bytes, raw_bytes))
        yield from islice(fitting, 1)


def _below(catalog: Catalog, row: Row, raw_bytes: int) -> Iterator[Row]:
    """Yields what a chunk rests on, as it would be decoded, as far as it has the same size."""
    while row.bases and (places := catalog.choices(row.bases[0])):
        row = places[0].row
        if row.raw_bytes != raw_bytes:
            return
        yield row


def _fits(base: Cost, raw_bytes: int, stored_bytes: int) -> bool:
    """Returns whether a row of so many bytes, decoded and as stored, may rest on a base."""
    return Cost.over(raw_bytes, [base]).may_be_written(raw_bytes, stored_bytes)
