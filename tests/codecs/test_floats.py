"""Conversion between formats is that of IEEE 754, for every value."""

import ml_dtypes
import numpy as np
import pytest

from mgit.codecs import CAST, environment
from mgit.codecs.floats import BF16, F16, F32, F64, Float, are_finite, bits_of, convert, values_of
from mgit.codecs.lanes import Lanes
from mgit.combine import rounded
from mgit.errors import UnknownCodecError

NUMPY = {
    F64: np.dtype("<f8"),
    F32: np.dtype("<f4"),
    F16: np.dtype("<f2"),
    BF16: np.dtype(ml_dtypes.bfloat16),
}
RANDOM = np.random.default_rng(0)


def ordinary(form: Float, count: int) -> Lanes:
    """Any bits, numbers of all sizes, and those halfway between two numbers of each format."""
    bits = RANDOM.integers(0, form.magnitude, count, form.unsigned, endpoint=True)
    wide = RANDOM.normal(0, 1, count) * 2.0 ** RANDOM.integers(-150, 120, count)
    with np.errstate(all="ignore"):
        halves = [
            (near.astype("<f8") + np.nextafter(near, near.dtype.type(np.inf)).astype("<f8")) / 2
            for near in (wide.astype("<f4"), wide.astype("<f2"))
        ]
        steps = (wide.astype("<f4").view("<u4") | 0x8000).view("<f4").astype("<f8")
        numbers = np.concatenate([wide, *halves, steps]).astype(NUMPY[form])
    return np.concatenate([bits, -bits.view(form.unsigned), numbers.view(form.unsigned)])


@pytest.mark.parametrize("source", [F64, F32, F16, BF16], ids=["F64", "F32", "F16", "BF16"])
@pytest.mark.parametrize("target", [F64, F32, F16, BF16], ids=["F64", "F32", "F16", "BF16"])
def test_every_number_becomes_the_nearest_one(source: Float, target: Float) -> None:
    bits = np.arange(1 << 16, dtype="<u2") if source.lane == 2 else ordinary(source, 20_000)
    with np.errstate(all="ignore"):
        values = bits.view(NUMPY[source]).astype("<f8")
        expected = rounded(values, NUMPY[target])

    made = convert(bits, source, target)

    is_number = ~np.isnan(values)
    assert np.array_equal(made[is_number], expected.view(target.unsigned)[is_number])
    assert np.array_equal(
        made[~is_number] & target.magnitude > target.infinity, ~is_number[~is_number]
    )
    assert np.array_equal(made >> (8 * target.lane - 1), bits >> (8 * source.lane - 1))
    assert np.array_equal(are_finite(bits, source), np.isfinite(values))


@pytest.mark.parametrize("form", [F32, F16, BF16], ids=["F32", "F16", "BF16"])
def test_numbers_are_the_elements_and_back(form: Float) -> None:
    bits = ordinary(form, 20_000)
    bits = bits[are_finite(bits, form)]

    for wide in (F64, F32):
        values = values_of(bits, form, wide)

        assert np.array_equal(values.astype("<f8"), bits.view(NUMPY[form]).astype("<f8"))
        assert np.array_equal(bits_of(values, form), bits)


def test_a_nan_keeps_the_upper_bits_of_its_payload() -> None:
    nan = np.array([0xFFA12345, 0x7F800001], "<u4")

    assert [hex(bits) for bits in convert(nan, F32, BF16)] == ["0xffe1", "0x7fc0"]
    wide = [hex(bits) for bits in convert(nan, F32, F64)]
    assert wide == ["0xfff42468a0000000", "0x7ff0000020000000"]


def test_this_machine_computes_exactly() -> None:
    assert environment.is_exact()
    assert CAST.decode(b"\0\1\3", [bytes(4)], 2) == bytes(2)


@pytest.mark.parametrize("table", ["_QUOTIENTS", "_SUMS", "_PRODUCTS"])
def test_a_machine_that_does_not_is_told_apart_from_damage(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, table, getattr(environment, table) + np.uint32(1))

    with pytest.raises(UnknownCodecError, match="IEEE 754"):
        CAST.decode(b"\0\1\3", [bytes(4)], 2)
