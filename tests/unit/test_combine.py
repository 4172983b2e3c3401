"""Merge methods on chunks: naive formulas in float64, rounded once."""

import math
from fractions import Fraction
from functools import cache
from typing import TypeAlias

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit.combine import (
    METHODS,
    Choice,
    Combination,
    Formula,
    combine,
    is_combinable,
    measure,
)
from mgit.objects import DTYPES

Array: TypeAlias = npt.NDArray[np.float64]

NUMPY: dict[str, npt.DTypeLike] = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
}
NARROW = ("F16", "BF16", "F8_E4M3", "F8_E5M2")
SYMMETRIC = ("average", "task_arithmetic")


def raw(values: list[float] | Array, dtype: str) -> bytes:
    return np.array(values, np.float64).astype(NUMPY[dtype]).tobytes()


def numbers(octets: bytes, dtype: str) -> Array:
    return np.frombuffer(octets, NUMPY[dtype]).astype(np.float64)


def formula(name: str) -> Formula:
    found = METHODS[name]
    assert isinstance(found, Formula)
    return found


def combined(
    name: str, chunks: tuple[bytes, bytes, bytes], dtype: str, **parameters: float
) -> Combination:
    rule = formula(name)
    return combine(rule, {**rule.parameters, **parameters}, chunks, dtype)


def mergekit(base: Array, ours: Array, theirs: Array, weight: float) -> Array:
    """Its generalized task arithmetic: one weight a model, ``normalize: false``, ``lambda: 1``."""
    weights = np.array([[weight], [weight]])
    deltas = np.stack([ours, theirs]) - base
    mixed: Array = base + (weights * deltas).sum(axis=0)
    return mixed


floats = st.floats(-1000, 1000, width=32)
triples = st.lists(st.tuples(floats, floats, floats), min_size=1, max_size=20)
dtypes = st.sampled_from(["F64", "F32", *NARROW])


def chunks_of(rows: list[tuple[float, float, float]], dtype: str) -> tuple[bytes, bytes, bytes]:
    limit = {"F8_E4M3": 200.0}.get(dtype, 1000.0)
    base, ours, theirs = (np.clip(column, -limit, limit) for column in zip(*rows, strict=True))
    return raw(base, dtype), raw(ours, dtype), raw(theirs, dtype)


@given(triples, dtypes)
def test_average_is_the_mean(rows: list[tuple[float, float, float]], dtype: str) -> None:
    chunks = chunks_of(rows, dtype)
    _, ours, theirs = (numbers(chunk, dtype) for chunk in chunks)

    result = numbers(combined("average", chunks, dtype).raw, dtype)

    assert result == pytest.approx((ours + theirs) / 2, rel=step(dtype), abs=1e-2)


@given(triples, st.floats(-2, 2, width=16))
def test_task_arithmetic_is_what_mergekit_computes(
    rows: list[tuple[float, float, float]], weight: float
) -> None:
    chunks = chunks_of(rows, "F64")
    base, ours, theirs = (numbers(chunk, "F64") for chunk in chunks)

    result = numbers(combined("task_arithmetic", chunks, "F64", weight=weight).raw, "F64")

    assert result == pytest.approx(mergekit(base, ours, theirs, weight), rel=1e-12, abs=1e-9)


@given(triples)
def test_task_arithmetic_is_the_formula_bit_for_bit(rows: list[tuple[float, float, float]]) -> None:
    chunks = chunks_of(rows, "F32")
    base, ours, theirs = (numbers(chunk, "F32") for chunk in chunks)

    result = combined("task_arithmetic", chunks, "F32", weight=0.5).raw

    assert result == raw(base + 0.5 * ((ours - base) + (theirs - base)), "F32")


@pytest.mark.parametrize("name", SYMMETRIC)
@given(triples, dtypes)
def test_a_symmetric_method_does_not_care_who_is_ours(
    name: str, rows: list[tuple[float, float, float]], dtype: str
) -> None:
    base, ours, theirs = chunks_of(rows, dtype)

    assert combined(name, (base, ours, theirs), dtype) == combined(
        name, (base, theirs, ours), dtype
    )


