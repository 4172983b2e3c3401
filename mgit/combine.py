"""Merge methods: three versions of a chunk of weights into one. Pure: bytes in, bytes out.

All arithmetic is in float64, element by element, in the order in which the formula is written, and
rounded once to the type of the tensor: so a merge is the same bytes on every machine. The formulas
and their names are mergekit's with ``normalize: false`` (https://github.com/arcee-ai/mergekit).
Refuses to know tensors, models and files.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
import numpy.typing as npt

Values: TypeAlias = npt.NDArray[np.float64]
Chunks: TypeAlias = tuple[bytes, bytes, bytes]  # base, ours, theirs
Compute: TypeAlias = Callable[[Values, Values, Values, Mapping[str, float]], Values]

# Types whose elements may be combined. A complex number is two floats; a type that is a scale or a
# code (F8_E8M0, integers, below one byte) is chosen whole or not at all.
_FLOATS: Mapping[str, npt.DTypeLike] = {
    "F64": "<f8",
    "F32": "<f4",
    "C64": "<f4",
    "F16": "<f2",
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
}
_BLOCK = 1 << 14  # elements: a block and its temporaries stay in the second-level cache
_FROM_ELSEWHERE = 2  # ``isbuiltin`` of a type of ml_dtypes, which rounds to float32 first: twice


class Side(Enum):
    """One of the three versions."""

    BASE = "base"
    OURS = "ours"
    THEIRS = "theirs"


@dataclass(frozen=True, slots=True)
class Choice:
    """Takes one side whole, whatever its type or shape, and also where it is absent."""

    side: Side


@dataclass(frozen=True, slots=True)
class Formula:
    """Computes every element from those of the three versions.

    Attributes:
        compute: Base, ours, theirs, each of shape (n,), and parameters -> shape (n,).
        parameters: Name -> default.
    """

    compute: Compute
    parameters: Mapping[str, float] = field(default_factory=dict)


def _average(_base: Values, ours: Values, theirs: Values, _: Mapping[str, float]) -> Values:
    return (ours + theirs) / 2


def _task_arithmetic(
    base: Values, ours: Values, theirs: Values, parameters: Mapping[str, float]
) -> Values:
    """Ilharco et al., Editing Models with Task Arithmetic, arXiv 2212.04089, section 3."""
    return base + parameters["weight"] * ((ours - base) + (theirs - base))


METHODS: Mapping[str, Choice | Formula] = {
    "ours": Choice(Side.OURS),
    "theirs": Choice(Side.THEIRS),
    "base": Choice(Side.BASE),
    "average": Formula(_average),
    "task_arithmetic": Formula(_task_arithmetic, {"weight": 1.0}),
}


@dataclass(frozen=True, slots=True)
class Method:
    """A key of ``METHODS``, with a value for each of its parameters."""

    name: str
    parameters: tuple[tuple[str, float], ...] = ()

    @property
    def rule(self) -> Choice | Formula:
        """What it does."""
        return METHODS[self.name]

    def __str__(self) -> str:
        given = ",".join(f"{name}={value!r}" for name, value in self.parameters)
        return f"{self.name}:{given}" if given else self.name


@dataclass(frozen=True, slots=True)
class Combination:
    """A chunk that was combined.

    Attributes:
        raw: Its bytes.
        spoilt: Elements that became infinite or NaN though what they are made from is not.
    """

    raw: bytes
    spoilt: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """How two versions of a tensor moved away from their base.

    Each is None where it is not a finite number.

    Attributes:
        moved_ours: ||ours - base|| / ||base||.
        moved_theirs: ||theirs - base|| / ||base||.
        cosine: Of the angle between the two differences, -1 to 1.
        signs_against: Of the elements that both moved, the share that they moved apart, 0 to 1.
    """

    moved_ours: float | None
    moved_theirs: float | None
    cosine: float | None
    signs_against: float | None


def is_combinable(dtype: str) -> bool:
    """Returns whether tensors of a type can be combined; others are chosen whole."""
    return dtype in _FLOATS


def combine(
    formula: Formula, parameters: Mapping[str, float], chunks: Chunks, dtype: str
) -> Combination:
    """Returns what a formula makes of the three versions of one chunk.

    Args:
        formula: What to compute.
        parameters: A value for each of its parameters.
        chunks: Raw little-endian bytes, all of one length.
        dtype: Their element type, a combinable one.
    """
    made, spoilt = [], 0
    for base, ours, theirs in _blocks(chunks, dtype):
        with np.errstate(all="ignore"):  # what overflows is counted, not warned of
            values = formula.compute(base, ours, theirs, parameters)
            raw = rounded(values, _FLOATS[dtype]).tobytes()
        made.append(raw)
        spoilt += _spoilt(_values(raw, dtype), (base, ours, theirs))
    return Combination(b"".join(made), spoilt)


def _spoilt(made: Values, sources: tuple[Values, Values, Values]) -> int:
    if np.isfinite(made).all():
        return 0
    base, ours, theirs = sources
    are_finite = np.isfinite(base) & np.isfinite(ours) & np.isfinite(theirs)
    are_numbers = ~(np.isnan(base) | np.isnan(ours) | np.isnan(theirs))
    spoilt = (~np.isfinite(made) & are_finite) | (np.isnan(made) & are_numbers)
    return int(np.count_nonzero(spoilt))


def rounded(values: Values, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Returns values of any shape in a type of floating point; to nearest, ties to even."""
    with np.errstate(all="ignore"):  # what overflows is told by whoever keeps it
        is_odd = np.dtype(dtype).isbuiltin == _FROM_ELSEWHERE
        return (_to_odd(values) if is_odd else values).astype(dtype)


