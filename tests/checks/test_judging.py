"""What gates say of one model, and what a check makes of its gates."""

import pytest
from hypothesis import given

from mgit.checks import (
    GATES,
    Verdict,
    at_least,
    at_most,
    judge,
    max_negative_flips,
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
    numbers,
    scored,
    told,
)

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