@given(triples, dtypes)
def test_task_arithmetic_of_weight_0_is_the_base(
    rows: list[tuple[float, float, float]], dtype: str
) -> None:
    chunks = chunks_of(rows, dtype)

    result = combined("task_arithmetic", chunks, dtype, weight=0.0).raw

    assert numbers(result, dtype).tolist() == numbers(chunks[0], dtype).tolist()


@given(st.lists(st.integers(-200, 200), min_size=1), dtypes)
def test_task_arithmetic_with_one_side_at_the_base_is_the_other_side(
    whole: list[int], dtype: str
) -> None:
    base = raw([3.0] * len(whole), dtype)
    theirs = raw([float(number) for number in whole], dtype)

    assert numbers(
        combined("task_arithmetic", (base, base, theirs), dtype).raw, dtype
    ).tolist() == (numbers(theirs, dtype).tolist())


# --- rounding ---


@cache
def representable(dtype: str) -> list[tuple[Fraction, int]]:
    """Every finite value of a narrow type from 0 up, with its bits."""
    width = DTYPES[dtype].bits // 8
    unsigned = f"<u{width}"
    patterns = np.arange(1 << (8 * width - 1), dtype=np.uint32).astype(unsigned)
    with np.errstate(invalid="ignore"):
        found = patterns.view(NUMPY[dtype]).astype(np.float64)
    return [
        (Fraction(float(v)), int(p)) for v, p in zip(found, patterns, strict=True) if v < math.inf
    ]


def nearest(value: float, dtype: str) -> float:
    """The nearest finite value, ties to the even pattern, by exact arithmetic."""
    exact = abs(Fraction(value))
    found = min(representable(dtype), key=lambda pair: (abs(pair[0] - exact), pair[1] % 2))
    return math.copysign(float(found[0]), value)


@pytest.mark.parametrize("dtype", NARROW)
def test_what_lies_just_beside_the_middle_is_rounded_once(dtype: str) -> None:
    """A detour by float32 would make a tie of it and round the wrong way."""
    one = next(pattern for value, pattern in representable(dtype) if value == 1)
    steps = {pattern: value for value, pattern in representable(dtype)}
    low, high = float(steps[one]), float(steps[one + 1])
    middle = (low + high) / 2
    beside = [middle + sign * 2.0**-40 for sign in (-1, 0, 1)] + [-middle - 2.0**-40]
    exact = Formula(lambda _base, _ours, _theirs, _: np.array(beside))

    wide = numbers(rounded(exact, "F64"), "F64").tolist()
    narrow = numbers(rounded(exact, dtype), dtype).tolist()

    assert wide == beside
    assert narrow == [low, low, high, -high]


def rounded(exact: Formula, dtype: str) -> bytes:
    empty = raw([0.0] * 4, dtype)
    return combine(exact, {}, (empty, empty, empty), dtype).raw


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2"])
@given(st.floats(-400, 400))
def test_every_result_is_rounded_to_the_nearest(dtype: str, value: float) -> None:
    exact = Formula(lambda *_: np.array([value] * 4))

    assert numbers(rounded(exact, dtype), dtype)[0] == nearest(value, dtype)


@pytest.mark.parametrize("dtype", NUMPY)
def test_tiny_and_signed_values_survive(dtype: str) -> None:
    same = raw([0.0, -0.0, 2.0**-9, -1.5], dtype)

    assert combined("average", (same, same, same), dtype) == Combination(same, 0)


# --- what is no number ---


def test_elements_that_overflow_are_counted() -> None:
    base, side = raw([0.0, 1.0], "F16"), raw([60000.0, 2.0], "F16")

    assert combined("task_arithmetic", (base, side, side), "F16").spoilt == 1


def test_an_overflow_of_a_type_without_infinity_is_counted() -> None:
    base, side = raw([0.0, 1.0], "F8_E4M3"), raw([400.0, 2.0], "F8_E4M3")

    assert combined("task_arithmetic", (base, side, side), "F8_E4M3").spoilt == 1


