"""Codec 7, low-rank: another chunk plus the product of two thin matrices, as a merged LoRA is.

Hu et al., LoRA, arXiv 2106.09685, section 4.1. The factors are integers so small that every partial
sum of an element of their product is at most 2^53, which float64 holds: so the product is exact,
whatever the order of the additions, on every machine.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mgit.codecs import derived, planes
from mgit.codecs.derived import Fields, elements
from mgit.codecs.floats import Float, are_finite, bits_of, values_of
from mgit.codecs.form import RAW_FORM, Form
from mgit.codecs.lanes import Lanes
from mgit.errors import FormatError

MAX_RANK = 127
MAX_SCALE = 800  # with the shifts 2^-926, which times anything below 2^53 is normal
MAX_SHIFT = 63

EXACT = 1 << 53  # up to here float64 holds every integer

_OFFSET = 1 << 31  # what is added to a factor where it is stored
_INTEGERS = Form("I32")
_BLOCK = 1 << 16  # elements of the result that are computed at once

Matrix = npt.NDArray[np.float64]
Shifts = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Update:
    """What is added to a matrix.

    Attributes:
        left: Integers, shape (rows, rank).
        right: Integers, shape (rank, columns).
        scale: The product is taken times 2^-scale.
        left_shifts: Row i is also taken times 2^-left_shifts[i]; shape (rows,). So its integers may
            use all their bits, and the product remains exact.
        right_shifts: The same for columns, shape (columns,).
        is_rounded: Whether the update is rounded to the elements' format before it is added.
    """

    left: Matrix
    right: Matrix
    scale: int
    left_shifts: Shifts
    right_shifts: Shifts
    is_rounded: bool

    def pack(self, form: Float) -> bytes:
        """Returns it as parameters of a body."""
        integers = np.concatenate([self.left.ravel(), self.right.ravel()]) + _OFFSET
        factors = planes.encode(integers.astype("<u4").tobytes(), _INTEGERS)
        shifts = planes.encode(self.left_shifts.tobytes() + self.right_shifts.tobytes(), RAW_FORM)
        rank, columns = self.right.shape
        lengths = (len(factors), len(shifts))
        head = (form.number, self.is_rounded, rank, columns, self.scale, *lengths)
        return struct.pack("<BBBIhII", *head) + factors + shifts

    def added_to(self, bits: Lanes, form: Float) -> Lanes:
        """Returns elements, shape (rows * columns,), with the update added, rounded once."""
        columns = self.right.shape[1]
        step = max(_BLOCK // columns, 1)
        by_row = np.ldexp(1.0, -self.scale - self.left_shifts.astype(int))[:, None]
        by_column = np.ldexp(1.0, -self.right_shifts.astype(int))
        out = np.empty_like(bits)
        with np.errstate(all="ignore"):
            for row in range(0, len(self.left), step):
                part = slice(row * columns, (row + step) * columns)
                product = self.left[row : row + step] @ self.right
                change = (product * by_row[row : row + step] * by_column).ravel()
                change = values_of(bits_of(change, form), form) if self.is_rounded else change
                made = bits_of(values_of(bits[part], form) + change, form)
                out[part] = np.where(are_finite(made, form), made, bits[part])
        return out


def decode(body: bytes, bases: Sequence[bytes], size: int) -> bytes:
    """Returns the ``size`` bytes of ``body``; see ``derived.decode`` for errors."""
    return derived.decode(body, bases, size, rebuild)


def rebuild(fields: Fields, bases: Sequence[bytes], size: int) -> bytes:
    """Returns the base with the update added."""
    form = fields.float_format()
    is_rounded, rank, columns, scale, *lengths = fields.numbers("BBIhII")
    bits = elements(derived.only(bases), form, size)
    if is_rounded > 1 or abs(scale) > MAX_SCALE or not columns or len(bits) % columns:
        raise FormatError(f"an update in rows of {columns} of {len(bits)}, scale {scale}")
    rows = len(bits) // columns
    count = (rows + columns) * rank
    if not 1 <= rank <= MAX_RANK or count > len(bits):
        raise FormatError(f"an update of rank {rank} for {rows} times {columns}")
    factors, shifts = (fields.octets(length) for length in lengths)
    left_shifts, right_shifts = np.split(_shifts(shifts, rows + columns), [rows])
    left, right = np.split(_integers(factors, count), [rows * rank])
    if rank * np.abs(left).max() * np.abs(right).max() > EXACT:
        raise FormatError("factors whose product may not be exact")
    update = Update(
        left.reshape(rows, rank),
        right.reshape(rank, columns),
        scale,
        left_shifts,
        right_shifts,
        is_rounded == 1,
    )
    return update.added_to(bits, form).tobytes()


def _integers(body: bytes, count: int) -> Matrix:
    stored = np.frombuffer(planes.decode(body, (), 4 * count), "<u4")
    return stored.astype(np.float64) - _OFFSET


def _shifts(body: bytes, count: int) -> Shifts:
    shifts = np.frombuffer(planes.decode(body, (), count), np.uint8)
    if shifts.max() > MAX_SHIFT:
        raise FormatError(f"a shift of more than {MAX_SHIFT}")
    return shifts