def measure(chunks: Iterable[Chunks], dtype: str) -> Statistics:
    """Returns how two versions of a tensor moved, given chunk by chunk.

    Args:
        chunks: The three versions of every chunk, in order.
        dtype: Their element type, a combinable one.
    """
    norm = squares_ours = squares_theirs = product = 0.0
    both = against = 0
    for base, ours, theirs in (block for chunk in chunks for block in _blocks(chunk, dtype)):
        with np.errstate(all="ignore"):  # infinities and NaN are answers here, not accidents
            left, right = ours - base, theirs - base
            norm += float(np.sum(base * base))
            squares_ours += float(np.sum(left * left))
            squares_theirs += float(np.sum(right * right))
            product += float(np.sum(left * right))
            signs = np.sign(left) * np.sign(right)
        both += int(np.count_nonzero(signs))
        against += int(np.count_nonzero(signs < 0))
    return Statistics(
        _root(squares_ours, norm),
        _root(squares_theirs, norm),
        _ratio(product, math.sqrt(squares_ours) * math.sqrt(squares_theirs)),
        _ratio(against, both),
    )


def _blocks(chunks: Chunks, dtype: str) -> Iterator[tuple[Values, Values, Values]]:
    size = _BLOCK * np.dtype(_FLOATS[dtype]).itemsize
    for start in range(0, len(chunks[0]), size):
        base, ours, theirs = (_values(chunk[start : start + size], dtype) for chunk in chunks)
        yield base, ours, theirs


def _values(raw: bytes, dtype: str) -> Values:
    with np.errstate(invalid="ignore"):  # a signalling NaN is a value like others
        return np.frombuffer(raw, _FLOATS[dtype]).astype(np.float64)


def _to_odd(values: Values) -> npt.NDArray[np.float32]:
    """Returns float32 rounded to odd, so that rounding it again equals rounding ``values`` once.

    S. Boldo, G. Melquiond: Emulation of a FMA and Correctly Rounded Sums, IEEE Transactions on
    Computers 57(4), 2008: true for formats of at most 22 bits of precision.
    """
    near = values.astype(np.float32)
    is_inexact_and_even = (near != values) & (near.view(np.uint32) & 1 == 0)
    other = np.nextafter(near, np.where(values > near, np.inf, -np.inf).astype(np.float32))
    return np.where(is_inexact_and_even, other, near)


def _root(squares: float, norm: float) -> float | None:
    ratio = _ratio(squares, norm)
    return None if ratio is None else math.sqrt(ratio)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 and math.isfinite(part) and math.isfinite(whole) else None
