"""A reader of derived chunks that shares no code with mgit finds what mgit stored.

parameters, bases ──mgit──▶ rebuilt ──and a chunk──mgit──▶ body ──second reader──▶ the chunk
"""

import ast
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mgit.codecs import CODECS, derived, fast, planes, rcb
from mgit.codecs.form import Form
from mgit.errors import FormatError
from tests.formats import derivations
from tests.formats.test_document import BLOCKS, vectors

NUMBERS = {codec.name: number for number, codec in CODECS.items()}
SOURCE = Path(derivations.__file__).read_text(encoding="utf-8")
FLOATS = ("F64", "F32", "F16", "BF16")
ALL_BITS = 2**64 - 1


class Case(NamedTuple):
    """What a row of a derivation rests on."""

    codec: int
    parameters: bytes
    bases: tuple[bytes, ...]
    form: Form
    size: int


def width(number: int) -> int:
    return derivations.FORMATS[number].width


@st.composite
def chunks(draw: st.DrawFn, number: int, count: int) -> bytes:
    """Elements of a format, all near 1 or any: at an edge, not finite, random bits."""
    form = derivations.FORMATS[number]
    one = (form.infinity >> 1) & form.infinity
    edges = [0, 1, form.infinity - 1, form.infinity, form.infinity + 1, 1 << form.fraction, one]
    near = st.integers(one - (3 << form.fraction), one + (3 << form.fraction))
    anything = st.one_of(near, st.sampled_from(edges), st.integers(0, form.sign - 1))
    each = st.builds(
        int.__or__, draw(st.sampled_from([near, anything])), st.sampled_from([0, form.sign])
    )
    lanes = draw(st.lists(each, min_size=count, max_size=count))
    return derivations.joined(lanes, form.width)


def made(codec: str, parameters: bytes, bases: Sequence[bytes], type_: str, size: int) -> Case:
    return Case(NUMBERS[codec], parameters, tuple(bases), Form(type_), size)


formats = st.integers(0, 3)
counts = st.integers(1, 12)


@st.composite
def casts(draw: st.DrawFn) -> Case:
    source, target = draw(st.permutations(range(4)))[:2]
    count = draw(counts)
    base = draw(chunks(source, count))
    return made("cast", bytes([source, target]), [base], FLOATS[target], count * width(target))


@st.composite
def prunings(draw: st.DrawFn) -> Case:
    number = draw(formats)
    base = draw(chunks(number, draw(counts)))
    mask = derivations.FORMATS[number].sign - 1
    magnitudes = [x & mask for x in derivations.lanes_of(base, width(number))]
    threshold = draw(st.sampled_from([*magnitudes, magnitudes[0] + 1, mask, ALL_BITS]))
    ties = draw(st.sampled_from([0, 1, 2, magnitudes.count(threshold), 2**32 - 1]))
    parameters = struct.pack("<BBQI", number, draw(st.integers(0, 1)), threshold, ties)
    return made("prune", parameters, [base], FLOATS[number], len(base))


@st.composite
def sums(draw: st.DrawFn) -> Case:
    number, formula, steps = draw(st.tuples(formats, st.integers(0, 2), st.integers(0, 2)))
    count, held = draw(counts), draw(st.integers(1, 5))
    bases = [draw(chunks(number, count)) for _ in range(held)]
    some = (0, held, 1)[formula]
    each = st.sampled_from([0.1, 0.3, -0.7, 1 / 3]) | st.floats(-2, 2) | st.floats()
    weights = draw(st.lists(each, min_size=some, max_size=some))
    parameters = struct.pack(f"<BBBB{some}d", number, formula, steps, held, *weights)
    return made("sum", parameters, bases, FLOATS[number], len(bases[0]))


@st.composite
def updates(draw: st.DrawFn) -> Case:
    number, choice = draw(st.tuples(formats, st.integers(0, 1)))
    rows, columns, rank = draw(st.sampled_from([(2, 2, 1), (3, 6, 2), (7, 2, 1), (4, 4, 2)]))
    most = draw(st.sampled_from([3, 2**12, 2**26, 2**31 - 1]))
    some = (rows + columns) * rank
    factors = draw(st.lists(st.integers(-most, most), min_size=some, max_size=some))
    shifts = draw(shift_lists(rows + columns))
    scale = draw(st.integers(0, 40) | st.integers(-801, 801))
    base = draw(chunks(number, rows * columns))
    parameters = low_rank((number, choice, rank, columns, scale), factors, shifts)
    return made("low-rank", parameters, [base], FLOATS[number], len(base))


def low_rank(head: tuple[int, ...], factors: Sequence[int], shifts: bytes) -> bytes:
    stored = struct.pack(f"<{len(factors)}I", *(x + 2**31 for x in factors))
    parts = planes.encode(stored, Form("U32")), planes.encode(shifts, Form("U8"))
    return struct.pack("<BBBIhII", *head, *map(len, parts)) + b"".join(parts)


def shift_lists(count: int) -> st.SearchStrategy[bytes]:
    each = st.one_of(st.integers(0, 3), st.integers(0, 64))
    return st.lists(each, min_size=count, max_size=count).map(bytes)