def test_nan_made_of_infinities_is_counted() -> None:
    mask = raw([-math.inf, 1.0], "F32")

    assert combined("task_arithmetic", (mask, mask, mask), "F32").spoilt == 1
    assert combined("average", (mask, mask, mask), "F32").spoilt == 0


def test_nan_that_was_there_is_nobodys_fault() -> None:
    base, side = raw([1.0], "F32"), raw([math.nan], "F32")

    assert combined("average", (base, side, base), "F32").spoilt == 0


def test_a_signalling_nan_is_no_warning() -> None:
    signalling = np.array([0x7F81], "<u2").tobytes()

    assert combined("average", (signalling,) * 3, "BF16").spoilt == 0


# --- the tables ---


def test_only_floats_can_be_combined() -> None:
    assert {dtype for dtype in DTYPES if is_combinable(dtype)} == {*NUMPY, "C64"}


def test_a_complex_number_is_combined_part_by_part() -> None:
    ours, theirs = (np.array([value], "<c8").tobytes() for value in (1 + 2j, 3 - 4j))

    result = np.frombuffer(combined("average", (ours, ours, theirs), "C64").raw, "<c8")

    assert result.tolist() == [2 - 1j]


def test_methods_are_choices_or_formulas() -> None:
    choices = {name for name, rule in METHODS.items() if isinstance(rule, Choice)}

    assert choices == {"ours", "theirs", "base"}
    assert METHODS.keys() - choices == set(SYMMETRIC)


# --- statistics ---


def norm(vector: Array) -> float:
    return math.sqrt(math.fsum(float(x) ** 2 for x in vector))


def naive(base: Array, ours: Array, theirs: Array) -> list[float]:
    left, right = ours - base, theirs - base
    both = [float(a * b) for a, b in zip(left, right, strict=True) if a and b]
    return [
        norm(left) / norm(base),
        norm(right) / norm(base),
        float(left @ right) / (norm(left) * norm(right)),
        sum(product < 0 for product in both) / len(both),
    ]


@pytest.mark.parametrize("cuts", [[100], [30, 100], [1, 2, 99, 100]])
def test_statistics_are_the_same_however_the_tensor_is_cut(cuts: list[int]) -> None:
    drawn = np.random.default_rng(0).normal(size=(3, 100))
    pieces = [
        tuple(raw(row[start:stop], "F64") for row in drawn)
        for start, stop in zip([0, *cuts], cuts, strict=False)
    ]

    found = measure(pieces, "F64")  # type: ignore[arg-type]

    assert [found.moved_ours, found.moved_theirs, found.cosine, found.signs_against] == (
        pytest.approx(naive(*drawn))
    )


def test_a_chunk_of_many_blocks_is_one_result() -> None:
    long = np.arange(100_000, dtype=np.float64)
    chunks = raw(long, "F64"), raw(long + 1, "F64"), raw(long + 4, "F64")

    assert numbers(combined("average", chunks, "F64").raw, "F64").tolist() == (long + 2.5).tolist()


def test_two_equal_steps_agree_and_two_opposite_ones_do_not() -> None:
    base, up, down = raw([1.0, 2.0], "F32"), raw([2.0, 3.0], "F32"), raw([0.0, 1.0], "F32")

    along, against = measure([(base, up, up)], "F32"), measure([(base, up, down)], "F32")

    assert [along.cosine, along.signs_against] == pytest.approx([1, 0])
    assert [against.cosine, against.signs_against] == pytest.approx([-1, 1])


def test_what_is_no_finite_number_is_left_out() -> None:
    zero, infinite = raw([0.0], "F32"), raw([math.inf], "F32")

    found = measure([(zero, zero, infinite)], "F32")

    assert (found.moved_ours, found.moved_theirs, found.cosine, found.signs_against) == (None,) * 4


def step(dtype: str) -> float:
    """Half a unit in the last place, relative."""
    return {"F64": 1e-15, "F32": 1e-7, "F16": 1e-3, "BF16": 1e-2}.get(dtype, 0.25)
