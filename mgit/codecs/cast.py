"""Codec 4, cast: the elements of another chunk in another format of floating point."""

from collections.abc import Sequence

from mgit.codecs import derived
from mgit.codecs.derived import Fields, elements
from mgit.codecs.floats import Float, convert
from mgit.errors import FormatError


def pack(source: Float, target: Float) -> bytes:
    """Returns the parameters of a body."""
    return bytes([source.number, target.number])


def decode(body: bytes, bases: Sequence[bytes], size: int) -> bytes:
    """Returns the ``size`` bytes of ``body``; see ``derived.decode`` for errors."""
    return derived.decode(body, bases, size, rebuild)


def rebuild(fields: Fields, bases: Sequence[bytes], size: int) -> bytes:
    """Returns the rounded elements of the base."""
    source, target = fields.float_format(), fields.float_format()
    if source == target or size % target.lane:
        raise FormatError("a cast to the same format, or of broken elements")
    bits = elements(derived.only(bases), source, size // target.lane * source.lane)
    return convert(bits, source, target).tobytes()
