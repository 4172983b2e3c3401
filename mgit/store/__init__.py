"""Bytes on this disk: packs, their indexes, and what is known of damage. See ``FORMAT.md``."""

from mgit.store.catalog import Catalog, Cost, Place
from mgit.store.choosing import add_chunk, encode_chunk
from mgit.store.facts import Fact, Facts
from mgit.store.format import TRAILER_BYTES, PackIndex, Row, parse_trailer
from mgit.store.merged import merged_index
from mgit.store.reading import Reader
from mgit.store.store import Store
from mgit.store.writing import FinishedPack, PackWriter

__all__ = [
    "TRAILER_BYTES",
    "Catalog",
    "Cost",
    "Fact",
    "Facts",
    "FinishedPack",
    "PackIndex",
    "PackWriter",
    "Place",
    "Reader",
    "Row",
    "Store",
    "add_chunk",
    "encode_chunk",
    "merged_index",
    "parse_trailer",
]
