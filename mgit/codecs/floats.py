"""Binary floating point as integers: the four common formats, and conversion between them.

Conversion acts on bits alone, so that it is the same on every machine, for NaN and subnormals too.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mgit.codecs.lanes import UNSIGNED, Lanes

Values: TypeAlias = npt.NDArray[np.floating]

_BLOCK = 1 << 15  # elements: a block and its temporaries stay in the second-level cache


@dataclass(frozen=True, slots=True)
class Float:
    """An interchange format of IEEE 754, or BF16: sign, exponent, fraction.

    Attributes:
        number: What a body says.
        lane: Bytes of an element.
        fraction: Bits of the fraction.
    """

    number: int
    lane: int
    fraction: int

    @property
    def magnitude(self) -> int:
        """All bits but the sign."""
        return (1 << 8 * self.lane - 1) - 1

    @property
    def infinity(self) -> int:
        """The bits of positive infinity; a larger magnitude is NaN."""
        return self.magnitude >> self.fraction << self.fraction

    @property
    def bias(self) -> int:
        """What is added to an exponent."""
        return (self.magnitude >> self.fraction) // 2

    @property
    def unsigned(self) -> np.dtype[np.unsignedinteger]:
        """The bits of an element as numpy's type."""
        return UNSIGNED[self.lane]


F64, F32, F16, BF16 = Float(0, 8, 52), Float(1, 4, 23), Float(2, 2, 10), Float(3, 2, 7)
FLOATS = {"F64": F64, "F32": F32, "F16": F16, "BF16": BF16}
BY_NUMBER = {form.number: form for form in FLOATS.values()}


def convert(bits: Lanes, source: Float, target: Float) -> Lanes:
    """Returns elements in another format, to nearest, ties to even. Shapes (n,) -> (n,).

    A NaN keeps its sign and the upper bits of its payload, and is quiet if it became narrower.
    """
    if source == target:
        return bits
    if source.lane == target.lane:  # F16 and BF16: neither holds the other
        return convert(convert(bits, source, F32), F32, target)
    step = _widened if source.lane < target.lane else _narrowed
    out = np.empty(len(bits), target.unsigned)
    for start in range(0, len(bits), _BLOCK):
        block = bits[start : start + _BLOCK]
        signs = (block >> (8 * source.lane - 1)).astype(target.unsigned)
        magnitudes = (block & source.magnitude).view(source.unsigned)
        made = step(magnitudes, source, target)
        out[start : start + _BLOCK] = made | (signs << (8 * target.lane - 1))
    return out


def values_of(bits: Lanes, form: Float, wide: Float = F64) -> Values:
    """Returns elements as numbers in F32 or F64, which hold them exactly. Shapes (n,) -> (n,)."""
    if (form, wide) == (F32, F64):  # by the processor, which is faster
        with np.errstate(invalid="ignore"):  # a signalling NaN is a value like others
            return bits.view("<f4").astype("<f8")
    return convert(bits, form, wide).view(f"<f{wide.lane}")


def bits_of(values: Values, form: Float) -> Lanes:
    """Returns float32 or float64, shape (n,), rounded once to a format."""
    wide = F64 if values.dtype.itemsize == F64.lane else F32
    if (wide, form) == (F64, F32):  # by the processor, which is faster
        with np.errstate(all="ignore"):
            return values.astype("<f4").view(form.unsigned)
    return convert(values.view(wide.unsigned), wide, form)


def are_finite(bits: Lanes, form: Float) -> npt.NDArray[np.bool_]:
    """Returns which elements are neither infinite nor NaN. Shapes (n,) -> (n,)."""
    finite: npt.NDArray[np.bool_] = (bits & form.infinity) != form.infinity
    return finite


def _widened(magnitudes: Lanes, source: Float, target: Float) -> Lanes:
    shift = target.fraction - source.fraction
    wide = (magnitudes.astype(target.unsigned) << shift).view(target.unsigned)
    if source.bias == target.bias:
        return wide
    wide += (target.bias - source.bias) << target.fraction
    is_special = magnitudes >= source.infinity
    if is_special.any():
        wide[is_special] |= target.infinity
    is_tiny = magnitudes >> source.fraction == 0
    if is_tiny.any():  # exact: what is subnormal here is normal there, and few digits long
        smallest = 2.0 ** (1 - source.bias - source.fraction)
        wide[is_tiny] = bits_of(magnitudes[is_tiny].astype("<f8") * smallest, target)
    return wide


def _narrowed(magnitudes: Lanes, source: Float, target: Float) -> Lanes:
    shift, lower = source.fraction - target.fraction, source.bias - target.bias
    rebased = magnitudes - np.array(lower << source.fraction, magnitudes.dtype)
    narrow = np.minimum(_shifted(rebased, shift), target.infinity)
    is_small = magnitudes < ((lower + 1) << source.fraction)
    if lower and is_small.any():
        narrow[is_small] = _subnormal(magnitudes[is_small], source, shift + lower)
    is_nan = magnitudes > source.infinity
    if is_nan.any():
        payloads = (magnitudes[is_nan] >> shift) & ((1 << target.fraction) - 1)
        narrow[is_nan] = payloads | target.infinity | 1 << (target.fraction - 1)
    return narrow.astype(target.unsigned)


def _subnormal(magnitudes: Lanes, source: Float, shift: int) -> Lanes:
    """Returns numbers below the target's smallest normal; ``shift`` is that of exponent 1, + 1."""
    exponents = np.maximum(magnitudes >> source.fraction, 1)
    hidden = (magnitudes >> source.fraction != 0).astype(magnitudes.dtype) << source.fraction
    significands = (magnitudes & ((1 << source.fraction) - 1)) | hidden
    return _shifted(significands, np.minimum(shift + 1 - exponents, source.fraction + 2))


def _shifted(values: Lanes, shift: int | Lanes) -> Lanes:
    """Returns values / 2^shift, shift > 0, to nearest, ties to even."""
    by = np.asarray(shift, values.dtype)
    one = np.array(1, values.dtype)
    below_half = (one << (by - one)) - one
    return (values + below_half + ((values >> by) & one)) >> by
