"""Quantising: what is lost is bounded and stored as it is; noughts and odd numbers are not lost."""

import struct
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit.codecs import STEPS, codec
from mgit.codecs.floats import F32, FLOATS, Float, are_finite, bits_of, convert, values_of
from mgit.codecs.steps import quantise
from mgit.errors import FormatError

NAMES = st.sampled_from(sorted(FLOATS))
STEP = st.floats(1e-6, 1e3)


def elements(form: Float, values: npt.ArrayLike) -> bytes:
    return bits_of(np.asarray(values, "<f8"), form).tobytes()


def values(raw: bytes, form: Float) -> npt.NDArray[np.floating]:
    return values_of(np.frombuffer(raw, form.unsigned), form)


@st.composite
def chunks(draw: st.DrawFn, form: Float) -> tuple[bytes, bytes]:
    """A chunk and its base: ordinary numbers, noughts and any bits."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(1, 200))
    base = random.normal(0, 1, count).astype("<f4")
    child = (base + random.normal(0, 1e-3, count)).astype("<f4")
    kinds = random.choice(4, count, p=draw(st.sampled_from([(1, 0, 0, 0), (0.4, 0.2, 0.2, 0.2)])))
    strange = random.integers(0, form.magnitude, (2, count), form.unsigned, endpoint=True)
    made = []
    for numbers, odd in zip((child, base), strange, strict=True):
        bits = convert(numbers.view("<u4"), F32, form)
        nought = np.array(form.magnitude + 1, form.unsigned)
        made.append(np.choose(kinds, [bits, odd, bits & 0, nought]).astype(form.unsigned))
    return made[0].tobytes(), np.where(kinds > 1, made[0] ^ made[1], made[1]).tobytes()


@given(st.data(), NAMES, STEP)
def test_a_quantised_chunk_comes_back_as_it_is(data: st.DataObject, name: str, step: float) -> None:
    raw, base = data.draw(chunks(FLOATS[name]))

    made = quantise(raw, base, FLOATS[name], step)

    assert STEPS.decode(made.body, [base], len(raw)) == made.raw


@given(st.data(), NAMES, STEP)
def test_noughts_and_what_is_not_finite_are_kept_bit_for_bit(
    data: st.DataObject, name: str, step: float
) -> None:
    form = FLOATS[name]
    raw, base = data.draw(chunks(form))

    made = np.frombuffer(quantise(raw, base, form, step).raw, form.unsigned)

    bits = np.frombuffer(raw, form.unsigned)
    exact = (bits & form.magnitude == 0) | ~are_finite(bits, form)
    assert np.array_equal(made[exact], bits[exact])
    assert are_finite(made[~exact], form).all()


@given(st.data(), STEP)
def test_nothing_is_off_by_more_than_half_a_step_and_a_rounding(
    data: st.DataObject, step: float
) -> None:
    raw, base = data.draw(chunks(F32))
    was, on = values(raw, F32), values(base, F32)
    with np.errstate(all="ignore"):
        is_usual = np.isfinite(was) & np.isfinite(on) & (np.abs(was) + np.abs(on) < 1e30)

    now = values(quantise(raw, base, F32, step).raw, F32)

    off = np.abs(now[is_usual] - was[is_usual])
    assert (off <= step / 2 * (1 + 1e-9) + 1.2e-7 * (np.abs(was[is_usual]) + step)).all()


@given(st.integers(0, 2**32), NAMES, st.floats(1e-6, 1e3), st.integers(0, 60))
def test_nothing_is_off_by_more_than_an_error_that_was_given(
    seed: int, name: str, error: float, exponent: int
) -> None:
    """However large the numbers are that the error is small beside, and after all rounding."""
    random, form = np.random.default_rng(seed), FLOATS[name]
    base = error * 2.0**exponent * random.normal(0, 1, 100)
    raw = elements(form, base + 5 * error * random.normal(0, 1, 100))

    now = quantise(raw, elements(form, base), form, 2 * error, max_error=error).raw

    pairs = zip(values(now, form).tolist(), values(raw, form).tolist(), strict=True)
    assert all(a == b or abs(Fraction(a) - Fraction(b)) <= Fraction(error) for a, b in pairs)


def test_an_error_that_is_larger_than_float64_can_tell_is_not_made() -> None:
    raw, base = elements(F32, [-(2.0**-60)]), elements(F32, [1.0])

    made = quantise(raw, base, F32, 2.0, max_error=1.0)

    assert made.raw == raw


def test_what_a_step_beyond_the_largest_number_would_reach_is_kept() -> None:
    form = FLOATS["F16"]

    made = quantise(elements(form, [65504.0]), elements(form, [65024.0]), form, 700.0)

    assert values(made.raw, form).tolist() == [65504.0]


def test_small_changes_take_little() -> None:
    random = np.random.default_rng(0)
    base = random.normal(0, 0.05, 1 << 16)
    child = base + random.normal(0, 1e-4, 1 << 16)

    made = quantise(elements(F32, child), elements(F32, base), F32, 2e-4)

    assert len(made.body) * 15 < len(made.raw)


@pytest.mark.parametrize(
    ("head", "rest"),
    [
        ((1, 3, 1.0, 17), b""),
        ((1, 1, float("nan"), 17), b""),
        ((1, 1, float("inf"), 17), b""),
        ((9, 1, 1.0, 17), b""),
        ((1, 1, 1.0, 1 << 31), b""),
        ((1, 1, 1.0, 17), b"left over"),
    ],
)
def test_what_nobody_writes_is_refused(head: tuple[int, int, float, int], rest: bytes) -> None:
    base = elements(F32, [1.0, 2.0])
    made = quantise(elements(F32, [1.5, 2.5]), base, F32, 0.5)
    parameters = struct.Struct("<BBdI")
    coded = made.body[1 + parameters.size :]
    good = (1, 1, 0.5, len(coded))
    changed = tuple(
        new if new not in (1, 1.0, 17) else old for new, old in zip(head, good, strict=True)
    )

    assert codec(11).decode(bytes([0]) + parameters.pack(*good) + coded, [base], 8) == made.raw
    with pytest.raises(FormatError):
        codec(11).decode(bytes([0]) + parameters.pack(*changed) + coded + rest, [base], 8)
