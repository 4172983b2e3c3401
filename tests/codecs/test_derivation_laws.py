"""Laws of derivations: whatever was rebuilt, a chunk comes back; hostile bodies are refused."""

import struct
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgit.codecs import CAST, INT8, LOW_RANK, PRUNE, SUM, cast, codec, derived, planes
from mgit.codecs import int8 as quantizing
from mgit.codecs.derived import Fields
from mgit.codecs.deriving import _REBUILD, derive
from mgit.codecs.floats import F32, FLOATS, convert
from mgit.codecs.form import RAW_FORM, Form, Related
from mgit.codecs.low_rank import EXACT, MAX_SCALE, MAX_SHIFT, Update
from mgit.codecs.sums import Formula, Steps, Sum
from mgit.errors import FormatError
from mgit.objects import DTYPES
from tests.codecs.models import COLUMNS, ROWS, chunk, tuned, weights

ON_A, ON_B = (tuned(weights(0), seed) for seed in (1, 2))
NAMES = st.sampled_from(sorted(FLOATS))
FEWER = settings(max_examples=max(settings().max_examples // 2, 10))

# NaN, infinities, noughts, subnormals, the largest, halves that round up and down: each format's
HARD = {
    name: [
        bits
        for magnitude in (
            0,
            1,
            2,
            3,
            (1 << form.fraction) - 1,
            1 << form.fraction,
            form.infinity - 1,
            form.infinity,
            form.infinity + 1,
            form.magnitude,
            form.bias << form.fraction,
            (form.bias << form.fraction) + 1,
        )
        for bits in (magnitude, magnitude | form.magnitude + 1)
    ]
    for name, form in FLOATS.items()
}


@st.composite
def raws(draw: st.DrawFn, name: str, count: int) -> bytes:
    """Elements of any bits; many are hard ones, or of ordinary size."""
    form = FLOATS[name]
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    bits = random.integers(0, form.magnitude, count, form.unsigned, endpoint=True)
    ordinary = convert(random.normal(0, 1, count).astype("<f4").view("<u4"), F32, form)
    hard = random.choice(np.array(HARD[name], form.unsigned), count)
    kind = random.choice(3, count, p=draw(st.sampled_from([(0.3, 0.4, 0.3), (0, 0.9, 0.1)])))
    return np.choose(kind, [bits, ordinary, hard]).tobytes()


def comes_back(number: int, raw: bytes, form: Form, parameters: bytes, bases: list[bytes]) -> bool:
    rebuilt = _REBUILD[number](Fields(parameters), bases, len(raw))
    body = derived.encode(raw, form, parameters, rebuilt)
    equal = derived.encode(rebuilt, form, parameters, rebuilt)
    return (
        codec(number).decode(body, bases, len(raw)) == raw
        and codec(number).decode(equal, bases, len(raw)) == rebuilt
        and len(equal) == 1 + len(parameters)
    )


@FEWER
@given(st.data(), NAMES, NAMES, st.integers(1, 300))
def test_a_cast_and_what_is_left_give_the_chunk(
    data: st.DataObject, source: str, target: str, count: int
) -> None:
    if source == target:
        return
    parameters = cast.pack(FLOATS[source], FLOATS[target])
    raw, base = data.draw(raws(target, count)), data.draw(raws(source, count))

    assert comes_back(CAST.number, raw, Form(target), parameters, [base])


@FEWER
@given(st.data(), NAMES, st.integers(1, 300), st.integers(0, 1), st.integers(0, 400))
def test_a_prune_and_what_is_left_give_the_chunk(
    data: st.DataObject, name: str, count: int, signs: int, ties: int
) -> None:
    form = FLOATS[name]
    threshold = data.draw(st.integers(0, form.magnitude))
    parameters = struct.pack("<BBQI", form.number, signs, threshold, ties)
    raw, base = data.draw(raws(name, count)), data.draw(raws(name, count))

    assert comes_back(PRUNE.number, raw, Form(name), parameters, [base])


RULES = st.tuples(NAMES, st.sampled_from(Formula), st.sampled_from(Steps)).filter(
    lambda rule: rule[::2] != ("F64", Steps.SINGLE)
)


@FEWER
@given(st.data(), RULES, st.integers(1, 300), st.integers(2, 5))
def test_a_sum_and_what_is_left_give_the_chunk(
    data: st.DataObject, rule: tuple[str, Formula, Steps], count: int, bases: int
) -> None:
    name, formula, steps = rule
    weights = {Formula.MEAN: 0, Formula.WEIGHTED: bases, Formula.TASKS: 1}[formula]
    drawn = data.draw(st.lists(st.floats(), min_size=weights, max_size=weights))
    parameters = Sum(FLOATS[name], formula, steps, tuple(drawn)).pack(bases)
    raw, *others = (data.draw(raws(name, count)) for _ in range(bases + 1))

    assert comes_back(SUM.number, raw, Form(name), parameters, others)


@FEWER
@given(st.data(), NAMES, st.integers(4, 20), st.integers(4, 20), st.integers(1, 2))
def test_an_update_and_what_is_left_give_the_chunk(
    data: st.DataObject, name: str, rows: int, columns: int, rank: int
) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    left, right = (random.integers(-(1 << 25), 1 << 25, n * rank) for n in (rows, columns))
    shifts = random.integers(0, MAX_SHIFT, rows + columns, np.uint8, endpoint=True)
    update = Update(
        left.reshape(rows, rank).astype("f8"),
        right.reshape(rank, columns).astype("f8"),
        data.draw(st.just(50) | st.integers(-MAX_SCALE, MAX_SCALE)),
        shifts[:rows],
        shifts[rows:],
        data.draw(st.booleans()),
    )
    raw, base = (data.draw(raws(name, rows * columns)) for _ in range(2))

    assert comes_back(LOW_RANK.number, raw, Form(name), update.pack(FLOATS[name]), [base])


@FEWER
@given(st.data(), NAMES, st.integers(1, 20), st.integers(1, 20))
def test_a_quantization_and_what_is_left_give_the_chunk(
    data: st.DataObject, name: str, rows: int, columns: int
) -> None:
    scales = data.draw(st.none() | raws("F32", rows))
    given_scales = None if scales is None else np.frombuffer(scales, "<f4")
    by_inverse, is_rounded = data.draw(st.tuples(st.booleans(), st.booleans()))
    way = quantizing.Quantization(FLOATS[name], columns, by_inverse, is_rounded, given_scales)
    base = data.draw(raws(name, rows * columns))
    raw = data.draw(st.binary(min_size=rows * columns, max_size=rows * columns))

    assert comes_back(INT8.number, raw, Form("I8", columns), way.pack(), [base])


@FEWER
@given(st.data(), st.sampled_from([*sorted(FLOATS), "I8"]), st.lists(NAMES, max_size=3))
def test_what_is_found_for_any_bits_gives_the_chunk(
    data: st.DataObject, name: str, others: list[str]
) -> None:
    count = ROWS * 4
    integers = st.binary(min_size=count, max_size=count)
    near = [Related(data.draw(raws(other, count)), other) for other in others]
    near += [Related(data.draw(raws(name, count)), name)] if name in FLOATS else []
    raw = data.draw(integers if name == "I8" else raws(name, count))
    if near and near[-1].type == name and data.draw(st.booleans()):
        split = data.draw(st.integers(0, len(raw) // 8)) * 8
        raw = near[-1].raw[:split] + raw[split:]

    made = derive(raw, Form(name, data.draw(st.sampled_from([1, 4, 16]))), near, near)

    if made is not None:
        bases = [(*near, *near)[place].raw for place in made.bases]
        assert codec(made.codec).decode(made.body, bases, len(raw)) == raw


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7F800000, 0xFF800001, 1, 0x80000001])
def test_one_hard_element_does_not_hide_a_mean(bits: int) -> None:
    models = [np.frombuffer(chunk(model), "<u4").copy() for model in (ON_A, ON_B)]
    mean = np.frombuffer(chunk((ON_A + ON_B) / np.float32(2)), "<u4").copy()
    for array in (*models, mean):
        array[777] = bits
    near = [Related(array.tobytes(), "F32") for array in models]

    made = derive(mean.tobytes(), Form("F32", COLUMNS), [], near)

    assert made is not None
    assert codec(SUM.number).decode(made.body, [model.raw for model in near], mean.nbytes)
    assert len(made.body) < 200


NOT_FINITE = np.array([0x7FC00001, 0xFFA00002, 0x7F800000, 0xFF800000], "<u4")


def test_what_is_not_finite_is_the_element_of_the_first_base() -> None:
    one = np.full(4, 0x3F800000, "<u4")
    largest = np.full(4, 0x7F7FFFFF, "<u4")
    mean = Sum(F32, Formula.MEAN, Steps.OWN)

    assert mean.of([NOT_FINITE, one]).tolist() == NOT_FINITE.tolist()
    assert mean.of([one, NOT_FINITE]).tolist() == one.tolist()
    assert mean.of([largest, largest, one]).tolist() == largest.tolist()


def test_an_update_of_what_is_not_finite_leaves_it_alone() -> None:
    zeros = np.zeros(2, np.uint8)
    change = Update(np.ones((2, 1)), np.ones((1, 2)), 0, zeros, zeros, is_rounded=False)

    assert change.added_to(NOT_FINITE, F32).tolist() == NOT_FINITE.tolist()


def test_what_is_not_finite_is_quantized_to_nought() -> None:
    row = np.concatenate([NOT_FINITE[2:], np.full(2, 0x3F800000, "<u4")])
    by_row = quantizing.Quantization(F32, 4, by_inverse=False, is_rounded=False)
    by_one = replace(by_row, scales=np.ones(1, "<f4"))

    assert by_row.of(NOT_FINITE).tolist() == [0, 0, 0, 0]
    assert by_row.of(row).tolist() == [0, 0, 0, 0]
    assert by_one.of(row).tolist() == [0, 0, 1, 1]


HEADS: dict[str, tuple[int, Sequence[bytes], int, bytes]] = {
    "a cast to itself": (4, [bytes(64)], 64, b"\0\1\1"),
    "bytes left over": (4, [bytes(64)], 32, b"\0\1\3\0"),
    "an unknown format": (4, [bytes(64)], 64, b"\0\4\1"),
    "an unknown residual": (4, [bytes(32)], 64, b"\3\2\1"),
    "signs": (5, [bytes(64)], 64, struct.pack("<BBBQI", 0, 1, 2, 0, 0)),
    "a threshold of more bits": (5, [bytes(64)], 64, struct.pack("<BBBQI", 0, 2, 0, 1 << 15, 0)),
    "no bases": (6, [], 64, struct.pack("<5B", 0, 1, 0, 0, 0)),
    "17 bases": (6, [bytes(64)] * 17, 64, struct.pack("<5B", 0, 1, 0, 0, 17)),
    "another number of bases": (6, [bytes(64)] * 3, 64, struct.pack("<5B", 0, 1, 0, 0, 2)),
    "one task": (6, [bytes(64)], 64, struct.pack("<5Bd", 0, 1, 2, 0, 1, 1.0)),
    "an unknown formula": (6, [bytes(64)] * 2, 64, struct.pack("<5B", 0, 1, 3, 0, 2)),
    "unknown steps": (6, [bytes(64)] * 2, 64, struct.pack("<5B", 0, 1, 0, 3, 2)),
    "F64 in F32": (6, [bytes(64)] * 2, 64, struct.pack("<5B", 0, 0, 0, 1, 2)),
    "rows of nothing": (8, [bytes(256)], 64, struct.pack("<BBBI", 0, 1, 0, 0)),
    "broken rows": (8, [bytes(256)], 64, struct.pack("<BBBI", 0, 1, 0, 63)),
    "choices": (8, [bytes(256)], 64, struct.pack("<BBBI", 0, 1, 8, 64)),
    "missing scales": (8, [bytes(256)], 64, struct.pack("<BBBII", 0, 1, 4, 1, 1 << 31)),
}


@pytest.mark.parametrize(("number", "bases", "size", "body"), HEADS.values(), ids=HEADS)
def test_parameters_that_make_no_sense_are_refused(
    number: int, bases: Sequence[bytes], size: int, body: bytes
) -> None:
    with pytest.raises(FormatError):
        codec(number).decode(body, bases, size)


def update(rank: int, columns: int, scale: int, factors: bytes, shifts: bytes) -> bytes:
    head = struct.pack("<BBBBIhII", 0, 1, 0, rank, columns, scale, len(factors), len(shifts))
    return head + factors + shifts


def stored(*integers: int) -> bytes:
    bits = np.array(integers, "<i8") + (1 << 31)
    return planes.encode(bits.astype("<u4").tobytes(), Form("I32"))


ROOT = 1 << 26  # its square is half of 2^53
NO_SHIFTS = planes.encode(bytes(8), RAW_FORM)
UPDATES = {
    "no rank": update(0, 4, 0, stored(), NO_SHIFTS),
    "no columns": update(1, 0, 0, stored(*[1] * 8), NO_SHIFTS),
    "more factors than elements": update(3, 4, 0, stored(*[1] * 24), NO_SHIFTS),
    "an inexact product": update(
        2, 4, 0, stored(*[ROOT + 1] * 16), planes.encode(bytes(8), RAW_FORM)
    ),
    "a long shift": update(1, 4, 0, stored(*[1] * 8), planes.encode(b"\x40" * 8, RAW_FORM)),
    "a large scale": update(1, 4, 801, stored(*[1] * 8), NO_SHIFTS),
}


@pytest.mark.parametrize("body", UPDATES.values(), ids=UPDATES)
def test_an_update_that_makes_no_sense_is_refused(body: bytes) -> None:
    with pytest.raises(FormatError):
        codec(LOW_RANK.number).decode(body, [bytes(64)], 64)


def test_the_largest_exact_product_is_taken() -> None:
    body = update(2, 4, 53, stored(*[ROOT] * 16), NO_SHIFTS)

    raw = codec(LOW_RANK.number).decode(body, [bytes(64)], 64)

    assert 2 * ROOT * ROOT == EXACT
    assert np.frombuffer(raw, "<f4").tolist() == [1.0] * 16


@pytest.mark.parametrize("columns", [1, 2**20, 2**32 - 1])
def test_a_large_rank_costs_no_memory(columns: int) -> None:
    size = 8 << 20
    body = update(127, columns, 0, b"", b"")
    base = bytes(size)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            codec(LOW_RANK.number).decode(body, [base], size)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak_bytes < 1 << 20


def test_every_format_of_floating_point_is_a_type_of_elements() -> None:
    assert {name: form.lane for name, form in FLOATS.items()} == {
        name: DTYPES[name].lane for name in FLOATS
    }
