"""Codec 8, int8: another chunk's rows divided by a scale each, and rounded to whole numbers."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mgit.codecs import derived, planes
from mgit.codecs.derived import Fields, elements
from mgit.codecs.floats import F32, Float, bits_of, convert, values_of
from mgit.codecs.form import Form
from mgit.codecs.lanes import Lanes
from mgit.errors import FormatError

Single = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int8]

_BLOCK = 1 << 15  # elements
_LARGEST = np.float32(127)
_LEAST_EQUAL = 0.9  # of a sample's elements, for the derivation to be worth while
_SCALES = Form("F32")
_TEST_ROWS = 8


@dataclass(frozen=True, slots=True)
class Quantization:
    """How a chunk is quantized.

    Attributes:
        form: The elements of the base. F64 is rounded to F32 first.
        columns: Elements that share a scale.
        by_inverse: Multiplies by 1 / scale instead of dividing by it.
        is_rounded: Whether every step is rounded to the format of the base; otherwise to F32.
        scales: One a row, or None: the row's largest magnitude / 127.
    """

    form: Float
    columns: int
    by_inverse: bool
    is_rounded: bool
    scales: Single | None = None

    def pack(self) -> bytes:
        """Returns it as parameters of a body."""
        choices = self.by_inverse | self.is_rounded << 1 | (self.scales is not None) << 2
        head = struct.pack("<BBI", self.form.number, choices, self.columns)
        if self.scales is None:
            return head
        scales = planes.encode(self.scales.tobytes(), _SCALES)
        return head + struct.pack("<I", len(scales)) + scales

    def of(self, bits: Lanes) -> Integers:
        """Returns whole rows of elements, shape (n,), quantized."""
        step = max(_BLOCK // self.columns, 1)
        out = np.empty((len(bits) // self.columns, self.columns), np.int8)
        rows = bits.reshape(out.shape)
        with np.errstate(all="ignore"):
            for row in range(0, len(out), step):
                part = slice(row, row + step)
                scales = None if self.scales is None else self.scales[part]
                out[part] = self._rows(rows[part], scales)
        return out.ravel()

    def _rows(self, bits: Lanes, given: Single | None) -> Integers:
        values = _singles(bits.ravel(), self.form).reshape(bits.shape)
        scales = self._kept(np.abs(values).max(axis=1) / _LARGEST) if given is None else given
        scales = scales[:, None]
        if self.by_inverse:
            quotients = self._kept(values * self._kept(np.float32(1) / scales))
        else:
            quotients = self._kept(values / scales)
        quotients[~np.isfinite(quotients)] = 0
        return np.clip(np.rint(quotients), -128, 127).astype(np.int8)

    def _kept(self, values: Single) -> Single:
        if not self.is_rounded:
            return values
        return _singles(bits_of(values.ravel(), self.form), self.form).reshape(values.shape)


def _singles(bits: Lanes, form: Float) -> Single:
    return convert(bits, form, F32).view("<f4")


def find(child: Integers, parent: Lanes, form: Float, columns: int) -> Quantization | None:
    """Returns what makes ``parent`` into nearly ``child``, both of shape (n,), or None."""
    if len(child) != len(parent):
        return None
    columns = columns if columns > 1 and len(child) % columns == 0 else len(child)
    rows = child.reshape(-1, columns)
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _TEST_ROWS)).astype(int)
    here, there = rows[chosen].ravel(), parent.reshape(rows.shape)[chosen].ravel()
    equal, best = max(
        ((float(np.mean(way.of(there) == here)), way) for way in _ways(here, there, form, columns)),
        key=lambda found: found[0],
    )
    if equal < _LEAST_EQUAL:
        return None
    if best.scales is None:
        return best
    scales = _estimated(child, parent, form, columns)
    return Quantization(form, columns, best.by_inverse, best.is_rounded, scales)


def _ways(child: Integers, parent: Lanes, form: Float, columns: int) -> Iterator[Quantization]:
    estimated = _estimated(child, parent, form, columns)
    for scales in (None, estimated):
        for is_rounded in (False, True) if form.lane < F32.lane else (False,):
            for by_inverse in (False, True):
                yield Quantization(form, columns, by_inverse, is_rounded, scales)


def _estimated(child: Integers, parent: Lanes, form: Float, columns: int) -> Single:
    """Returns for each row a scale in the middle of those that round its elements as they are."""
    values = np.abs(values_of(parent, form)).reshape(-1, columns)
    counts = np.abs(child.astype(np.float64)).reshape(-1, columns)
    is_inside = (counts > 0) & (counts < 127) & np.isfinite(values)
    with np.errstate(all="ignore"):
        least = np.where(is_inside, values / (counts + 0.5), 0).max(axis=1)
        most = np.where(is_inside, values / (counts - 0.5), np.inf).min(axis=1)
        middle = np.where(np.isfinite(most), (least + most) / 2, 1)
        return middle.astype(np.float32)


def decode(body: bytes, bases: Sequence[bytes], size: int) -> bytes:
    """Returns the ``size`` bytes of ``body``; see ``derived.decode`` for errors."""
    return derived.decode(body, bases, size, rebuild)


def rebuild(fields: Fields, bases: Sequence[bytes], size: int) -> bytes:
    """Returns the quantized elements of the base."""
    form = fields.float_format()
    choices, columns = fields.numbers("BI")
    bits = elements(derived.only(bases), form, size * form.lane)
    if choices > 7 or not columns or size % columns:
        raise FormatError(f"{size} integers in rows of {columns}, choices {choices}")
    scales = None
    if choices & 4:
        (length,) = fields.numbers("I")
        octets = planes.decode(fields.octets(length), (), size // columns * F32.lane)
        scales = np.frombuffer(octets, "<f4")
    way = Quantization(form, columns, bool(choices & 1), bool(choices & 2), scales)
    return way.of(bits).tobytes()