@st.composite
def quantizations(draw: st.DrawFn) -> Case:
    number, choices = draw(st.tuples(formats, st.integers(0, 7)))
    columns, rows = draw(st.tuples(st.integers(1, 6), st.integers(1, 3)))
    parameters = struct.pack("<BBI", number, choices, columns)
    if choices & 4:
        scales = planes.encode(draw(chunks(1, rows)), Form("F32"))
        parameters += struct.pack("<I", len(scales)) + scales
    base = draw(chunks(number, rows * columns))
    return made("int8", parameters, [base], "I8", rows * columns)


@st.composite
def steps(draw: st.DrawFn) -> Case:
    number, octets = draw(st.tuples(formats, st.sampled_from([1, 2, 4])))
    count = draw(counts)
    each = st.integers(0, 6) | st.integers(0, 256**octets - 1)
    codes = draw(st.lists(each, min_size=count, max_size=count))
    form = Form(f"U{8 * octets}")
    coded = planes.encode(derivations.joined(codes, octets), form)
    step = draw(st.sampled_from([0.5, 2.0**-20, 0.1]) | st.floats())
    base, outside = draw(chunks(number, count)), draw(chunks(number, codes.count(2)))
    parameters = struct.pack("<BBdI", number, octets, step, len(coded)) + coded + outside
    return made("steps", parameters, [base], FLOATS[number], len(base))


CASES = {
    "cast": casts(),
    "prune": prunings(),
    "sum": sums(),
    "low-rank": updates(),
    "int8": quantizations(),
    "steps": steps(),
}


def mgit_reads(case: Case, body: bytes) -> bytes | None:
    """What mgit finds in a body, or None where it refuses it."""
    try:
        return CODECS[case.codec].decode(body, case.bases, case.size)
    except FormatError:
        return None


def second_reads(case: Case, body: bytes) -> bytes | None:
    """What the second reader finds in a body, or None where it refuses it."""
    try:
        return derivations.decode(case.codec, body, case.bases, case.size)
    except derivations.RefusedError:
        return None


@pytest.mark.parametrize("line", BLOCKS["derived"] + BLOCKS["steps"])
def test_it_reads_the_vectors_of_derivations(line: str) -> None:
    codec, bases, raw, body = line.split("|")

    found = derivations.decode(
        NUMBERS[codec.strip()],
        bytes.fromhex(body),
        [bytes.fromhex(base) for base in bases.split()],
        len(bytes.fromhex(raw)),
    )

    assert found == bytes.fromhex(raw)


@pytest.mark.parametrize(("_type", "raw", "body"), vectors("planes"))
def test_it_reads_the_vectors_of_planes(_type: str, raw: str, body: str) -> None:
    assert derivations.planes(bytes.fromhex(body), len(bytes.fromhex(raw))) == bytes.fromhex(raw)


@pytest.mark.parametrize("codec", ["fast", "rcb"])
def test_it_reads_the_vectors_of_differences(codec: str) -> None:
    for _type, base, raw, body in vectors(codec):
        octets, parent = bytes.fromhex(body), bytes.fromhex(base)

        found = derivations.decode(NUMBERS[codec], octets, [parent], len(parent))

        assert found == bytes.fromhex(raw)


@st.composite
def stored(draw: st.DrawFn, case: Case, rebuilt: bytes) -> tuple[bytes, bytes]:
    """A chunk, and a body that mgit stores it in: with either residual, or none."""
    raw = draw(st.binary(min_size=case.size, max_size=case.size) | st.just(rebuilt))
    by_rcb = b"\2" + case.parameters + rcb.encode(raw, rebuilt, case.form)
    return raw, draw(
        st.sampled_from([derived.encode(raw, case.form, case.parameters, rebuilt), by_rcb])
    )


@pytest.mark.parametrize("codec", CASES)
@given(data=st.data())
def test_it_reads_a_chunk_that_mgit_derived_and_refuses_what_mgit_does(
    codec: str, data: st.DataObject
) -> None:
    case = data.draw(CASES[codec])
    rebuilt = mgit_reads(case, b"\0" + case.parameters)
    assert second_reads(case, b"\0" + case.parameters) == rebuilt
    if rebuilt is None:
        return

    raw, body = data.draw(stored(case, rebuilt))

    assert second_reads(case, body) == raw


@pytest.mark.parametrize("codec", CASES)
@given(data=st.data())
def test_it_reads_and_refuses_what_was_changed_as_mgit_does(
    codec: str, data: st.DataObject
) -> None:
    case = data.draw(CASES[codec])
    rebuilt = mgit_reads(case, b"\0" + case.parameters)
    assume(rebuilt is not None)
    _, body = data.draw(stored(case, rebuilt or b""))
    at, octet = data.draw(st.integers(0, len(body) - 1)), data.draw(st.binary(max_size=2))
    changed = body[:at] + octet + body[at + data.draw(st.sampled_from([1, 1, 1, 0, len(body)])) :]
    bases = data.draw(
        st.sampled_from(
            [case.bases] * 3 + [(*case.bases[:-1], case.bases[-1][:-1]), case.bases + case.bases]
        )
    )
    case = case._replace(bases=bases, size=case.size + data.draw(st.sampled_from([0, 0, 0, 1, 8])))

    assert second_reads(case, changed) == mgit_reads(case, changed)


