"""How the bytes of a chunk are stored: pure functions from bytes to bytes, one module a codec.

A codec has a number that never changes, a page in ``store/FORMAT.md`` and golden files. Its
``encode`` may give any body that its ``decode`` turns back into the same bytes; all of them act on
bits, never on float values, so NaN payloads, -0.0 and subnormals survive.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mgit.codecs import fast, planes, raw
from mgit.errors import UnknownCodecError

Decode = Callable[[bytes, Sequence[bytes], int], bytes]


@dataclass(frozen=True, slots=True)
class Codec:
    """A way to store a chunk.

    Attributes:
        number: What a pack's index says.
        name: For people.
        bases: How many other chunks decoding needs.
        decode: (body, raw bytes of the bases, size of the result in bytes) -> the chunk.
    """

    number: int
    name: str
    bases: int
    decode: Decode


RAW = Codec(0, "raw", 0, raw.decode)
PLANES = Codec(1, "planes", 0, planes.decode)
FAST = Codec(2, "fast", 1, fast.decode)

CODECS = {codec.number: codec for codec in (RAW, PLANES, FAST)}


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
