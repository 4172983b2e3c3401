"""Gates as people write them, in Python and on the command line."""

import math
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit.checks import (
    GATES,
    at_least,
    at_most,
    gate_from_call,
    gate_text,
    max_negative_flips,
    no_worse_than,
    parse_gate,
)
from mgit.errors import UsageError
from mgit.objects import Gate, decode, encode
from tests.checks.measurements import checked, numbers, shares

metrics = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
versus = st.sampled_from(["previous", "parent"])
gates = st.one_of(
    st.builds(at_least, metrics, numbers),
    st.builds(at_most, metrics, numbers),
    st.builds(no_worse_than, versus, metrics, st.floats(0, 1e6)),
    st.builds(max_negative_flips, shares, versus),
)

TEXTS = {
    'at_least("accuracy", 0.9)': at_least("accuracy", 0.9),
    'at_most("loss", -1.5)': at_most("loss", -1.5),
    'no_worse_than("previous", "mrr")': no_worse_than("previous", "mrr"),
    'no_worse_than("previous", "mrr", margin=0.01)': no_worse_than("previous", "mrr", margin=0.01),
    "max_negative_flips(0.0)": max_negative_flips(0),
    'max_negative_flips(0.02, versus="parent")': max_negative_flips(0.02, versus="parent"),
}
OTHER_WAYS = {
    "at_least('accuracy',0.9)": at_least("accuracy", 0.9),
    '  at_least ( metric = "accuracy" , threshold = 0.9 )\n': at_least("accuracy", 0.9),
    'at_least("accuracy", 1)': at_least("accuracy", 1.0),
    'no_worse_than("previous", "mrr", 0.01)': no_worse_than("previous", "mrr", margin=0.01),
    'max_negative_flips(0, "previous")': max_negative_flips(0.0),
}


def test_a_gate_is_kept_with_all_its_arguments() -> None:
    assert no_worse_than("previous", "mrr") == Gate(
        "no_worse_than", {"versus": "previous", "metric": "mrr", "margin": 0.0}
    )


def test_how_a_number_is_spelt_makes_no_other_gate() -> None:
    whole, broken = checked(at_least("accuracy", 1)), checked(at_least("accuracy", 1.0))

    assert encode(whole) == encode(broken)


@pytest.mark.parametrize("text", TEXTS)
def test_a_gate_is_shown_as_it_is_written(text: str) -> None:
    assert gate_text(TEXTS[text]) == text
    assert parse_gate(text) == TEXTS[text]


@pytest.mark.parametrize("text", OTHER_WAYS)
def test_a_gate_may_be_written_in_other_ways(text: str) -> None:
    assert parse_gate(text) == OTHER_WAYS[text]


@given(gates)
def test_what_is_shown_of_a_gate_is_that_gate(gate: Gate) -> None:
    assert parse_gate(gate_text(gate)) == gate


@given(gates)
def test_a_gate_comes_back_from_a_check_that_travelled(gate: Gate) -> None:
    check = checked(gate)

    assert decode(encode(check)) == check


@given(gates)
def test_a_gate_is_what_its_own_arguments_make(gate: Gate) -> None:
    assert gate_from_call(gate.name, (), gate.arguments) == gate


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no gate"),
        ("at_least", "not a call"),
        ("0.9", "not a call"),
        ("at_least(", "is no gate"),
        ('at_least("accuracy", 0.9) or True', "not a call"),
        ('mgit.at_least("accuracy", 0.9)', "not a call"),
        ('at_least("accuracy", best)', "is no gate"),
        ('at_least("accuracy", float("inf"))', "is no gate"),
        ('at_least("accuracy", __import__("os").getpid())', "is no gate"),
        ('at_least(*["accuracy", 0.9])', "is no gate"),
        ('at_least(**{"metric": "accuracy", "threshold": 0.9})', r"\*\*"),
        ('at_least("accuracy", 0.9, threshold=0.8)', "multiple values"),
        ('at_least("accuracy", threshold=0.8, threshold=0.9)', "an argument twice"),
        ('at_least("accuracy")', "missing a required argument: 'threshold'"),
        ('at_least("accuracy", 0.9, 0.8)', "too many positional"),
        ('at_least("accuracy", 0.9, strict=True)', "unexpected keyword argument 'strict'"),
        ('reaches("accuracy", 0.9)', "no gate is called 'reaches'"),
        ("at_least('accuracy', 0.9)\0", "is no gate"),
        ("(" * 500 + ")" * 500, "is no gate"),
        ("-" * 999 + "1", "is no gate"),
        ("at_least(" + "1" * 1000 + ")", "1,010 characters"),
        ("at_least([[]], {[]: 1})", "is no gate"),
    ],
)
def test_text_that_is_no_gate_is_refused_and_never_run(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        parse_gate(text)

    assert refused.value.hint


def test_an_unknown_gate_is_answered_with_those_there_are() -> None:
    with pytest.raises(UsageError) as refused:
        gate_from_call("reaches", (), {})

    assert refused.value.hint == f"choose from: {', '.join(GATES)}"


def test_a_missing_argument_is_answered_with_what_the_gate_takes() -> None:
    with pytest.raises(UsageError) as refused:
        gate_from_call("no_worse_than", (), {})

    assert refused.value.hint == "it takes: versus: str, metric: str, margin: float = 0.0"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, True, "0.9", None, 10**400, 1j])
def test_a_threshold_is_a_finite_number(number: float) -> None:
    for demand in (at_least, at_most):
        with pytest.raises(UsageError, match=r"threshold is .*, not a number"):
            demand("accuracy", number)


@pytest.mark.parametrize("margin", [-0.01, math.nan, True, "0"])
def test_a_margin_is_not_below_zero(margin: float) -> None:
    with pytest.raises(UsageError, match=r"margin is .*, not a number from 0"):
        no_worse_than("previous", "mrr", margin=margin)


@pytest.mark.parametrize("share", [-0.01, 1.01, 2, math.nan, False])
def test_a_share_is_between_nought_and_one(share: float) -> None:
    with pytest.raises(UsageError, match=r"share is .*, not a number from 0 to 1"):
        max_negative_flips(share)


@pytest.mark.parametrize("metric", ["", "MRR", "my score", "\x1b[2J", "x" * 64, None, 1])
def test_a_score_that_no_check_can_return_is_refused(metric: str) -> None:
    for make in (partial(at_least, metric, 0), partial(no_worse_than, "previous", metric)):
        with pytest.raises(UsageError, match="is not the name of a score"):
            make()


@pytest.mark.parametrize("other", ["", "previos", "upstream", None, 1, ["previous"]])
def test_a_misspelt_baseline_is_refused_since_it_would_always_pass(other: str) -> None:
    for make in (partial(no_worse_than, other, "mrr"), partial(max_negative_flips, 0, other)):
        with pytest.raises(UsageError, match="nothing to compare with") as refused:
            make()
        assert refused.value.hint == "choose from: previous, parent"


def test_a_gate_of_a_later_version_is_shown_with_all_its_arguments() -> None:
    later = Gate("no_drift", {"window": ("a", 2), "metric": "mrr\x1b[2J\n"})
    changed = Gate("at_least", {"metric": "mrr", "threshold": 0.5, "strict": True})

    assert gate_text(later) == r"""no_drift(metric="mrr\u001b[2J\n", window=('a', 2))"""
    assert gate_text(changed) == 'at_least(metric="mrr", strict=True, threshold=0.5)'
