"""Measurements as values and as JSON."""

import base64
import json
import math
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mgit.checks import Flips, Measured, Samples, flips, from_json, measured_from, to_json
from mgit.checks.scores import sampled
from mgit.errors import FormatError
from tests.checks.measurements import answered, families, floats32, measurements, scored, valued

Document = dict[str, Any]


def as_read(measured: Measured) -> Document:
    """The JSON of a measurement as it is after it travelled."""
    document: Document = json.loads(json.dumps(to_json(measured), allow_nan=False))
    return document


def without_zero_signs(document: object) -> str:
    return json.dumps(document, sort_keys=True).replace("-0.0", "0.0")


# --- round trip ---


@given(measurements())
@example(answered("r" * 8))
@example(answered("w" * 9))
@example(scored(loss=5e-324, perplexity=1.7e308))
def test_a_measurement_comes_back_from_json(measured: Measured) -> None:
    assert from_json(as_read(measured)) == measured


def test_the_form_that_travels_is_the_documented_one() -> None:
    assert to_json(answered("rrwrwwwwr", mrr=[1.0] * 8 + [0.25])) == {
        "count": 9,
        "scores": {"accuracy": 4 / 9, "mrr": 8.25 / 9},
        "metric": "accuracy",
        "correct": base64.b64encode(bytes([0b11010000, 0b10000000])).decode(),
        "values": {"mrr": base64.b64encode(floats32(*[1.0] * 8, 0.25)).decode()},
    }
    assert to_json(scored(accuracy=1)) == {
        "count": 0,
        "scores": {"accuracy": 1.0},
        "metric": "",
        "correct": None,
        "values": {},
    }


def test_a_score_is_the_mean_of_what_is_kept_not_of_what_was_given() -> None:
    kept = math.fsum(valued(mrr=[0.1]).numbers("mrr"))

    assert valued(mrr=[0.1]).scores["mrr"] == kept != 0.1
    assert valued(mrr=[0.1] * 3).scores["mrr"] == kept  # and of equal numbers it is that number


def test_a_mean_does_not_depend_on_the_order_of_the_items() -> None:
    for numbers in ([1.0, 1e30, -1e30], [1e30, 1.0, -1e30]):
        assert valued(mrr=numbers).scores["mrr"] == 1 / 3


def test_a_million_items_take_little_room() -> None:
    measured = answered("rw" * 500_000)

    assert len(json.dumps(to_json(measured))) < 170_000


# --- what strangers wrote ---


def packed(*numbers: float) -> str:
    return base64.b64encode(floats32(*numbers)).decode()


PLAIN = {"count": 0, "scores": {"mrr": 0.5}, "metric": "", "correct": None, "values": {}}
ITEMS = {  # one right, one wrong
    "count": 2,
    "scores": {"accuracy": 0.5},
    "metric": "accuracy",
    "correct": "gA==",
    "values": {},
}
VALUES = {
    "count": 1,
    "scores": {"mrr": 0.5},
    "metric": "",
    "correct": None,
    "values": {"mrr": "AAAAPw=="},
}
REFUSED: dict[str, Callable[[], object]] = {
    "no object": lambda: [PLAIN],
    "nothing": dict,
    "no scores": lambda: PLAIN | {"scores": {}},
    "101 scores": lambda: PLAIN | {"scores": {f"s{number}": 0.5 for number in range(101)}},
    "a score without a name": lambda: PLAIN | {"scores": {"": 0.5}},
    "a score whose name drives a terminal": lambda: PLAIN | {"scores": {"\x1b[2J": 0.5}},
    "a score that is no number": lambda: PLAIN | {"scores": {"mrr": "0.5"}},
    "a score that is an integer": lambda: PLAIN | {"scores": {"mrr": 1}},
    "a score that is a bool": lambda: PLAIN | {"scores": {"mrr": True}},
    "a score that is NaN": lambda: PLAIN | {"scores": {"mrr": math.nan}},
    "a score that is infinite": lambda: PLAIN | {"scores": {"mrr": math.inf}},
    "items that are not given": lambda: PLAIN | {"count": 2},
    "a metric without items": lambda: PLAIN | {"metric": "mrr"},
    "a key too many": lambda: PLAIN | {"verdict": "pass"},
    "a key too few": lambda: {key: PLAIN[key] for key in PLAIN if key != "values"},
    "a count below zero": lambda: ITEMS | {"count": -2},
    "a count that is a bool": lambda: ITEMS | {"count": True, "scores": {"accuracy": 1.0}},
    "a count that is a float": lambda: ITEMS | {"count": 2.0},
    "items that are not counted": lambda: ITEMS | {"count": 0},
    "a better score than the items have": lambda: ITEMS | {"scores": {"accuracy": 0.9}},
    "a score besides those of the items": lambda: ITEMS | {"scores": {"accuracy": 0.5, "mrr": 0.9}},
    "another metric than the score": lambda: ITEMS | {"metric": "exact_match"},
    "no metric": lambda: ITEMS | {"metric": ""},
    "more bits than items": lambda: ITEMS | {"correct": "gAA="},
    "fewer bits than items": lambda: ITEMS | {"count": 9},
    "bits behind the last item": lambda: ITEMS | {"correct": "gQ=="},
    "bits in another way of base64": lambda: ITEMS | {"correct": "gB=="},
    "bits without padding": lambda: ITEMS | {"correct": "gA"},
    "bits with a line end": lambda: ITEMS | {"correct": "gA==\n"},
    "bits that are no base64": lambda: ITEMS | {"correct": "ü"},
    "bits that are no text": lambda: ITEMS | {"correct": [True, False]},
    "values of another length": lambda: VALUES | {"values": {"mrr": "AAAAPwAAAD8="}},
    "values that are NaN": lambda: VALUES | {"values": {"mrr": "AADAfw=="}},
    "values of the share of correct items": lambda: ITEMS | {"values": {"accuracy": packed(0, 1)}},
    "values that are infinite on both sides": lambda: (
        VALUES | {"count": 2, "values": {"mrr": packed(math.inf, -math.inf)}}
    ),
    "values for more items than there are": lambda: (
        ITEMS | {"scores": {"accuracy": 0.5, "mrr": 1.0}, "values": {"mrr": packed(1, 1, 1)}}
    ),
    "bits of no items": lambda: PLAIN | {"correct": ""},
    "values of no items": lambda: PLAIN | {"values": {"mrr": ""}},
    "more than a million items": lambda: to_json(sampled(bytes(1_000_001), "accuracy", {})),
    "values in a list": lambda: VALUES | {"values": [0.5]},
}


