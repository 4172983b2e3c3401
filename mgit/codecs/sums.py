"""Codec 6, sum: a mean or a weighted sum of other chunks, element by element, in stated order.

There are as many ways to write a mean as there are libraries, and they differ in the last bit: so
a formula comes with the format in which every step of it is rounded. Nothing but additions,
subtractions, products and quotients of IEEE 754, each rounded by itself, is used; where the result
is infinite or NaN, whose bits machines disagree about, the element of the first base stands.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from mgit.codecs import derived
from mgit.codecs.derived import Fields, elements
from mgit.codecs.floats import F32, F64, Float, Values, are_finite, bits_of, values_of
from mgit.codecs.lanes import Lanes
from mgit.errors import FormatError

MAX_BASES = 16

_BLOCK = 1 << 14  # elements: a block of every base and its temporaries stay in the cache

Step = Callable[[Values], Values]


class Formula(IntEnum):
    """What is computed of x0, x1 …; every sum is taken from the left."""

    MEAN = 0  # (x0 + x1 + …) / k
    WEIGHTED = 1  # x0 w0 + x1 w1 + …
    TASKS = 2  # x0 + w ((x1 - x0) + (x2 - x0) + …)


class Steps(IntEnum):
    """In which format the bases are taken and every operation is rounded."""

    OWN = 0  # that of the elements; two-byte formats: rounded to F32 and then to their own
    SINGLE = 1  # F32; the result is rounded to the elements' format
    DOUBLE = 2  # F64; the result is rounded to the elements' format


@dataclass(frozen=True, slots=True)
class Sum:
    """How a chunk is computed from others.

    Attributes:
        form: The elements, of the bases and of the result.
        formula: What is computed.
        steps: Where it is rounded.
        weights: None for a mean, one a base for a weighted sum, one for tasks.
    """

    form: Float
    formula: Formula
    steps: Steps
    weights: tuple[float, ...] = ()

    def pack(self, bases: int) -> bytes:
        """Returns it as parameters of a body, for this many bases."""
        head = struct.pack("<4B", self.form.number, self.formula, self.steps, bases)
        return head + struct.pack(f"<{len(self.weights)}d", *self.weights)

    def of(self, bases: Sequence[Lanes]) -> Lanes:
        """Returns the result for bases of one shape (n,)."""
        out = np.empty_like(bases[0])
        with np.errstate(all="ignore"):
            for start in range(0, len(out), _BLOCK):
                part = slice(start, start + _BLOCK)
                blocks = [base[part] for base in bases]
                made = bits_of(self._values(blocks), self.form)
                out[part] = np.where(are_finite(made, self.form), made, blocks[0])
        return out

    def _values(self, blocks: Sequence[Lanes]) -> Values:
        wide = F64 if self.steps is Steps.DOUBLE or self.form == F64 else F32
        values = [values_of(block, self.form, wide) for block in blocks]
        weights = [values[0].dtype.type(weight) for weight in self.weights]
        is_rounded = self.steps is Steps.OWN and self.form.lane < wide.lane

        def keep(made: Values) -> Values:
            return values_of(bits_of(made, self.form), self.form, wide) if is_rounded else made

        return _FORMULAS[self.formula](values, weights, keep)


def _mean(values: Sequence[Values], _: Sequence[np.floating], keep: Step) -> Values:
    total = values[0]
    for value in values[1:]:
        total = keep(total + value)
    return keep(total / total.dtype.type(len(values)))


def _weighted(values: Sequence[Values], weights: Sequence[np.floating], keep: Step) -> Values:
    total = keep(values[0] * weights[0])
    for value, weight in zip(values[1:], weights[1:], strict=True):
        total = keep(total + keep(value * weight))
    return total


def _tasks(values: Sequence[Values], weights: Sequence[np.floating], keep: Step) -> Values:
    change = keep(values[1] - values[0])
    for value in values[2:]:
        change = keep(change + keep(value - values[0]))
    return keep(values[0] + keep(change * weights[0]))


_FORMULAS = {Formula.MEAN: _mean, Formula.WEIGHTED: _weighted, Formula.TASKS: _tasks}


def decode(body: bytes, bases: Sequence[bytes], size: int) -> bytes:
    """Returns the ``size`` bytes of ``body``; see ``derived.decode`` for errors."""
    return derived.decode(body, bases, size, rebuild)


def rebuild(fields: Fields, bases: Sequence[bytes], size: int) -> bytes:
    """Returns the sum of the bases."""
    form = fields.float_format()
    formula, steps, count = fields.numbers("BBB")
    if formula not in _FORMULAS or steps not in set(Steps) or not 1 <= count <= MAX_BASES:
        raise FormatError(f"formula {formula} with steps {steps} of {count} chunks")
    least = 2 if formula == Formula.TASKS else 1
    if len(bases) != count or count < least or (steps == Steps.SINGLE and form == F64):
        raise FormatError(f"a sum of {count} chunks from {len(bases)}")
    weights = {Formula.MEAN: 0, Formula.WEIGHTED: count, Formula.TASKS: 1}[Formula(formula)]
    rule = Sum(form, Formula(formula), Steps(steps), fields.coefficients(weights))
    return rule.of([elements(base, form, size) for base in bases]).tobytes()
