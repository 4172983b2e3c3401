"""The source of recipes and checks: found, described, sent and trusted as text.

What is read here is never imported, with one exception: ``loaded`` imports files whose digest its
caller trusts. Knows no repository, and not what a recipe or a check is for.
"""

from mgit.source.closure import find_source
from mgit.source.description import OPAQUE, REQUIRED, Call, Default, Described, describe, shipped
from mgit.source.files import MAX_BYTES, Source
from mgit.source.marks import check, recipe
from mgit.source.placing import materialise
from mgit.source.running import loaded
from mgit.source.statement_form import descriptors, source_from

__all__ = [
    "MAX_BYTES",
    "OPAQUE",
    "REQUIRED",
    "Call",
    "Default",
    "Described",
    "Source",
    "check",
    "describe",
    "descriptors",
    "find_source",
    "loaded",
    "materialise",
    "recipe",
    "shipped",
    "source_from",
]
