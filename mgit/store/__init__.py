"""Bytes on this disk: packs, their indexes, and what is known of damage. See ``FORMAT.md``."""

from mgit.store.catalog import Catalog, Cost, Place
from mgit.store.choosing import Candidate, Coded, Coding, Effort, encode_chunk, sampled_size
from mgit.store.condemned import Condemned
from mgit.store.consolidating import crowd, derived, write_together
from mgit.store.facts import Fact, Facts
from mgit.store.format import TRAILER_BYTES, PackIndex, Row, parse_trailer
from mgit.store.leases import Lease, Leases
from mgit.store.merged import merged_index
from mgit.store.reading import Reader
from mgit.store.store import Store
from mgit.store.writing import FinishedPack, PackWriter, as_stored

__all__ = [
    "TRAILER_BYTES",
    "Candidate",
    "Catalog",
    "Coded",
    "Coding",
    "Condemned",
    "Cost",
    "Effort",
    "Fact",
    "Facts",
    "FinishedPack",
    "Lease",
    "Leases",
    "PackIndex",
    "PackWriter",
    "Place",
    "Reader",
    "Row",
    "Store",
    "as_stored",
    "crowd",
    "derived",
    "encode_chunk",
    "merged_index",
    "parse_trailer",
    "sampled_size",
    "write_together",
]
