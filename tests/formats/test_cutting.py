"""Laws of cutting: whole rows, so that casts, appended rows and fused experts share chunks."""

import math
from itertools import accumulate, islice

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mgit.objects import DTYPES, DType
from mgit.objects.dtypes import (
    CHUNK_ELEMENTS,
    FILE_CHUNK_BYTES,
    MAX_CHUNK_BYTES,
    cut,
    cut_file,
    size_bytes,
)

MOST = 1 << 26  # elements

around_a_chunk = [CHUNK_ELEMENTS + step for step in (-1, 0, 1)]
dimensions = st.integers(0, 5) | st.sampled_from([1000, CHUNK_ELEMENTS // 2, *around_a_chunk])
shapes = st.lists(dimensions, max_size=4).map(tuple).filter(lambda s: math.prod(s) <= MOST)
large = st.tuples(st.integers(2, 50), st.integers(CHUNK_ELEMENTS // 2 + 1, 3 * CHUNK_ELEMENTS))
dtypes = st.sampled_from(list(DTYPES.values()))
whole_bytes = st.sampled_from([dtype for dtype in DTYPES.values() if dtype.bits >= 8])


@given(dtypes, shapes)
def test_chunks_add_up_to_the_tensor_and_none_is_empty_or_too_large(
    dtype: DType, shape: tuple[int, ...]
) -> None:
    assume(dtype.bits * math.prod(shape) % 8 == 0)

    sizes = list(cut(dtype, shape))

    assert sum(sizes) == size_bytes(dtype, shape)
    assert all(0 < size <= MAX_CHUNK_BYTES for size in sizes)


@given(whole_bytes, shapes)
def test_a_chunk_is_whole_rows_of_one_dimension(dtype: DType, shape: tuple[int, ...]) -> None:
    width = dtype.bits // 8
    rows = [math.prod(shape[depth:]) * width for depth in range(1, len(shape) + 1)] or [width]
    fitting = next((row for row in rows if row <= CHUNK_ELEMENTS * width), width)

    assert all(size % fitting == 0 for size in cut(dtype, shape))


@given(whole_bytes, shapes.filter(bool), st.integers(1, 100))
def test_appended_rows_leave_the_full_chunks_before_them(
    dtype: DType, shape: tuple[int, ...], more: int
) -> None:
    longer = (shape[0] + more, *shape[1:])

    before, after = list(cut(dtype, shape)), list(islice(cut(dtype, longer), 100))

    full = before[:-1][:100]
    assert after[: len(full)] == full
    assert not before or len(before) > 100 or after[len(full)] >= before[-1]


@given(whole_bytes, large, st.integers(1, 3))
def test_fused_experts_share_the_chunks_of_separate_ones(
    dtype: DType, shape: tuple[int, ...], experts: int
) -> None:
    assert list(cut(dtype, (experts, *shape))) == list(cut(dtype, shape)) * experts


@given(shapes)
def test_a_cast_has_its_cuts_at_the_same_elements(shape: tuple[int, ...]) -> None:
    def ends(name: str) -> list[int]:
        sizes = cut(DTYPES[name], shape)
        return [end * 8 // DTYPES[name].bits for end in accumulate(sizes)]

    assert ends("F32") == ends("BF16") == ends("F8_E4M3") == ends("F64")


@pytest.mark.parametrize("name", ["F4", "F6_E2M3"])
def test_a_type_below_a_byte_is_cut_as_its_packed_bytes(name: str) -> None:
    size = 2 * CHUNK_ELEMENTS + 3
    elements = size * 8 // DTYPES[name].bits // 4 * 4

    sizes = list(cut(DTYPES[name], (4, elements // 4)))

    assert sizes[:2] == [CHUNK_ELEMENTS] * 2
    assert sum(sizes) == size_bytes(DTYPES[name], (elements,))


def test_a_type_below_a_byte_fills_its_last_byte() -> None:
    with pytest.raises(ValueError, match="whole bytes"):
        size_bytes(DTYPES["F4"], (3,))


@given(st.integers(0, 40 << 20))
def test_a_file_is_cut_every_four_mebibytes(size: int) -> None:
    sizes = list(cut_file(size))

    assert sum(sizes) == size
    assert all(part == FILE_CHUNK_BYTES for part in sizes[:-1])
    assert all(0 < part <= FILE_CHUNK_BYTES for part in sizes)


def test_a_huge_shape_costs_nothing_before_it_is_cut() -> None:
    first = next(cut(DTYPES["F32"], (1 << 60, 1 << 60)))

    assert first == CHUNK_ELEMENTS * 4
