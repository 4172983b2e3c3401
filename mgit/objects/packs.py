"""What a pack is called: the unit of writing and of transfer."""

from enum import Enum
from typing import NewType

from mgit.digest import Digest

PackId = NewType("PackId", Digest)  # SHA-256 of the pack's whole index

MAX_PACK_BYTES = 1 << 30


class PackKind(Enum):
    """What a pack holds; also the ending of its file name."""

    META = "meta"
    CHUNKS = "chunks"
