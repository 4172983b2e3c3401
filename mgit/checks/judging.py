"""How each gate is judged: measurements in, a verdict and one sentence with the numbers out.

A comparison that cannot be made fails and says why; only where there is nothing to compare with
does it pass. Refuses to know how gates are written, and where measurements come from.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from operator import ge, le, sub
from typing import TypeAlias

from mgit.checks.scores import Measured, flips
from mgit.checks.statistics import mcnemar, paired_bootstrap

ALPHA = 0.05  # how often a loss that is chance may fail a gate
_DIGITS = 12  # as far as numbers are compared: 0.8 less 0.1 is 0.7 for people, not in binary
_LARGE = 1e9  # from here on numbers are written with an exponent

# What a gate may compare with -> what is said where there is none.
VERSUS: Mapping[str, str] = {"previous": "no previous version", "parent": "no parent"}

# Key of VERSUS -> title and measurement of each; a merge has several previous versions.
Baselines: TypeAlias = Mapping[str, Sequence[tuple[str, Measured]]]


class Verdict(Enum):
    """What a gate says, from good to bad."""

    PASS = "pass"  # noqa: S105
    INCONCLUSIVE = "inconclusive"  # worse, and it may be chance
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one gate.

    Attributes:
        verdict: The answer.
        sentence: Why, with the numbers.
    """

    verdict: Verdict
    sentence: str


@dataclass(frozen=True, slots=True)
class _Compared:
    """The finding against one of several baselines, and how large the loss is."""

    finding: Finding
    loss: float

    @property
    def badness(self) -> tuple[int, float, str]:
        return list(Verdict).index(self.finding.verdict), self.loss, self.finding.sentence


def judge_at_least(
    measured: Measured, baselines: Baselines, *, metric: str, threshold: float
) -> Finding:
    """Returns whether a score is no smaller than ``threshold``."""
    del baselines
    return _compare_with_number(measured, metric, "at least", threshold, holds=ge)


def judge_at_most(
    measured: Measured, baselines: Baselines, *, metric: str, threshold: float
) -> Finding:
    """Returns whether a score is no larger than ``threshold``."""
    del baselines
    return _compare_with_number(measured, metric, "at most", threshold, holds=le)


def judge_no_worse_than(
    measured: Measured, baselines: Baselines, *, versus: str, metric: str, margin: float
) -> Finding:
    """Returns whether a score is no smaller than that of each baseline, less ``margin``.

    A loss beyond the margin fails, unless both were measured item by item and items change sides so
    often that the loss may be chance: then nothing is concluded.
    """
    if metric not in measured.scores:
        return _unmeasured(metric, measured)
    return _worst(
        versus,
        [
            _compare_scores(measured, before, title, metric=metric, margin=margin)
            for title, before in baselines.get(versus, ())
        ],
    )


def judge_max_negative_flips(
    measured: Measured, baselines: Baselines, *, share: float, versus: str
) -> Finding:
    """Returns whether at most a ``share`` of all items was right in a baseline and is wrong now."""
    return _worst(
        versus,
        [
            _compare_items(measured, before, title, share=share)
            for title, before in baselines.get(versus, ())
        ],
    )


def _compare_with_number(
    measured: Measured,
    metric: str,
    relation: str,
    bound: float,
    *,
    holds: Callable[[float, float], bool],
) -> Finding:
    if metric not in measured.scores:
        return _unmeasured(metric, measured)
    score = measured.scores[metric]
    told, told_bound = _told_apart(score, bound)
    verdict = Verdict.PASS if holds(_rounded(score), _rounded(bound)) else Verdict.FAIL
    return Finding(verdict, f"{metric} {told}, {relation} {told_bound}")


def _unmeasured(metric: str, measured: Measured) -> Finding:
    known = ", ".join(sorted(measured.scores))
    return Finding(Verdict.FAIL, f"{metric} was not measured, only {known}")