@st.composite
def grouped(draw: st.DrawFn) -> tuple[str, bytes, bytes]:
    """A type, a base and a chunk, some of whose rows of 64 lanes changed much, others little."""
    kind, octets = draw(st.sampled_from([("F32", 4), ("BF16", 2), ("I16", 2), ("F8_E4M3", 1)]))
    sizes = draw(st.permutations([1] * 4 + [64] * 12))
    chance = np.random.default_rng(draw(st.integers(0, 99)))
    base = chance.bytes(64 * octets * len(sizes))
    moves = chance.integers(0, np.repeat(sizes, 64), endpoint=True).tolist()
    lanes, mask = derivations.lanes_of(base, octets), 256**octets - 1
    moved = (x + move & mask for x, move in zip(lanes, moves, strict=True))
    return kind, base, derivations.joined(moved, octets)


@given(grouped())
def test_it_reads_a_difference_that_mgit_wrote(pair: tuple[str, bytes, bytes]) -> None:
    kind, base, raw = pair
    bodies = {2: fast.encode(raw, base, Form(kind)), 3: rcb.encode(raw, base, Form(kind, 64))}

    found = {codec: derivations.decode(codec, bodies[codec], [base], len(raw)) for codec in bodies}

    assert found == {2: raw, 3: raw}


def test_it_reads_a_difference_of_more_than_one_block() -> None:
    base = np.random.default_rng(0).bytes(4 * 66_000)
    lanes = enumerate(derivations.lanes_of(base, 4))
    raw = derivations.joined((x ^ at % 9 for at, x in lanes), 4)
    body = rcb.encode(raw, base, Form("F32"))

    assert derivations.decode(3, body, [base], len(raw)) == raw


# A vector, by its codec and place there, and what stands at the start of its body instead.
REFUSED = [
    ("cast", 0, "03"),  # residual
    ("cast", 0, "00 0303"),  # from and to are the same
    ("cast", 0, "00 0104"),  # to
    ("prune", 0, "00 01 02"),  # signs
    ("prune", 0, "00 01 00 00000080"),  # threshold
    ("sum", 0, "00 01 00 00 02"),  # number of bases
    ("sum", 1, "00 01 03"),  # formula
    ("sum", 1, "00 01 01 03"),  # steps
    ("sum", 1, "00 00 01 01"),  # steps of F32 for F64
    ("low-rank", 0, "00 01 02"),  # rounded
    ("low-rank", 0, "00 01 00 00"),  # rank
    ("low-rank", 0, "00 01 00 01 00000000"),  # columns
    ("low-rank", 0, "00 01 00 01 03000000"),  # columns
    ("low-rank", 0, "00 01 00 01 02000000 2103"),  # scale
    ("low-rank", 0, "00 01 00 01 02000000 dffc"),  # scale
    ("int8", 0, "00 01 08"),  # choices
    ("int8", 0, "00 01 00 00000000"),  # columns
    ("int8", 0, "00 01 00 04000000"),  # columns
    ("steps", 0, "00 01 03"),  # width
    ("steps", 0, "00 01 01 000000000000f07f"),  # step
]


@pytest.mark.parametrize(("codec", "place", "start"), REFUSED)
def test_it_refuses_what_the_document_and_mgit_refuse(codec: str, place: int, start: str) -> None:
    lines = [line.split("|") for line in BLOCKS["derived"] + BLOCKS["steps"]]
    _, bases, raw, body = [line for line in lines if line[0].strip() == codec][place]
    parents = tuple(bytes.fromhex(base) for base in bases.split())
    case = Case(NUMBERS[codec], b"", parents, Form("U8"), len(bytes.fromhex(raw)))

    changed = bytes.fromhex(start) + bytes.fromhex(body)[len(bytes.fromhex(start)) :]

    assert second_reads(case, bytes.fromhex(body)) == bytes.fromhex(raw)
    assert second_reads(case, changed) is None
    assert mgit_reads(case, changed) is None


@pytest.mark.parametrize(("largest", "shift"), [(2**22, 63), (2**22 + 1, 63), (2**22, 64)])
def test_it_reads_what_is_exact_at_most(largest: int, shift: int) -> None:
    factors, shifts = [-(2**31), 1, 1, -largest], bytes([0, 0, 0, shift])
    parameters = low_rank((1, 0, 1, 2, 0), factors, shifts)
    case = made("low-rank", parameters, [bytes(16)], "F32", 16)

    found = second_reads(case, b"\0" + parameters)

    assert found == mgit_reads(case, b"\0" + parameters)
    assert (found is not None) == (largest <= 2**22 and shift <= 63)


def test_the_second_reader_imports_nothing_of_mgit() -> None:
    imported = {
        alias.name if isinstance(node, ast.Import) else str(node.module)
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }

    assert not any(name.split(".")[0] in {"mgit", "tests", "numpy"} for name in imported)
