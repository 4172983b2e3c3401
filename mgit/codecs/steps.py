"""Codec 11, steps: another chunk's elements, each moved by a whole number of steps of one length.

Nobody trains such a chunk: it is what ``quantise`` makes of one, on purpose and with a bounded
error. The codec then stores the result without any further loss. Noughts stay noughts.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mgit.codecs import derived, planes
from mgit.codecs.derived import Fields, elements
from mgit.codecs.floats import Float, are_finite, bits_of, values_of
from mgit.codecs.form import Form
from mgit.codecs.lanes import UNSIGNED, Lanes
from mgit.errors import FormatError

Codes = npt.NDArray[np.int64]

_AS_BASE, _NOUGHT, _GIVEN = 0, 1, 2  # codes that are no number of steps; those are above them
_MOST = 1 << 30  # steps
_FORMS = {1: Form("U8"), 2: Form("U16"), 4: Form("U32")}
_BLOCK = 1 << 15  # elements: a block and its temporaries stay in the second-level cache


@dataclass(frozen=True, slots=True)
class Quantised:
    """A chunk that is nearly what it was.

    Attributes:
        raw: Its bytes.
        body: The same as a body of this codec.
    """

    raw: bytes
    body: bytes


def quantise(
    raw: bytes, base: bytes, form: Float, step: float, *, max_error: float = math.inf
) -> Quantised:
    """Returns the chunk that ``raw`` becomes if its change is rounded to whole steps.

    No finite element is off by more than half a step and what rounding to its format adds, and none
    by more than ``max_error``: what would be is kept bit for bit. So are noughts, of either sign,
    and what is not finite.

    Args:
        raw: Elements of a format.
        base: As many, of the same format.
        form: The format.
        step: Above 0, and finite.
        max_error: Above 0.
    """
    child, parent = elements(raw, form), elements(base, form, len(raw))
    codes = np.empty(len(child), np.int64)
    for start in range(0, len(child), _BLOCK):
        part = slice(start, start + _BLOCK)
        codes[part] = _codes(child[part], parent[part], form, (step, max_error))
    given = child[codes == _GIVEN]
    width = next(w for w in _FORMS if int(codes.max(initial=0)) < 1 << 8 * w)
    coded = planes.encode(codes.astype(UNSIGNED[width]).tobytes(), _FORMS[width])
    head = struct.pack("<BBdI", form.number, width, step, len(coded))
    made = _moved(parent, codes, given, (form, step))
    return Quantised(made.tobytes(), bytes([0]) + head + coded + given.tobytes())


def _codes(child: Lanes, parent: Lanes, form: Float, by: tuple[float, float]) -> Codes:
    step, max_error = by
    with np.errstate(all="ignore"):
        start, end = values_of(parent, form), values_of(child, form)
        change = (end - start) / step
        is_number = are_finite(child, form) & are_finite(parent, form) & (np.abs(change) < _MOST)
        steps = np.where(is_number, np.rint(change), 0).astype(np.int64)
        made = bits_of(start + steps * step, form)
        is_number &= are_finite(made, form)  # not beyond the largest
        off = np.abs(values_of(made, form) - end)
        is_number &= off < max_error  # what equals it may be more, rounded to float64
    codes: Codes = np.where(steps == 0, _AS_BASE, ((steps << 1) ^ (steps >> 63)) + _GIVEN)
    is_kept = (child & form.magnitude == 0) | ~is_number
    kept = np.where(child == 0, _NOUGHT, _GIVEN)
    return np.where(is_kept, np.where(child == parent, _AS_BASE, kept), codes)


def _moved(base: Lanes, codes: Codes, given: Lanes, by: tuple[Float, float]) -> Lanes:
    form, step = by
    out = np.empty_like(base)
    for start in range(0, len(base), _BLOCK):
        part = slice(start, start + _BLOCK)
        bits, code = base[part], codes[part] - _GIVEN
        with np.errstate(all="ignore"):
            steps = (code >> 1) ^ -(code & 1)
            made = bits_of(values_of(bits, form) + steps * step, form)
        out[part] = np.where((code > 0) & are_finite(made, form), made, bits)
    out[codes == _NOUGHT] = 0
    out[codes == _GIVEN] = given
    return out


def decode(body: bytes, bases: Sequence[bytes], size: int) -> bytes:
    """Returns the ``size`` bytes of ``body``; see ``derived.decode`` for errors."""
    return derived.decode(body, bases, size, rebuild)


def rebuild(fields: Fields, bases: Sequence[bytes], size: int) -> bytes:
    """Returns the moved elements of the base."""
    form = fields.float_format()
    (width,) = fields.numbers("B")
    (step,) = fields.coefficients(1)
    (length,) = fields.numbers("I")
    bits = elements(derived.only(bases), form, size)
    if width not in _FORMS or not math.isfinite(step):
        raise FormatError(f"steps of {step} in lanes of {width}")
    coded = planes.decode(fields.octets(length), (), len(bits) * width)
    codes = np.frombuffer(coded, UNSIGNED[width]).astype(np.int64)
    count = int(np.count_nonzero(codes == _GIVEN))
    given = np.frombuffer(fields.octets(count * form.lane), form.unsigned)
    return _moved(bits, codes, given, (form, step)).tobytes()
