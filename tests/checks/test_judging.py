"""What gates say of measurements.

base@v1      qa@v1 ── qa@v2 ── qa@v3 (judged; a merge of two has both as previous versions)
"""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit.checks import (
    GATES,
    Measured,
    Samples,
    Verdict,
    at_least,
    at_most,
    judge,
    max_negative_flips,
    measured_from,
    no_worse_than,
)
from mgit.objects import Gate
from tests.checks.measurements import (
    answered,
    checked,
    families,
    judged,
    numbers,
    scored,
    shares,
    valued,
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


# --- against a number ---


@pytest.mark.parametrize(
    ("gate", "score", "verdict", "sentence"),
    [
        (at_least("mrr", 0.7), 0.731, PASS, "mrr 0.731, at least 0.700"),
        (at_least("mrr", 0.7), 0.7, PASS, "mrr 0.700, at least 0.700"),
        (at_least("mrr", 0.7), 0.65, FAIL, "mrr 0.650, at least 0.700"),
        (at_least("mrr", 0.7), 0.69999, FAIL, "mrr 0.69999, at least 0.70000"),
        (at_least("mrr", 0.7), 0.7 - 1e-16, PASS, "mrr 0.700, at least 0.700"),
        (at_least("mrr", 0.0), -1e-30, FAIL, "mrr -1e-30, at least 0.0"),
        (at_most("mrr", 2), 1.5, PASS, "mrr 1.500, at most 2.000"),
        (at_most("mrr", 2), 2.0, PASS, "mrr 2.000, at most 2.000"),
        (at_most("mrr", 2), 2.0004, FAIL, "mrr 2.0004, at most 2.0000"),
        (at_most("mrr", 2), 1e300, FAIL, "mrr 1e+300, at most 2.0"),
    ],
)
def test_a_score_is_compared_with_a_number(
    gate: Gate, score: float, verdict: Verdict, sentence: str
) -> None:
    assert told(gate, scored(mrr=score)) == (verdict, sentence)


@given(numbers, numbers, numbers)
def test_demanding_more_never_helps(score: float, one: float, other: float) -> None:
    low, high = sorted([one, other])
    measured = scored(mrr=score)

    assert badness(at_least("mrr", low), measured) <= badness(at_least("mrr", high), measured)
    assert badness(at_most("mrr", low), measured) >= badness(at_most("mrr", high), measured)


@given(numbers, numbers)
def test_at_least_and_at_most_agree_only_on_the_number_itself(score: float, bound: float) -> None:
    verdicts = {told(gate("mrr", bound), scored(mrr=score))[0] for gate in (at_least, at_most)}

    assert verdicts == ({PASS, FAIL} if score != pytest.approx(bound, rel=1e-11, abs=0) else {PASS})


@pytest.mark.parametrize(
    "gate", [at_least("f1", 0), at_most("f1", 1), no_worse_than("previous", "f1")]
)
def test_a_score_that_was_not_measured_fails_with_those_that_were(gate: Gate) -> None:
    assert told(gate, scored(mrr=0.5, accuracy=0.5), scored(f1=0.1)) == (
        FAIL,
        "f1 was not measured, only accuracy, mrr",
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
    ],
)
def test_a_loss_is_one_if_chance_cannot_be_told(now: Measured) -> None:
    gate = no_worse_than("previous", now.metric or "accuracy")
    before = answered("rrrw") if now.metric != "exact_match" else scored(exact_match=0.75)

    verdict, sentence = told(gate, now, before)

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


# --- the whole check ---


def test_a_check_without_gates_passes_and_says_so() -> None:
    judgement = judge(checked(), scored(mrr=0.5), {})

    assert (judgement.verdict, judgement.sentences) == (PASS, ("no gate",))


@pytest.mark.parametrize(
    ("verdicts", "overall"),
    [
        ([PASS, PASS], PASS),
        ([PASS, INCONCLUSIVE], INCONCLUSIVE),
        ([INCONCLUSIVE, PASS], INCONCLUSIVE),
        ([FAIL, INCONCLUSIVE, PASS], FAIL),
        ([PASS, INCONCLUSIVE, FAIL], FAIL),
    ],
)
def test_the_worst_gate_decides(verdicts: list[Verdict], overall: Verdict) -> None:
    before, now = answered("r" * 9 + "w"), answered("w" + "r" * 8 + "w")
    gates = {
        PASS: at_least("accuracy", 0.5),
        INCONCLUSIVE: no_worse_than("previous", "accuracy"),
        FAIL: max_negative_flips(0),
    }
    check = checked(*(gates[verdict] for verdict in verdicts))

    judgement = judge(check, now, {"previous": [("qa@v1", before)]})

    assert [finding.verdict for _, finding in judgement.findings] == verdicts
    assert [gate for gate, _ in judgement.findings] == list(check.gates)
    assert judgement.verdict is overall


@pytest.mark.parametrize(
    ("gate", "sentence"),
    [
        (Gate("no_drift", {"window": 3}), "no_drift(window=3) cannot be judged: no gate is called"),
        (
            Gate("at_least", {"metric": "mrr"}),
            'at_least(metric="mrr") cannot be judged: at_least: missing a required argument',
        ),
        (
            Gate("at_least", {"metric": "mrr", "threshold": "low"}),
            'at_least("mrr", "low") cannot be judged: threshold is',
        ),
        (
            Gate("no_worse_than", {"versus": "nobody", "metric": "mrr", "margin": 0.0}),
            'no_worse_than("nobody", "mrr") cannot be judged: nothing to compare with',
        ),
        (Gate("max_negative_flips", {"share": 2}), "max_negative_flips(share=2) cannot be judged"),
    ],
)
def test_a_gate_of_a_stranger_that_is_not_understood_fails(gate: Gate, sentence: str) -> None:
    verdict, said = told(gate, scored(mrr=0.5))

    assert verdict is FAIL
    assert said.startswith(sentence)


def test_each_gate_is_made_under_its_own_name_and_judged_by_its_own_parameters() -> None:
    made = {
        "at_least": at_least("mrr", 0),
        "at_most": at_most("mrr", 0),
        "no_worse_than": no_worse_than("previous", "mrr"),
        "max_negative_flips": max_negative_flips(0),
    }

    assert GATES.keys() == made.keys()
    for name, gate in made.items():
        assert (gate.name, list(gate.arguments)) == (name, list(GATES[name].parameters))
