"""A second reader of chunks that have bases, written from ``mgit/store/FORMAT.md`` alone.

It is slow and plain: one element after the other, formats converted on integers. A Python float is
an F64. A step in F32 is computed in F64 and rounded to F32, which is the same as rounding once: F64
has more than twice the bits (Figueroa, "When is double rounding innocuous?").
"""

import math
import struct
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any, NamedTuple

import zstandard


class RefusedError(Exception):
    """The bytes are damaged."""


def refuse_unless(sound: object) -> None:
    if not sound:
        raise RefusedError


class Fields:
    """The fields of a body, one behind the other."""

    def __init__(self, body: bytes) -> None:
        self.left = body

    def octets(self, count: int) -> bytes:
        refuse_unless(count <= len(self.left))
        taken, self.left = self.left[:count], self.left[count:]
        return taken

    def numbers(self, form: str) -> tuple[Any, ...]:
        return struct.unpack("<" + form, self.octets(struct.calcsize("<" + form)))


def lanes_of(raw: bytes, width: int) -> list[int]:
    refuse_unless(len(raw) % width == 0)
    return [int.from_bytes(raw[at : at + width], "little") for at in range(0, len(raw), width)]


def joined(lanes: Iterable[int], width: int) -> bytes:
    return b"".join(lane.to_bytes(width, "little") for lane in lanes)


# Codecs 1, 2 and 3


def inflated(frame: bytes, size: int) -> bytes:
    """Returns what one zstd frame holds, which declares ``size`` bytes."""
    try:
        refuse_unless(zstandard.frame_content_size(frame) == size)
        unpacking = zstandard.ZstdDecompressor().decompressobj()
        found = unpacking.decompress(frame)
    except zstandard.ZstdError as error:
        raise RefusedError from error
    refuse_unless(unpacking.eof and not unpacking.unused_data and len(found) == size)
    return found


def stored_lanes(body: bytes, size: int) -> tuple[list[int], int, int]:
    """Returns the lanes of a body of codec 1 as they lie there, their bytes, and the order."""
    fields = Fields(body)
    lane, order = fields.numbers("BB")
    refuse_unless(lane in {1, 2, 4, 8} and size % lane == 0 and order in {0, 1})
    heads = [fields.numbers("BI") for _ in range(lane)]
    count, raw = size // lane, bytearray(size)
    for k, (method, length) in enumerate(heads):
        plane = fields.octets(length)
        refuse_unless(method in {0, 1})
        plane = inflated(plane, count) if method else plane
        refuse_unless(len(plane) == count)
        raw[k::lane] = plane
    refuse_unless(not fields.left)
    return lanes_of(bytes(raw), lane), lane, order


def planes(body: bytes, size: int) -> bytes:
    lanes, width, order = stored_lanes(body, size)
    return joined(((x >> order) | (x & order) << (8 * width - 1) for x in lanes), width)


def monotone(x: int, sign: int) -> int:
    """Returns m(x); the lane itself for ``sign`` 0, in order 0."""
    return x ^ (sign - 1) if x & sign else x


def difference(z: int) -> int:
    return (z >> 1) ^ -(z & 1)


def fast(body: bytes, base: bytes, size: int) -> bytes:
    refuse_unless(len(base) == size)
    stored, width, order = stored_lanes(body, size)
    mask, sign = (1 << 8 * width) - 1, order << (8 * width - 1)
    pairs = zip(stored, lanes_of(base, width), strict=True)
    moved = (monotone(b, sign) + difference(z) & mask for z, b in pairs)
    return joined((monotone(x, sign) for x in moved), width)


def rcb(body: bytes, base: bytes, size: int) -> bytes:
    refuse_unless(len(base) == size)
    fields = Fields(body)
    shift, fine, row, length = fields.numbers("BBII")
    coded = fields.octets(length)
    stored, width, order = stored_lanes(fields.left, size)
    refuse_unless(shift <= 8 * width and fine <= 8)
    mask, sign = (1 << 8 * width) - 1, order << (8 * width - 1)
    classes = classes_of(coded, row, len(stored))
    parents, places, seen = lanes_of(base, width), [], [0] * 256
    for group in classes:
        places.append(seen[group])
        seen[group] += 1

    def rank(at: int) -> tuple[int, ...]:
        key = parents[at] >> shift & 255
        return (classes[at], key >> fine, places[at] >> 16, key, places[at])

    out = [0] * len(stored)
    for at, z in zip(sorted(range(len(out)), key=rank), stored, strict=True):
        moved = difference(z) + (parents[at] & ~sign) & mask
        out[at] = monotone(moved, sign) ^ parents[at] & sign
    return joined(out, width)