def _worst(versus: str, compared: list[_Compared]) -> Finding:
    if not compared:
        return Finding(Verdict.PASS, f"nothing to compare with: {VERSUS[versus]}")
    return max(compared, key=lambda one: one.badness).finding


def _compare_scores(
    now: Measured, before: Measured, title: str, *, metric: str, margin: float
) -> _Compared:
    if metric not in before.scores:
        finding = _unmeasured(metric, before)
        return _Compared(Finding(Verdict.FAIL, f"{title}: {finding.sentence}"), float("inf"))
    new, old = now.scores[metric], before.scores[metric]
    told, told_old, told_bound = _told_apart(new, old, old - margin)
    sentence = f"{metric} {told}, {title} has {told_old}"
    if margin:
        sentence += f", at least {told_bound}"
    if _rounded(new) >= _rounded(old - margin):
        return _Compared(Finding(Verdict.PASS, sentence), old - new)
    verdict, reason = _chance(now, before, metric)
    return _Compared(Finding(verdict, f"{sentence}; {reason}"), old - new)


def _chance(now: Measured, before: Measured, metric: str) -> tuple[Verdict, str]:
    """Returns what a loss is worth, and why."""
    changed = flips(before, now)
    if changed is not None and metric == now.metric:
        probability = mcnemar(changed.lost, changed.won)
        told = f"{changed.lost} items lost and {changed.won} won (p = {probability:.2g})"
        return _concluded(told, is_chance=probability > ALPHA)
    if metric in now.values and metric in before.values and now.count == before.count:
        differences = list(map(sub, now.numbers(metric), before.numbers(metric)))
        mean = paired_bootstrap(differences, confidence=1 - 2 * ALPHA)
        told = f"the difference is {mean.low:+.3g} to {mean.high:+.3g} (90 % of resamples)"
        return _concluded(told, is_chance=mean.high >= 0)
    return Verdict.FAIL, "not measured on the same items, so that chance cannot be told from loss"


def _concluded(told: str, *, is_chance: bool) -> tuple[Verdict, str]:
    if is_chance:
        return Verdict.INCONCLUSIVE, f"may be chance: {told}"
    return Verdict.FAIL, f"hardly chance: {told}"


def _compare_items(now: Measured, before: Measured, title: str, *, share: float) -> _Compared:
    changed = flips(before, now)
    if changed is None:
        why = _why_not_paired(now, before, title)
        return _Compared(Finding(Verdict.FAIL, f"cannot be compared with {title}: {why}"), 1.0)
    lost = changed.lost / changed.count
    told, told_share = _told_apart(100 * lost, 100 * share, places=1)
    verdict = Verdict.PASS if _rounded(lost) <= _rounded(share) else Verdict.FAIL
    sentence = (
        f"{changed.lost} of {changed.count} items that were right are wrong now ({told} %),"
        f" at most {told_share} %"
    )
    return _Compared(Finding(verdict, sentence), lost)


def _why_not_paired(now: Measured, before: Measured, title: str) -> str:
    for who, measured in (("this model", now), (title, before)):
        if measured.correct is None:
            return f"of {who} it is not known which items are right"
    if now.count != before.count:
        return f"{now.count} items now, {before.count} then"
    return f"{now.metric} now, {before.metric} then"


def _rounded(number: float) -> float:
    return float(f"{number:z.{_DIGITS}g}")  # z: no negative zero


def _told_apart(*numbers: float, places: int = 3) -> list[str]:
    """Returns numbers as text, with as many places as different ones need to look different.

    Else a sentence could say that 0.700 is not at least 0.700.
    """
    rounded = [_rounded(number) for number in numbers]
    if max(map(abs, rounded)) < _LARGE:
        for shown in range(places, _DIGITS + 1):
            told = [f"{number:z.{shown}f}" for number in rounded]
            if len(set(told)) == len(set(rounded)):
                return told
    return [repr(number) for number in rounded]
