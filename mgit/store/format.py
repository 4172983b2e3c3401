"""The bytes of a pack, version 1, as ``FORMAT.md`` specifies them: bodies, index, trailer.

Pure: takes and gives bytes. Reading and writing files is ``store`` and ``writing``.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mgit import canonical
from mgit.canonical import Value
from mgit.digest import SIZE, Digest
from mgit.errors import FormatError, UnknownCodecError
from mgit.objects import CHUNK, MAX_PACK_BYTES, PackId, PackKind, Ref
from mgit.objects.dtypes import MAX_CHUNK_BYTES
from mgit.objects.encoding import MAX_OBJECT_BYTES
from mgit.objects.fields import typed

MAX_ROWS = 1 << 22
MAX_KINDS = 16
MAX_INDEX_BYTES = 1 << 30
MAX_SUMMARY_BYTES = 64 << 20
READ_FEATURES = 0  # bits of the features that this version can read; so below

_MAGIC = b"MGITIDX1"
_HEADER = struct.Struct("<8sQQQIIIBxxxQQ")
_KIND_BYTES = 16
_FAN_OUT = struct.Struct("<256I")
_ROW = struct.Struct("<32s16sQQQIHBB")
_FIXED = _HEADER.size + _KIND_BYTES * MAX_KINDS + _FAN_OUT.size

_TRAILER = struct.Struct("<Q32s8s")
_TRAILER_MAGIC = b"MGITPACK"
TRAILER_BYTES = _TRAILER.size
CHECK_BYTES = 16

_COLUMNS = np.dtype(
    [
        ("digest", ">u8", 4),
        ("check", "V16"),
        ("offset", "<u8"),
        ("stored", "<u8"),
        ("raw", "<u8"),
        ("first_base", "<u4"),
        ("bases", "<u2"),
        ("codec", "u1"),
        ("kind", "u1"),
    ]
)


_KIND_NUMBERS = {PackKind.META: 0, PackKind.CHUNKS: 1}
_MAX_RAW_BYTES = {PackKind.META: MAX_OBJECT_BYTES, PackKind.CHUNKS: MAX_CHUNK_BYTES}
_KINDS_BY_NUMBER = {number: kind for kind, number in _KIND_NUMBERS.items()}


@dataclass(frozen=True, slots=True)
class Row:
    """Where and how one object is stored in a pack.

    Attributes:
        ref: Kind and digest of the object.
        codec: Number of the codec; 0 is the raw bytes.
        bases: Chunks that decoding needs.
        offset: Of the body, in bytes from the start of the file.
        stored_bytes: Size of the body.
        raw_bytes: Size of the object.
        check: First 16 bytes of the SHA-256 of the body.
    """

    ref: Ref
    codec: int
    bases: tuple[Digest, ...]
    offset: int
    stored_bytes: int
    raw_bytes: int
    check: bytes

    @property
    def end(self) -> int:
        """Offset behind the body."""
        return self.offset + self.stored_bytes


def check_of(body: bytes | memoryview) -> bytes:
    """Returns the stored-bytes check of a body."""
    return hashlib.sha256(body).digest()[:CHECK_BYTES]


def build_index(kind: PackKind, rows: Sequence[Row], summary: Value) -> bytes:
    """Returns the index of a pack with these rows; its SHA-256 is the pack's id.

    Raises:
        ValueError: Bodies that do not lie end to end, or too much for one pack.
    """
    kinds = sorted({row.ref.kind for row in rows})
    for name in kinds:
        if not _is_kind(name):
            raise ValueError(f"{name!r} cannot be the name of a kind")
    end = _check_bodies(rows)
    if len(rows) > MAX_ROWS or end > MAX_PACK_BYTES or len(kinds) > MAX_KINDS:
        raise ValueError(
            f"{len(rows)} rows, {end} bytes, {len(kinds)} kinds: too much for one pack"
        )
    ordered = sorted(rows, key=lambda row: (row.ref.digest, kinds.index(row.ref.kind)))
    packed: list[bytes] = []
    bases: list[Digest] = []
    for row in ordered:
        packed.append(
            _ROW.pack(
                row.ref.digest,
                row.check,
                row.offset,
                row.stored_bytes,
                row.raw_bytes,
                len(bases),
                len(row.bases),
                row.codec,
                kinds.index(row.ref.kind),
            )
        )
        bases += row.bases
    note = canonical.encode(summary)
    header = _HEADER.pack(
        _MAGIC, 0, 0, 0, len(rows), len(bases), len(note), _KIND_NUMBERS[kind], end, 0
    )
    names = b"".join(name.encode().ljust(_KIND_BYTES, b"\0") for name in kinds)
    names = names.ljust(_KIND_BYTES * MAX_KINDS, b"\0")
    return b"".join((header, names, _fan_out(ordered), *packed, *bases, note))


def _check_bodies(rows: Sequence[Row]) -> int:
    end = 0
    for row in sorted(rows, key=lambda row: (row.offset, row.end)):
        if row.offset != end:
            raise ValueError(f"a body at {row.offset} where {end} was expected")
        end = row.end
    return end


def _fan_out(ordered: Sequence[Row]) -> bytes:
    counts = [0] * 256
    for row in ordered:
        counts[row.ref.digest[0]] += 1
    return _FAN_OUT.pack(*np.cumsum(counts).tolist())


def trailer(index: bytes) -> bytes:
    """Returns the last bytes of a pack with this index."""
    return _TRAILER.pack(len(index), Digest.of(index), _TRAILER_MAGIC)


def parse_trailer(data: bytes) -> tuple[int, PackId]:
    """Returns the index's size in bytes and the pack id.

    Raises:
        FormatError: Not a trailer: the file is not complete.
    """
    if len(data) != TRAILER_BYTES:
        raise FormatError("too short for a pack")
    length, pack, magic = _TRAILER.unpack(data)
    if magic != _TRAILER_MAGIC:
        raise FormatError("no trailer: the pack is not complete")
    return length, PackId(Digest(pack))


class PackIndex:
    """The parsed index of one pack, over bytes or a memory map. Rows are made when asked for.

    Attributes:
        pack: The pack's id.
        kind: What it holds.
        size_bytes: Size of the whole file.
        bodies_bytes: Where the bodies end and the index begins.
        kinds: Names of the kinds of object in it, in the numbering of its rows.
        columns: The rows as a structured array, sorted by digest.
    """

    def __init__(self, pack: PackId, data: bytes | memoryview) -> None:
        """Checks and opens an index.

        Raises:
            FormatError: It is not the index with this id, or breaks a rule of the format.
            UnknownCodecError: It needs a feature that this version does not have.
        """
        if Digest.of(data) != pack:
            raise FormatError(f"the index of pack {pack.short} does not match its id")
        if len(data) < _FIXED:
            raise FormatError(f"an index of {len(data)} bytes")
        magic, read, _, gc, rows, bases, note, number, bodies, _ = _HEADER.unpack_from(data)
        if magic != _MAGIC or number not in _KINDS_BY_NUMBER or rows > MAX_ROWS:
            raise FormatError(f"pack {pack.short} is not of version 1")
        if read & ~READ_FEATURES:
            raise UnknownCodecError(
                f"pack {pack.short} needs a newer mgit (features {read & ~READ_FEATURES:#x})",
                hint="upgrade: pip install --upgrade mgit-models",
            )
        self._bases_at = _FIXED + rows * _ROW.size
        self._summary_at = self._bases_at + bases * SIZE
        if len(data) != self._summary_at + note or bodies > MAX_PACK_BYTES:
            raise FormatError(f"the index of pack {pack.short} has the wrong size")
        self.pack = pack
        self.kind = _KINDS_BY_NUMBER[number]
        self.gc_features = gc
        self.bodies_bytes: int = bodies
        self.size_bytes: int = bodies + len(data) + TRAILER_BYTES
        self._data = memoryview(data)
        self.kinds = _parse_kinds(bytes(data[_HEADER.size : _FIXED - _FAN_OUT.size]))
        self.columns = np.frombuffer(data, _COLUMNS, rows, _FIXED)
        self._fan_out = _FAN_OUT.unpack_from(data, _FIXED - _FAN_OUT.size)
        self._check(bases)

    def __len__(self) -> int:
        return len(self.columns)

    def _check(self, bases: int) -> None:
        columns = self.columns
        firsts = np.bincount(columns["digest"][:, 0] >> np.uint64(56), minlength=256)
        if np.cumsum(firsts).tolist() != list(self._fan_out) or not _is_increasing(columns):
            raise FormatError(f"the rows of pack {self.pack.short} are not in order")
        if np.any(columns["stored"] > MAX_PACK_BYTES):
            raise FormatError(f"pack {self.pack.short} has a body that is too large")
        order = self._order()
        ends = np.cumsum(columns["stored"][order], dtype=np.uint64)
        starts = np.concatenate((np.zeros(1, np.uint64), ends[:-1]))
        is_tight = np.array_equal(columns["offset"][order], starts[: len(columns)])
        if not is_tight or (int(ends[-1]) if len(ends) else 0) != self.bodies_bytes:
            raise FormatError(f"the bodies of pack {self.pack.short} do not lie end to end")
        counts = columns["bases"].astype(np.uint64)  # all of them: few bytes name no more bases
        if np.any(columns["first_base"] + counts > bases) or int(counts.sum()) > bases:
            raise FormatError(f"pack {self.pack.short} has rows outside its base table")
        if np.any(columns["kind"] >= len(self.kinds)):
            raise FormatError(f"pack {self.pack.short} has a row of no kind")
        if np.any(columns["raw"] > _MAX_RAW_BYTES[self.kind]):
            raise FormatError(f"pack {self.pack.short} has an object that is too large")
        if self.kind is PackKind.CHUNKS and set(self.kinds) - {CHUNK}:
            raise FormatError(f"pack {self.pack.short} has metadata among its chunks")

    def row(self, number: int) -> Row:
        """Returns the row at ``number``, counted by digest."""
        at = _FIXED + number * _ROW.size
        digest, check, offset, stored, raw, first, count, codec, kind = _ROW.unpack_from(
            self._data, at
        )
        begin = self._bases_at + first * SIZE
        table = bytes(self._data[begin : begin + count * SIZE])
        bases = tuple(Digest(table[i : i + SIZE]) for i in range(0, len(table), SIZE))
        return Row(Ref(self.kinds[kind], Digest(digest)), codec, bases, offset, stored, raw, check)

    def find(self, ref: Ref) -> Row | None:
        """Returns the row of an object, or None."""
        low = self._fan_out[ref.digest[0] - 1] if ref.digest[0] else 0
        high = self._fan_out[ref.digest[0]]
        while low < high:
            middle = (low + high) // 2
            if self._digest(middle) < ref.digest:
                low = middle + 1
            else:
                high = middle
        for number in range(low, self._fan_out[ref.digest[0]]):
            if self._digest(number) != ref.digest:
                break
            row = self.row(number)
            if row.ref == ref:
                return row
        return None

    def _digest(self, number: int) -> bytes:
        at = _FIXED + number * _ROW.size
        return bytes(self._data[at : at + SIZE])

    def rows(self) -> Iterator[Row]:
        """Yields all rows in the order of their bodies: the order of first use."""
        for number in self._order().tolist():
            yield self.row(number)

    def _order(self) -> npt.NDArray[np.intp]:
        """The rows by where their bodies lie; an empty body comes before the one behind it."""
        return np.lexsort((self.columns["stored"], self.columns["offset"]))

    def summary(self) -> dict[str, Value]:
        """Returns the summary: a hint, never needed to read the pack."""
        note = bytes(self._data[self._summary_at :])
        return typed(canonical.decode(note, limit_bytes=MAX_SUMMARY_BYTES), dict, "summary")

    def to_bytes(self) -> bytes:
        """Returns the bytes of the index."""
        return bytes(self._data)


def _parse_kinds(names: bytes) -> tuple[str, ...]:
    parts = [names[i : i + _KIND_BYTES].rstrip(b"\0") for i in range(0, len(names), _KIND_BYTES)]
    kinds = tuple(part.decode("ascii", "replace") for part in parts if part)
    if list(kinds) != sorted(set(kinds)) or any(parts[len(kinds) :]):
        raise FormatError("the kinds of a pack are not in order")
    if not all(map(_is_kind, kinds)):
        raise FormatError("a pack with a kind that has no name")
    return kinds


def _is_kind(name: str) -> bool:
    return name.isascii() and name.isprintable() and 0 < len(name) <= _KIND_BYTES


def _is_increasing(columns: "np.ndarray[tuple[int], np.dtype[np.void]]") -> bool:
    less = np.zeros(max(len(columns) - 1, 0), bool)
    equal = ~less
    keys = [columns["digest"][:, word] for word in range(4)] + [columns["kind"]]
    for key in keys:
        less |= equal & (key[:-1] < key[1:])
        equal &= key[:-1] == key[1:]
    return bool(less.all())
