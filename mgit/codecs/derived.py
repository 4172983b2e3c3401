"""What the codecs of derivations share: a chunk that is rebuilt from others, and what is left.

A body is ``residual u8 | parameters | rest``. Residual 0: the rebuilt bytes are the chunk, and
there is no rest. Otherwise the rest is a body of codec 2 (residual 1) or of codec 3 (residual 2)
whose base is the rebuilt bytes: so a chunk comes back exactly whatever was rebuilt.
"""

import math
import struct
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from mgit.codecs import environment, fast, rcb
from mgit.codecs.floats import BY_NUMBER, Float
from mgit.codecs.form import Form
from mgit.codecs.lanes import SIGNED, Lanes
from mgit.errors import FormatError

_EQUAL, _FAST, _RCB = 0, 1, 2
_RESIDUALS = {_FAST: fast.decode, _RCB: rcb.decode}
_SAMPLE_BYTES = 128 << 10


class Fields:
    """Reads a body from its start.

    Every method raises FormatError where the body ends too early or holds what nobody writes.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def numbers(self, form: str) -> tuple[int, ...]:
        """Returns little-endian integers, as ``struct`` names them."""
        return struct.unpack(f"<{form}", self.octets(struct.calcsize(f"<{form}")))

    def coefficients(self, count: int) -> tuple[float, ...]:
        """Returns numbers of float64."""
        return struct.unpack(f"<{count}d", self.octets(8 * count))

    def float_format(self) -> Float:
        """Returns a format by its number, one byte."""
        (number,) = self.numbers("B")
        if number not in BY_NUMBER:
            raise FormatError(f"unknown format {number} of floating point")
        return BY_NUMBER[number]

    def octets(self, count: int) -> bytes:
        """Returns the next bytes."""
        if count > len(self._body) - self._at:
            raise FormatError("a derivation ends inside its parameters")
        self._at += count
        return self._body[self._at - count : self._at]

    def rest(self) -> bytes:
        """Returns all that was not read yet."""
        return self.octets(len(self._body) - self._at)


Rebuild: TypeAlias = Callable[[Fields, Sequence[bytes], int], bytes]


def encode(raw: bytes, form: Form, parameters: bytes, rebuilt: bytes) -> bytes:
    """Returns ``raw`` as parameters that give ``rebuilt``, and what is left, of equal length."""
    if rebuilt == raw:
        return bytes([_EQUAL]) + parameters
    if _is_smaller_by_rcb(raw, form, rebuilt):
        return bytes([_RCB]) + parameters + rcb.encode(raw, rebuilt, form)
    return bytes([_FAST]) + parameters + fast.encode(raw, rebuilt, form)


def _is_smaller_by_rcb(raw: bytes, form: Form, rebuilt: bytes) -> bool:
    start = max(len(raw) - _SAMPLE_BYTES, 0) // 2 // 8 * 8
    part = slice(start, start + _SAMPLE_BYTES)
    child, guess = raw[part], rebuilt[part]
    flat = Form(form.type)
    return len(rcb.encode(child, guess, flat)) < len(fast.encode(child, guess, flat))


def decode(body: bytes, bases: Sequence[bytes], size: int, rebuild: Rebuild) -> bytes:
    """Returns the ``size`` bytes of a body.

    Args:
        body: As ``encode`` made it.
        bases: What it rests on.
        size: Of the result.
        rebuild: Reads the parameters and returns ``size`` bytes, or raises FormatError.

    Raises:
        FormatError: No correct writer produces this.
        UnknownCodecError: This machine cannot rebuild it.
    """
    environment.require_exact()
    fields = Fields(body)
    (residual,) = fields.numbers("B")
    rebuilt = rebuild(fields, bases, size)
    rest = fields.rest()
    if residual in _RESIDUALS:
        return _RESIDUALS[residual](rest, (rebuilt,), size)
    if residual != _EQUAL or rest:
        raise FormatError(f"residual {residual} of a derivation with {len(rest)} bytes")
    return rebuilt


def only(bases: Sequence[bytes]) -> bytes:
    """Returns the one base, or raises FormatError."""
    if len(bases) != 1:
        raise FormatError(f"a derivation from {len(bases)} chunks instead of one")
    return bases[0]


def elements(raw: bytes, form: Float, size: int | None = None) -> Lanes:
    """Returns the bits of the elements of a chunk, shape (n,).

    Raises:
        FormatError: It is no whole number of elements, or has not ``size`` bytes.
    """
    if len(raw) % form.lane or (size is not None and len(raw) != size):
        raise FormatError(f"a base of {len(raw)} bytes for elements of {form.lane}, {size} bytes")
    return np.frombuffer(raw, form.unsigned)


def sample(bits: Lanes, count: int = 4096) -> Lanes:
    """Returns four stretches of a chunk that are ``count`` elements together, or all of it."""
    if len(bits) <= count:
        return bits
    starts = (index * (len(bits) - count // 4) // 3 for index in range(4))
    return np.concatenate([bits[start : start + count // 4] for start in starts])


def rounding(bits: Lanes, form: Float) -> float:
    """Returns the root mean square of the error of rounding to elements like these."""
    counts = np.bincount(((sample(bits) & form.infinity) >> form.fraction).astype(np.intp))
    found = np.flatnonzero(counts)
    steps = np.ldexp(1.0, np.maximum(found, 1) - form.bias - form.fraction)
    return math.sqrt(float(counts[found] @ (steps * steps)) / int(counts.sum()) / 12)


def distance(child: Lanes, guess: Lanes) -> float:
    """Returns the mean of log2(1 + |difference|) of floats as ordered integers: bits to store."""
    change = np.abs(_ordered(child) - _ordered(guess))
    return float(np.log2(1 + change).mean())


def _ordered(bits: Lanes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    magnitudes = (bits & ((1 << 8 * bits.itemsize - 1) - 1)).astype(np.float64)
    return np.where(bits.view(SIGNED[bits.itemsize]) < 0, -magnitudes, magnitudes)
