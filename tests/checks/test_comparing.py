"""What gates say of a model beside others.

base@v1      qa@v1 ── qa@v2 ── qa@v3 (judged; a merge of two has both as previous versions)
"""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit.checks import (
    Measured,
    Samples,
    Verdict,
    judge,
    max_negative_flips,
    measured_from,
    no_worse_than,
)
from mgit.objects import Gate
from tests.checks.measurements import (
    FAIL,
    INCONCLUSIVE,
    PASS,
    answered,
    badness,
    checked,
    families,
    judged,
    scored,
    shares,
    told,
    valued,
)

# --- against other models ---


@pytest.mark.parametrize("gate", [no_worse_than("previous", "mrr"), max_negative_flips(0)])
def test_a_first_version_has_nothing_to_be_compared_with(gate: Gate) -> None:
    expected = (PASS, "nothing to compare with: no previous version")

    assert told(gate, scored(mrr=0.5)) == expected
    assert judge(checked(gate), scored(mrr=0.5), {}).sentences == expected[1:]


def test_a_gate_looks_at_the_baseline_that_it_names() -> None:
    gate = no_worse_than("parent", "mrr")
    good, bad = scored(mrr=0.9), scored(mrr=0.1)

    assert judged(gate, scored(mrr=0.5), previous=[good], parent=[bad]).verdict is PASS
    assert judged(gate, scored(mrr=0.5), previous=[bad], parent=[good]).verdict is FAIL
    assert judged(gate, scored(mrr=0.5), previous=[good]).sentences == (
        "nothing to compare with: no parent",
    )


@pytest.mark.parametrize(
    ("score", "margin", "verdict", "sentence"),
    [
        (0.75, 0, PASS, "mrr 0.750, qa@v1 has 0.715"),
        (0.715, 0, PASS, "mrr 0.715, qa@v1 has 0.715"),
        (0.71, 0.01, PASS, "mrr 0.710, qa@v1 has 0.715, at least 0.705"),
        (0.7049, 0.01, FAIL, "mrr 0.7049, qa@v1 has 0.7150, at least 0.7050; not measured on"),
        (0.71499, 0, FAIL, "mrr 0.71499, qa@v1 has 0.71500; not measured on"),
    ],
)
def test_a_score_is_compared_with_that_of_the_previous_version(
    score: float, margin: float, verdict: Verdict, sentence: str
) -> None:
    found = told(no_worse_than("previous", "mrr", margin), scored(mrr=score), scored(mrr=0.715))

    assert found[0] is verdict
    assert found[1].startswith(sentence)


def test_a_margin_means_what_it_says_in_decimals() -> None:
    gate = no_worse_than("previous", "accuracy", margin=0.1)

    assert 0.8 - 0.1 > 0.7
    assert told(gate, answered("r" * 7 + "w" * 3), answered("r" * 8 + "w" * 2))[0] is PASS


def test_a_loss_by_few_items_that_changed_sides_is_inconclusive() -> None:
    before, now = answered("r" * 4 + "w" * 3 + "r" * 93), answered("w" * 4 + "r" * 3 + "r" * 93)

    assert told(no_worse_than("previous", "accuracy"), now, before) == (
        INCONCLUSIVE,
        "accuracy 0.960, qa@v1 has 0.970; may be chance: 4 items lost and 3 won (p = 0.5)",
    )


@pytest.mark.parametrize(
    ("lost", "won", "verdict"),
    [(4, 0, INCONCLUSIVE), (5, 0, FAIL), (8, 2, INCONCLUSIVE), (20, 10, FAIL)],
)
def test_chance_is_a_loss_that_comes_up_more_than_once_in_twenty(
    lost: int, won: int, verdict: Verdict
) -> None:
    before, now = answered("r" * lost + "w" * won), answered("w" * lost + "r" * won)

    assert told(no_worse_than("previous", "accuracy"), now, before)[0] is verdict


def test_the_same_loss_without_anything_won_is_hardly_chance() -> None:
    before, now = answered("r" * 100), answered("w" * 5 + "r" * 95)

    assert told(no_worse_than("previous", "accuracy"), now, before) == (
        FAIL,
        "accuracy 0.950, qa@v1 has 1.000; hardly chance: 5 items lost and 0 won (p = 0.031)",
    )


def test_a_loss_in_a_mean_is_weighed_by_the_items_behind_it() -> None:
    noise = random.Random(3)  # noqa: S311
    before = [noise.gauss(0, 1) for _ in range(200)]
    slightly = [number - 0.01 + noise.gauss(0, 1) for number in before]
    clearly = [number - 0.5 + noise.gauss(0, 1) for number in before]
    gate = no_worse_than("previous", "mrr")

    chance = told(gate, valued(mrr=slightly), valued(mrr=before))
    loss = told(gate, valued(mrr=clearly), valued(mrr=before))

    assert (chance[0], loss[0]) == (INCONCLUSIVE, FAIL)
    assert "; may be chance: the difference is -" in chance[1]
    assert "; hardly chance: the difference is -" in loss[1]


def test_values_tell_more_than_the_flags_beside_them() -> None:
    before = answered("rw" * 50, mrr=[0.5] * 100)
    now = answered("rw" * 50, mrr=[0.4] * 100)

    assert told(no_worse_than("previous", "mrr"), now, before)[0] is FAIL
    assert told(no_worse_than("previous", "accuracy"), now, before)[0] is PASS


