"""How far two tensors are from each other, chunk by chunk. Pure: bytes in, numbers out."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import ml_dtypes
import numpy as np
import numpy.typing as npt

_DTYPES: dict[str, npt.DTypeLike] = {
    "BOOL": np.bool_,
    "U8": "<u1",
    "I8": "<i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    "C64": "<c8",
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu,
}


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
    return dtype in _DTYPES


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
    values = np.frombuffer(raw, _DTYPES[dtype])
    return values.astype(np.complex128 if dtype == "C64" else np.float64)
