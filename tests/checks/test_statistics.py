"""Exact tests against enumeration and against published numbers."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit.checks.statistics import Interval, mcnemar, paired_bootstrap


def exact_tail(lost: int, won: int) -> Fraction:
    """The share of all ways to lose ``lost`` or more of the items that differ."""
    n = lost + won
    return Fraction(sum(math.comb(n, k) for k in range(lost, n + 1)), 2**n)


# --- McNemar ---


def test_the_loss_is_weighed_as_by_counting_all_ways() -> None:
    for lost, won in itertools.product(range(41), repeat=2):
        assert mcnemar(lost, won) == pytest.approx(float(exact_tail(lost, won)), rel=1e-12)


@pytest.mark.parametrize(
    ("lost", "won"), [(520, 480), (600, 400), (1000, 0), (500, 500), (90, 910)]
)
def test_a_thousand_items_are_weighed_as_exactly(lost: int, won: int) -> None:
    assert mcnemar(lost, won) == pytest.approx(float(exact_tail(lost, won)), rel=1e-12)


def test_a_million_items_are_weighed_as_by_the_normal_distribution() -> None:
    deviations = 3.0
    lost = 500_000 + round(deviations * 500)

    expected = 0.5 * math.erfc((deviations - 0.5 / 500) / math.sqrt(2))

    assert mcnemar(lost, 1_000_000 - lost) == pytest.approx(expected, rel=1e-4)


def test_one_sided_five_to_nil_is_the_first_that_is_hardly_chance() -> None:
    assert mcnemar(5, 0) == pytest.approx(1 / 32)
    assert mcnemar(4, 0) == pytest.approx(1 / 16)
    assert mcnemar(0, 5) == mcnemar(0, 0) == 1.0


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_losing_more_is_never_more_probable(lost: int, won: int) -> None:
    assert 0 <= mcnemar(lost + 1, won) <= mcnemar(lost, won) <= mcnemar(lost, won + 1) <= 1


@given(st.integers(1, 300), st.integers(0, 300))
def test_this_many_or_fewer_lost_is_all_there_is(lost: int, won: int) -> None:
    at_least, fewer_seen_from_the_other_side = mcnemar(lost, won), mcnemar(won + 1, lost - 1)

    assert at_least + fewer_seen_from_the_other_side == pytest.approx(1)


def test_counts_below_zero_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="-1 items lost"):
        mcnemar(-1, 0)


# --- bootstrap ---


def test_the_interval_is_that_of_all_possible_resamples() -> None:
    differences = [-3.0, -1.0, 0.5, 4.0]
    means = sorted(sum(drawn) / 4 for drawn in itertools.product(differences, repeat=4))
    low, high = means[math.floor(0.1 * 256)], means[math.floor(0.9 * 256)]

    interval = paired_bootstrap(differences, confidence=0.8, resamples=100_000)

    assert interval == Interval(low, high)


def test_the_interval_of_many_items_is_that_of_the_normal_distribution() -> None:
    differences = np.random.default_rng(7).normal(0.3, 2.0, size=5_000)  # more than one block
    error = differences.std() / math.sqrt(len(differences))

    interval = paired_bootstrap(list(differences), confidence=0.9)

    assert interval.low == pytest.approx(differences.mean() - 1.645 * error, abs=0.1 * error)
    assert interval.high == pytest.approx(differences.mean() + 1.645 * error, abs=0.1 * error)


def test_the_interval_is_the_same_each_time_and_another_for_another_seed() -> None:
    differences = list(np.random.default_rng(1).normal(size=50))

    first, second = (paired_bootstrap(differences, confidence=0.9) for _ in range(2))

    assert first == second
    assert first != paired_bootstrap(differences, confidence=0.9, seed=1)


def test_so_many_resamples_are_drawn_as_asked_for() -> None:
    interval = paired_bootstrap([1.0, 2.0, 4.0], confidence=0.9, resamples=1)

    assert interval.low == interval.high


@given(st.floats(-1000, 1000, width=16), st.integers(1, 30))
def test_where_all_items_differ_alike_nothing_is_left_to_chance(each: float, count: int) -> None:
    interval = paired_bootstrap([each] * count, confidence=0.9, resamples=50)

    assert [interval.low, interval.high] == pytest.approx([each, each])


@pytest.mark.parametrize(("differences", "confidence"), [([], 0.9), ([1.0], 0.0), ([1.0], 1.0)])
def test_an_interval_of_nothing_is_a_mistake_of_the_caller(
    differences: list[float], confidence: float
) -> None:
    with pytest.raises(ValueError, match="confidence"):
        paired_bootstrap(differences, confidence=confidence)
