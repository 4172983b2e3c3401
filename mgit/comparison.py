"""How far two tensors are from each other, chunk by chunk. Pure: bytes in, numbers out."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mgit.numeric import NUMPY_TYPES


@dataclass(frozen=True, slots=True)
class Distance:
    """How far ``right`` is from ``left``.

    Attributes:
        relative_l2: ||right - left|| / ||left|| in float64; None where that is not a finite number.
        fraction_changed: Share of the elements whose value differs; NaN differs from everything.
    """

    relative_l2: float | None
    fraction_changed: float


def is_measurable(dtype: str) -> bool:
    """Returns whether values of a type can be compared as numbers (not those below one byte)."""
    return dtype in NUMPY_TYPES


def distance(pairs: Iterable[tuple[bytes, bytes]], left_dtype: str, right_dtype: str) -> Distance:
    """Returns the distance of two tensors of one shape, given as pairs of chunks.

    Args:
        pairs: Raw chunks of left and right with the same number of elements.
        left_dtype: Element type of the left ones, a measurable one.
        right_dtype: Element type of the right ones.
    """
    squares, norm, changed, count = 0.0, 0.0, 0, 0
    for left, right in pairs:
        with np.errstate(all="ignore"):  # infinities and NaN are answers here, not accidents
            a, b = _values(left, left_dtype), _values(right, right_dtype)
            squares += float(np.sum(np.abs(b - a) ** 2))
            norm += float(np.sum(np.abs(a) ** 2))
            changed += int(np.count_nonzero(a != b))
        count += len(a)
    ratio = math.sqrt(squares / norm) if norm > 0 and math.isfinite(squares + norm) else None
    return Distance(ratio, changed / count if count else 0.0)


def _values(raw: bytes, dtype: str) -> npt.NDArray[np.inexact[npt.NBitBase]]:
    values = np.frombuffer(raw, NUMPY_TYPES[dtype])
    return values.astype(np.complex128 if dtype == "C64" else np.float64)