def classes_of(coded: bytes, row: int, count: int) -> list[int]:
    refuse_unless(row >= 64 and count % row == 0 if coded else row == 0)
    return [c for c in inflated(coded, count // row) for _ in range(row)] if coded else [0] * count


# Formats of elements


class Float(NamedTuple):
    width: int  # bytes
    fraction: int  # bits

    @property
    def sign(self) -> int:
        return 1 << (8 * self.width - 1)

    @property
    def infinity(self) -> int:
        return self.sign - (1 << self.fraction)

    @property
    def quantum(self) -> int:
        """The least number above nought is 2 to the power of this."""
        return 2 - (1 << (8 * self.width - 2 - self.fraction)) - self.fraction


F64, F32, F16, BF16 = FORMATS = (Float(8, 52), Float(4, 23), Float(2, 10), Float(2, 7))


def format_of(fields: Fields) -> Float:
    (number,) = fields.numbers("B")
    refuse_unless(number < len(FORMATS))
    return FORMATS[number]


def convert(bits: int, source: Float, target: Float) -> int:
    if source == target:
        return bits
    if source.width == target.width:  # F16 and BF16
        return convert(convert(bits, source, F32), F32, target)
    sign, magnitude = target.sign if bits & source.sign else 0, bits & source.sign - 1
    if magnitude <= source.infinity:
        return sign | nearest(magnitude, source, target)
    nan, longer = magnitude - source.infinity, target.fraction - source.fraction
    kept = nan << longer if longer > 0 else nan >> -longer | 1 << (target.fraction - 1)
    return sign | target.infinity | kept


def nearest(magnitude: int, source: Float, target: Float) -> int:
    """Returns the bits, without a sign, that are nearest to a number or infinity."""
    if magnitude in {0, source.infinity}:
        return target.infinity if magnitude else 0
    exponent, fraction = divmod(magnitude, 1 << source.fraction)
    whole = fraction | (1 << source.fraction if exponent else 0)
    power = source.quantum + max(exponent, 1) - 1
    last = max(power + whole.bit_length() - 1 - target.fraction, target.quantum)
    units = round(whole * Fraction(2) ** (power - last))  # ties to even
    return min(units + (last - target.quantum << target.fraction), target.infinity)


def value(bits: int, form: Float) -> float:
    (found,) = struct.unpack("<d", convert(bits, form, F64).to_bytes(8, "little"))
    return float(found)


def bits_of(number: float, form: Float) -> int:
    return convert(int.from_bytes(struct.pack("<d", number), "little"), F64, form)


def rounded(number: float, form: Float) -> float:
    return value(bits_of(number, form), form)


def finite_or(number: float, form: Float, base: int) -> int:
    bits = bits_of(number, form)
    return base if bits & form.infinity == form.infinity else bits


# Codecs 4 to 8 and 11


def cast(fields: Fields, bases: Sequence[bytes]) -> bytes:
    source, target = format_of(fields), format_of(fields)
    refuse_unless(source != target)
    lanes = lanes_of(bases[0], source.width)
    return joined((convert(x, source, target) for x in lanes), target.width)


def prune(fields: Fields, bases: Sequence[bytes]) -> bytes:
    form = format_of(fields)
    signs, threshold, ties = fields.numbers("BQI")
    lanes = lanes_of(bases[0], form.width)
    refuse_unless(signs in {0, 1} and threshold < form.sign)
    for at, x in enumerate(lanes):
        equal = x & form.sign - 1 == threshold
        if x & form.sign - 1 < threshold or (equal and ties):
            lanes[at] = x & form.sign if signs else 0
            ties -= equal
    return joined(lanes, form.width)


def sums(fields: Fields, bases: Sequence[bytes]) -> bytes:
    form = format_of(fields)
    formula, steps, count = fields.numbers("BBB")
    refuse_unless(formula <= 2 and steps <= 2 and count == len(bases) <= 16)
    refuse_unless(not (steps == 1 and form == F64) and not (formula == 2 and count < 2))
    wide = F64 if steps == 2 or form == F64 else F32

    def step(number: float) -> float:
        number = rounded(number, wide)
        return rounded(number, form) if steps == 0 and form.width == 2 else number

    weights = [rounded(w, wide) for w in fields.numbers("d" * (0, count, 1)[formula])]
    out = []
    for lanes in zip(*(lanes_of(base, form.width) for base in bases), strict=True):
        terms = [rounded(value(x, form), wide) for x in lanes]
        out.append(finite_or(FORMULAS[formula](terms, weights, step), form, lanes[0]))
    return joined(out, form.width)


def summed(terms: Sequence[float], step: Callable[[float], float]) -> float:
    return reduce(lambda total, term: step(total + term), terms)


FORMULAS: tuple[Callable[[Sequence[float], Sequence[float], Callable[[float], float]], float], ...]
FORMULAS = (
    lambda x, _, step: step(summed(x, step) / len(x)),
    lambda x, w, step: summed([step(a * b) for a, b in zip(x, w, strict=True)], step),
    lambda x, w, step: step(x[0] + step(summed([step(a - x[0]) for a in x[1:]], step) * w[0])),
)


def rows_of(lanes: Sequence[int], columns: int) -> int:
    refuse_unless(columns > 0 and len(lanes) % columns == 0)
    return len(lanes) // columns


def low_rank(fields: Fields, bases: Sequence[bytes]) -> bytes:
    form = format_of(fields)
    is_rounded, rank, columns, scale, first, second = fields.numbers("BBIhII")
    lanes = lanes_of(bases[0], form.width)
    refuse_unless(is_rounded <= 1 and 1 <= rank <= 127 and abs(scale) <= 800)
    rows = rows_of(lanes, columns)
    refuse_unless((rows + columns) * rank <= len(lanes))
    factors = lanes_of(planes(fields.octets(first), 4 * (rows + columns) * rank), 4)
    left, right = [[x - 2**31 for x in p] for p in (factors[: rows * rank], factors[rows * rank :])]
    refuse_unless(rank * max(map(abs, left)) * max(map(abs, right)) <= 2**53)
    shifts = planes(fields.octets(second), rows + columns)
    refuse_unless(max(shifts) <= 63)
    for at, x in enumerate(lanes):
        i, j = divmod(at, columns)
        dot = sum(left[i * rank + k] * right[k * columns + j] for k in range(rank))
        change = math.ldexp(dot, -(scale + shifts[i] + shifts[rows + j]))
        change = rounded(change, form) if is_rounded else change
        lanes[at] = finite_or(value(x, form) + change, form, x)
    return joined(lanes, form.width)


def int8(fields: Fields, bases: Sequence[bytes]) -> bytes:
    form = format_of(fields)
    choices, columns = fields.numbers("BI")
    lanes = lanes_of(bases[0], form.width)
    rows, given = rows_of(lanes, columns), None
    refuse_unless(choices < 8)
    if choices & 4:
        scales = planes(fields.octets(*fields.numbers("I")), 4 * rows)
        given = [value(bits, F32) for bits in lanes_of(scales, 4)]

    def step(number: float) -> float:
        number = rounded(number, F32)
        return rounded(number, form) if choices & 2 else number

    out = bytearray()
    for at in range(0, len(lanes), columns):
        x = [value(convert(bits, form, F32), F32) for bits in lanes[at : at + columns]]
        most = math.nan if any(map(math.isnan, x)) else max(map(abs, x))
        scale = given[at // columns] if given else step(most / 127)
        inverse = step(quotient(1, scale))
        for number in x:
            q = step(number * inverse if choices & 1 else quotient(number, scale))
            whole = min(max(round(q), -128), 127) if math.isfinite(q) else 0
            out += struct.pack("b", whole)
    return bytes(out)


def quotient(over: float, under: float) -> float:
    return over / under if under else math.nan  # or an infinity: nothing that is finite follows


def steps(fields: Fields, bases: Sequence[bytes]) -> bytes:
    form = format_of(fields)
    width, step, length = fields.numbers("BdI")
    refuse_unless(width in {1, 2, 4} and math.isfinite(step))
    lanes = lanes_of(bases[0], form.width)
    codes = lanes_of(planes(fields.octets(length), len(lanes) * width), width)
    given = iter(lanes_of(fields.octets(codes.count(2) * form.width), form.width))
    for at, code in enumerate(codes):
        if code > 2:
            n = difference(code - 2)
            lanes[at] = finite_or(value(lanes[at], form) + n * step, form, lanes[at])
        elif code:
            lanes[at] = next(given) if code == 2 else 0
    return joined(lanes, form.width)


REBUILD = {4: cast, 5: prune, 6: sums, 7: low_rank, 8: int8, 11: steps}


def decode(codec: int, body: bytes, bases: Sequence[bytes], size: int) -> bytes:
    """Returns the chunk of ``size`` bytes that a row of a codec from 2 to 8, or of 11, holds."""
    refuse_unless(len({len(base) for base in bases}) == 1 and (len(bases) == 1 or codec == 6))
    if codec in {2, 3}:
        return {2: fast, 3: rcb}[codec](body, bases[0], size)
    fields = Fields(body)
    (residual,) = fields.numbers("B")
    rebuilt = REBUILD[codec](fields, bases)
    refuse_unless(residual <= 2 and len(rebuilt) == size and bool(residual or not fields.left))
    return {0: lambda *_: rebuilt, 1: fast, 2: rcb}[residual](fields.left, rebuilt, size)
