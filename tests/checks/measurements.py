"""Measurements and checks to judge, made in one line each."""

import struct
from collections.abc import Sequence

from hypothesis import strategies as st

from mgit.checks import Judgement, Measured, Samples, Verdict, judge, measured_from
from mgit.digest import Digest
from mgit.objects import Check, Code, Gate, Level, Severity

CODE = Code("tasks:answers", Digest.of(b"source"), 0, {}, None, {}, Level.BITWISE)


def scored(**scores: float) -> Measured:
    """What a check returned that says nothing of single items."""
    return measured_from(scores)


def answered(answers: str, **values: Sequence[float]) -> Measured:
    """One letter an item: ``r`` for right, ``w`` for wrong."""
    return measured_from(Samples([letter == "r" for letter in answers], values))


def valued(**values: Sequence[float]) -> Measured:
    """Values of items, of which none is right or wrong."""
    return measured_from(Samples(None, values))


def checked(*gates: Gate) -> Check:
    return Check(CODE, gates, Severity.BLOCK)


def judged(
    gate: Gate,
    measured: Measured,
    previous: Sequence[Measured] = (),
    parent: Sequence[Measured] = (),
) -> Judgement:
    """The judgement of one gate; the previous versions are called qa@v1, qa@v2 and so on."""
    return judge(
        checked(gate),
        measured,
        {
            "previous": [(f"qa@v{number}", each) for number, each in enumerate(previous, 1)],
            "parent": [(f"base@v{number}", each) for number, each in enumerate(parent, 1)],
        },
    )


PASS, INCONCLUSIVE, FAIL = Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL
BADNESS = {PASS: 0, INCONCLUSIVE: 1, FAIL: 2}


def told(gate: Gate, measured: Measured, *previous: Measured) -> tuple[Verdict, str]:
    """Verdict and sentence of one gate."""
    judgement = judged(gate, measured, previous)
    (sentence,) = judgement.sentences
    return judgement.verdict, sentence


def badness(gate: Gate, measured: Measured, *previous: Measured) -> int:
    return BADNESS[told(gate, measured, *previous)[0]]


shares = st.floats(0, 1)
numbers = st.floats(-1e6, 1e6)
singles = st.floats(-1000, 1000, width=32)


@st.composite
def families(draw: st.DrawFn, models: int = 2) -> list[Measured]:
    """Models measured on the same items, on whether they are right and on one value."""
    count = draw(st.integers(1, 30))
    flags = st.lists(st.booleans(), min_size=count, max_size=count)
    values = st.lists(singles, min_size=count, max_size=count)
    return [measured_from(Samples(draw(flags), {"mrr": draw(values)})) for _ in range(models)]


@st.composite
def measurements(draw: st.DrawFn) -> Measured:
    """A measurement of any kind."""
    names = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)
    finite = st.floats(allow_nan=False, allow_infinity=False)
    count = draw(st.integers(1, 40))
    width = st.floats(allow_nan=False, allow_infinity=False, width=32)
    columns = st.dictionaries(names, st.lists(width, min_size=count, max_size=count), max_size=3)
    flags = st.lists(st.booleans(), min_size=count, max_size=count)
    match draw(st.sampled_from(["scores", "flags", "values"])):
        case "scores":
            return measured_from(draw(st.dictionaries(names, finite, min_size=1, max_size=4)))
        case "flags":
            return measured_from(Samples(draw(flags), draw(columns), metric="share-right"))
        case _:
            return measured_from(
                Samples(None, draw(columns) | {"loss": draw(flags_as_values(count))})
            )


def flags_as_values(count: int) -> st.SearchStrategy[list[float]]:
    return st.lists(st.sampled_from([0.0, 1.0, -1.5]), min_size=count, max_size=count)


def floats32(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)
