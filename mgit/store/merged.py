"""One sorted, mapped index over many packs: a cache, made again whenever it does not fit."""

import mmap
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mgit.digest import SIZE, Digest
from mgit.objects import PackId
from mgit.store.files import write_whole
from mgit.store.format import PackIndex

_HEADER = struct.Struct("<8sII")
_MAGIC = b"MGITMRG1"
_PLACE = struct.Struct("<II")
_RECORD = SIZE + _PLACE.size
_RECORDS = np.dtype([("digest", ">u8", 4), ("place", "<u4", 2)])
_FIRST_BYTES = 8
_UNCOVERED = 16  # packs that may stand beside the cache before it is made again


class MergedIndex:
    """Digest -> (pack, row number), for the packs it covers."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        """Opens the bytes of a cache.

        Raises:
            ValueError: They are not such a cache.
        """
        if len(data) < _HEADER.size:
            raise ValueError("too short")
        magic, packs, self._rows = _HEADER.unpack_from(data)
        self._at = _HEADER.size + packs * SIZE
        end = self._at + self._rows * _RECORD
        if magic != _MAGIC or len(data) != end + SIZE:
            raise ValueError("not a merged index")
        if Digest.of(memoryview(data)[:end]) != data[end:]:  # a cache has no other witness
            raise ValueError("a damaged merged index")
        table = bytes(data[_HEADER.size : self._at])
        self._packs = [PackId(Digest(table[i : i + SIZE])) for i in range(0, len(table), SIZE)]
        self._data = memoryview(data)
        records = np.frombuffer(data, _RECORDS, self._rows, self._at)
        self._firsts = records["digest"][:, 0].astype(np.uint64)  # native, so that it is quick
        self.covered = frozenset(self._packs)

    def find(self, digest: Digest) -> list[tuple[PackId, int]]:
        """Returns every place of objects with this digest."""
        first = int.from_bytes(digest[:_FIRST_BYTES], "big")
        low = int(np.searchsorted(self._firsts, np.uint64(first)))
        found = []
        while low < self._rows and self._digest(low) <= digest:
            if self._digest(low) == digest:
                pack, number = _PLACE.unpack_from(self._data, self._at + low * _RECORD + SIZE)
                found.append((self._packs[pack], number))
            low += 1
        return found

    def _digest(self, number: int) -> bytes:
        at = self._at + number * _RECORD
        return bytes(self._data[at : at + SIZE])


def merged_index(path: Path, packs: Mapping[PackId, PackIndex]) -> MergedIndex | None:
    """Returns a merged index that covers nearly all of ``packs``, made or made again as needed.

    None where there are so few packs that asking each is as good, or no place to keep it.
    """
    if len(packs) <= _UNCOVERED:
        return None
    cached = _open(path)
    is_valid = cached is not None and cached.covered <= packs.keys()
    if is_valid and cached and len(packs) - len(cached.covered) <= _UNCOVERED:
        return cached
    data = _build(packs)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    except OSError:
        return MergedIndex(data)  # a cache that cannot be kept is still good for this process
    return _open(path) or MergedIndex(data)


def _open(path: Path) -> MergedIndex | None:
    try:
        with path.open("rb") as file:
            return MergedIndex(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):
        return None


def _build(packs: Mapping[PackId, PackIndex]) -> bytes:
    ids = sorted(packs)
    digests = np.concatenate([packs[pack].columns["digest"] for pack in ids])
    places = np.concatenate(
        [
            np.stack((np.full(len(packs[p]), i), np.arange(len(packs[p]))), axis=1)
            for i, p in enumerate(ids)
        ]
    ).astype("<u4")
    order = np.lexsort((digests[:, 3], digests[:, 2], digests[:, 1], digests[:, 0]))
    records = np.empty(len(digests), _RECORDS)
    records["digest"], records["place"] = digests[order], places[order]
    header = _HEADER.pack(_MAGIC, len(ids), len(digests))
    content = b"".join((header, *ids, records.tobytes()))
    return content + Digest.of(content)
