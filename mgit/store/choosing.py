"""How a new chunk is stored: tried on a sample first, then coded once."""

from collections.abc import Iterable
from dataclasses import dataclass

from mgit.codecs import FAST, PLANES, RAW, fast, planes
from mgit.digest import Digest
from mgit.errors import MgitError
from mgit.objects import CHUNK, DType, Ref
from mgit.store.catalog import Catalog
from mgit.store.reading import Reader
from mgit.store.writing import PackWriter

_TINY_BYTES = 64
_SAMPLE_BYTES = 128 << 10


@dataclass(frozen=True, slots=True)
class Coded:
    """A chunk as it will be stored."""

    codec: int
    bases: tuple[Digest, ...]
    body: bytes


def add_chunk(
    writer: PackWriter, reader: Reader, raw: bytes, dtype: DType, candidates: Iterable[Digest]
) -> Digest:
    """Adds a chunk to a pack unless it is here, and returns its id.

    A chunk whose stored bytes are no longer as written counts as absent: so adding heals.

    Args:
        writer: The pack being written.
        reader: Reads what the store holds.
        raw: The chunk's bytes.
        dtype: Its elements.
        candidates: Chunks of the same place in related models, as bases of a difference.
    """
    ref = Ref(CHUNK, Digest.of(raw))
    if ref not in writer and not reader.is_intact(ref.digest):
        coded = encode_chunk(reader, raw, dtype, candidates)
        writer.add(ref, coded.body, raw_bytes=len(raw), codec=coded.codec, bases=coded.bases)
    return ref.digest


def encode_chunk(reader: Reader, raw: bytes, dtype: DType, candidates: Iterable[Digest]) -> Coded:
    """Returns the smallest way to store a chunk, judged on a sample of it."""
    plain = Coded(RAW.number, (), raw)
    if len(raw) < _TINY_BYTES or len(raw) % dtype.lane:
        return plain
    part = _sample(len(raw), dtype)
    best_size, best_base = len(planes.encode(raw[part], dtype)), None
    for base, content in _usable(reader, raw, candidates):
        size = len(fast.encode(raw[part], content[part], dtype))
        if size < best_size:
            best_size, best_base = size, (base, content)
    if best_base:
        body = fast.encode(raw, best_base[1], dtype)
        coded = Coded(FAST.number, (best_base[0],), body)
    else:
        coded = Coded(PLANES.number, (), planes.encode(raw, dtype))
    return coded if len(coded.body) < len(raw) else plain


def _sample(size: int, dtype: DType) -> slice:
    if size <= _SAMPLE_BYTES:
        return slice(0, size)
    start = (size - _SAMPLE_BYTES) // 2 // dtype.lane * dtype.lane
    return slice(start, start + _SAMPLE_BYTES)


def _usable(
    reader: Reader, raw: bytes, candidates: Iterable[Digest]
) -> Iterable[tuple[Digest, bytes]]:
    tried = set()
    for candidate in candidates:
        base = _within_bounds(reader.catalog, candidate, len(raw))
        if base is None or base in tried:
            continue
        tried.add(base)
        try:
            content = reader.chunk(base)
        except MgitError:
            continue  # damaged, or of a newer codec: the chunk is stored without this base
        if len(content) == len(raw):
            yield base, content


def _within_bounds(catalog: Catalog, chunk: Digest, raw_bytes: int) -> Digest | None:
    """Returns ``chunk``, or the nearest chunk it rests on that is not too deep to be a base."""
    while True:
        cost = catalog.cost(chunk)
        if cost is None or cost.allows_child(raw_bytes):
            return chunk if cost else None
        choices = catalog.choices(chunk)
        if not choices or not choices[0].row.bases:
            return None
        chunk = choices[0].row.bases[0]
