"""The index at the end of a pack's file."""

import os
import re
from pathlib import Path

from mgit.errors import FormatError, UnknownCodecError
from mgit.objects import PackId
from mgit.store.format import MAX_INDEX_BYTES, TRAILER_BYTES, PackIndex, parse_trailer

PACK_NAME = re.compile(r"([0-9a-f]{64})\.(meta|chunks)")


def read_index(path: Path) -> tuple[PackId, bytes]:
    """Returns the pack that the trailer of a file names, and the bytes before it: its index.

    Raises:
        FormatError: The file does not end as a pack does: it is not complete.
        UnknownCodecError: The index is larger than this version reads.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(size - TRAILER_BYTES, 0))
        length, pack = parse_trailer(file.read())
        if length > size - TRAILER_BYTES:
            raise FormatError("the trailer does not fit the file: the pack is not complete")
        if length > MAX_INDEX_BYTES:
            raise UnknownCodecError(f"an index of {length:,} bytes is too large")
        file.seek(size - TRAILER_BYTES - length)
        return pack, file.read(length)


def fits(path: Path, index: PackIndex) -> bool:
    """Returns whether a file has the size and the kind that its index says."""
    return index.size_bytes == path.stat().st_size and path.suffix == f".{index.kind.value}"