@pytest.mark.parametrize(
    "now",
    [
        scored(accuracy=0.5),
        answered("rwrw" * 2),
        measured_from(Samples([True, False, True, False], metric="exact_match")),
        valued(accuracy=[1.0, 0.0, 1.0, 0.0]),
        valued(mrr=[0.0, 1.0, 0.0]),
    ],
)
def test_a_loss_is_one_if_chance_cannot_be_told(now: Measured) -> None:
    (metric,) = now.scores
    before = {
        "accuracy": answered("rrrw"),
        "exact_match": answered("rrrw", exact_match=[0.9] * 4),
        "mrr": valued(mrr=[1.0, 0.0, 1.0, 0.0]),
    }
    gate = no_worse_than("previous", metric)

    verdict, sentence = told(gate, now, before[metric])

    assert verdict is FAIL
    assert sentence.endswith(
        "; not measured on the same items, so that chance cannot be told from loss"
    )


def test_a_baseline_without_the_score_fails() -> None:
    assert told(no_worse_than("previous", "mrr"), scored(mrr=0.5), scored(f1=0.5)) == (
        FAIL,
        "qa@v1: mrr was not measured, only f1",
    )


@given(families(), shares, shares)
def test_a_wider_margin_never_hurts(family: list[Measured], one: float, other: float) -> None:
    before, now = family
    low, high = (no_worse_than("previous", "accuracy", margin) for margin in sorted([one, other]))

    assert badness(low, now, before) >= badness(high, now, before)


@given(families())
def test_a_share_is_never_worse_by_more_than_one(family: list[Measured]) -> None:
    before, now = family

    assert told(no_worse_than("previous", "accuracy", margin=1.0), now, before)[0] is PASS


@given(families())
def test_of_two_models_one_is_no_worse_than_the_other(family: list[Measured]) -> None:
    one, other = family
    gate = no_worse_than("previous", "mrr")

    assert PASS in {told(gate, one, other)[0], told(gate, other, one)[0]}


@given(families(models=1))
def test_a_model_is_no_worse_than_itself(family: list[Measured]) -> None:
    (model,) = family

    for gate in (no_worse_than("previous", "mrr"), max_negative_flips(0)):
        assert told(gate, model, model)[0] is PASS


# --- negative flips ---


@pytest.mark.parametrize(
    ("share", "verdict", "sentence"),
    [
        (0, FAIL, "2 of 256 items that were right are wrong now (0.8 %), at most 0.0 %"),
        (0.0078, FAIL, "2 of 256 items that were right are wrong now (0.781 %), at most 0.780 %"),
        (2 / 256, PASS, "2 of 256 items that were right are wrong now (0.8 %), at most 0.8 %"),
        (0.02, PASS, "2 of 256 items that were right are wrong now (0.8 %), at most 2.0 %"),
    ],
)
def test_what_was_right_and_is_wrong_is_counted_against_all_items(
    share: float, verdict: Verdict, sentence: str
) -> None:
    before, now = answered("rr" + "w" * 54 + "r" * 200), answered("ww" + "r" * 54 + "r" * 200)

    assert told(max_negative_flips(share), now, before) == (verdict, sentence)


@pytest.mark.parametrize(
    ("now", "before", "why"),
    [
        (scored(accuracy=1), answered("rw"), "of this model it is not known which items are right"),
        (answered("rr"), scored(accuracy=0), "of qa@v1 it is not known which items are right"),
        (answered("rr"), valued(mrr=[0.0] * 2), "of qa@v1 it is not known which items are right"),
        (answered("rrr"), answered("ww"), "3 items now, 2 then"),
        (
            answered("rr"),
            measured_from(Samples([False, False], metric="f1")),
            "accuracy now, f1 then",
        ),
    ],
)
def test_flips_that_cannot_be_counted_fail_however_many_are_allowed(
    now: Measured, before: Measured, why: str
) -> None:
    assert told(max_negative_flips(1.0), now, before) == (
        FAIL,
        f"cannot be compared with qa@v1: {why}",
    )


@given(families(), shares, shares)
def test_allowing_more_flips_never_hurts(family: list[Measured], one: float, other: float) -> None:
    before, now = family
    low, high = (max_negative_flips(share) for share in sorted([one, other]))

    assert badness(low, now, before) >= badness(high, now, before)


# --- several baselines ---

SEVERAL: dict[str, Callable[[], Gate]] = {
    "score": lambda: no_worse_than("previous", "accuracy"),
    "mean": lambda: no_worse_than("previous", "mrr", margin=5.0),
    "flips": lambda: max_negative_flips(0.1),
}


@pytest.mark.parametrize("gate", SEVERAL)
@given(family=families(models=4), seed=st.randoms(use_true_random=False))
def test_the_order_of_previous_versions_does_not_matter(
    gate: str, family: list[Measured], seed: random.Random
) -> None:
    now, *previous = family
    titled = [(f"qa@v{number}", each) for number, each in enumerate(previous, 1)]
    shuffled = list(titled)
    seed.shuffle(shuffled)
    check = checked(SEVERAL[gate]())

    first, second = (judge(check, now, {"previous": each}) for each in (titled, shuffled))

    assert first == second


@pytest.mark.parametrize("gate", SEVERAL)
@given(family=families(models=4))
def test_of_several_previous_versions_the_worst_counts(gate: str, family: list[Measured]) -> None:
    now, *previous = family
    demand = SEVERAL[gate]()

    alone = [badness(demand, now, each) for each in previous]

    assert badness(demand, now, *previous) == max(alone)


def test_of_two_that_both_pass_the_closer_one_is_told() -> None:
    gate = no_worse_than("previous", "mrr")

    for previous in ([0.1, 0.4], [0.4, 0.1]):
        verdict, sentence = told(gate, scored(mrr=0.5), *(scored(mrr=score) for score in previous))

        assert verdict is PASS
        assert sentence.endswith("has 0.400")