@pytest.mark.parametrize("document", [PLAIN, ITEMS, VALUES])
def test_what_the_refusals_below_are_made_from_is_accepted(document: Document) -> None:
    assert to_json(from_json(document)) == document


@pytest.mark.parametrize("case", REFUSED)
def test_json_of_any_other_form_is_refused(case: str) -> None:
    with pytest.raises(FormatError):
        from_json(REFUSED[case]())


@given(measurements(), st.data())
def test_a_mutated_measurement_is_refused_or_is_another_one_in_its_only_form(
    measured: Measured, data: st.DataObject
) -> None:
    document = as_read(measured)
    place = data.draw(st.sampled_from([(), ("scores",), ("values",)]))
    table = document
    for key in place:
        table = table[key]
    key = data.draw(st.sampled_from([*sorted(table), "new"]))
    table[key] = data.draw(_mutations(table.get(key)))

    try:
        accepted = from_json(document)
    except FormatError:
        return

    assert without_zero_signs(to_json(accepted)) == without_zero_signs(document)


def _mutations(value: object) -> st.SearchStrategy[object]:
    anything = (
        st.none() | st.booleans() | st.integers(-3, 10**7) | st.floats() | st.text(max_size=8)
    )
    if isinstance(value, str) and value:
        letters = st.tuples(st.integers(0, len(value) - 1), st.sampled_from("ABg/=+9\n"))
        return anything | letters.map(lambda at: value[: at[0]] + at[1] + value[at[0] + 1 :])
    return anything


def test_a_count_is_refused_before_anything_is_made_of_it() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            from_json(ITEMS | {"count": 10**12})

        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


# --- flips ---


def test_flips_are_counted_in_both_directions() -> None:
    assert flips(answered("rrrww"), answered("wwrrw")) == Flips(lost=2, won=1, count=5)


@given(families())
def test_what_is_lost_one_way_is_won_the_other_way(family: list[Measured]) -> None:
    there, back = flips(*family), flips(*reversed(family))

    assert there is not None
    assert back == Flips(lost=there.won, won=there.lost, count=there.count)


@given(families())
def test_flips_explain_the_difference_of_the_scores(family: list[Measured]) -> None:
    before, now = family
    changed = flips(before, now)

    assert changed is not None
    difference = now.scores["accuracy"] - before.scores["accuracy"]
    assert math.isclose(difference, (changed.won - changed.lost) / changed.count, abs_tol=1e-12)


@pytest.mark.parametrize(
    "other",
    [
        scored(accuracy=0.5),
        valued(accuracy=[0.0, 1.0]),
        answered("rwr"),
        measured_from(Samples([True, False], metric="exact_match")),
    ],
)
def test_there_are_no_flips_between_models_that_were_measured_differently(other: Measured) -> None:
    assert flips(answered("rw"), other) is None
    assert flips(other, answered("rw")) is None
