"""How the bytes of an object are stored: pure functions from bytes to bytes, one module a codec.

A codec has a number that never changes, a page in ``store/FORMAT.md`` and golden files. Its
``encode`` may give any body that its ``decode`` turns back into the same bytes; all of them give
back any bits, so NaN payloads, -0.0 and subnormals survive.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from mgit.codecs import (
    cast,
    entropy,
    fast,
    int8,
    low_rank,
    planes,
    prune,
    raw,
    rcb,
    steps,
    sums,
    zstd,
)
from mgit.errors import UnknownCodecError

Decode = Callable[[bytes, Sequence[bytes], int], bytes]


@dataclass(frozen=True, slots=True)
class Codec:
    """A way to store an object.

    Attributes:
        number: What a pack's index says.
        name: For people.
        bases: How many other chunks decoding needs, at most.
        decode: (body, raw bytes of the bases, size of the result in bytes) -> the object.
    """

    number: int
    name: str
    bases: int
    decode: Decode


RAW = Codec(0, "raw", 0, raw.decode)
PLANES = Codec(1, "planes", 0, planes.decode)
FAST = Codec(2, "fast", 1, fast.decode)
RCB = Codec(3, "rcb", 1, rcb.decode)
CAST = Codec(4, "cast", 1, cast.decode)
PRUNE = Codec(5, "prune", 1, prune.decode)
SUM = Codec(6, "sum", sums.MAX_BASES, sums.decode)
LOW_RANK = Codec(7, "low-rank", 1, low_rank.decode)
INT8 = Codec(8, "int8", 1, int8.decode)
PLANES_X = Codec(9, "planes-x", 0, partial(planes.decode, entropy_coded=True))
RCB_X = Codec(10, "rcb-x", 1, partial(rcb.decode, entropy_coded=True))
STEPS = Codec(11, "steps", 1, steps.decode)
ZSTD = Codec(12, "zstd", 0, zstd.decode)

_ALL = (RAW, PLANES, FAST, RCB, CAST, PRUNE, SUM, LOW_RANK, INT8, PLANES_X, RCB_X, STEPS, ZSTD)
CODECS = {codec.number: codec for codec in _ALL}
OPTIONAL = frozenset({PLANES_X.number, RCB_X.number})  # need the entropy coder


def codec(number: int) -> Codec:
    """Returns the codec with this number.

    Raises:
        UnknownCodecError: This version has none.
    """
    try:
        return CODECS[number]
    except KeyError:
        known = ", ".join(c.name for c in CODECS.values())
        raise UnknownCodecError(
            f"stored with codec {number}, which this version does not know (it knows {known})",
            hint="upgrade: pip install --upgrade mgit-models",
        ) from None


def decodable() -> frozenset[int]:
    """Returns the numbers of the codecs for which all that decoding needs is installed."""
    return frozenset(CODECS) - (frozenset() if entropy.is_available() else OPTIONAL)


def require_decodable(number: int) -> None:
    """Raises UnknownCodecError for a codec that is not among those."""
    if codec(number).number not in decodable():
        raise entropy.absence()
