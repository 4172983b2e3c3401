"""Codec 0, raw: the bytes themselves, without a header."""

from collections.abc import Sequence

from mgit.errors import FormatError


def decode(body: bytes, bases: Sequence[bytes], size: int) -> bytes:
    """Returns ``body``, if it has ``size`` bytes and no bases are given."""
    if len(body) != size or bases:
        raise FormatError(f"a raw body of {len(body)} bytes for {size}")
    return body
