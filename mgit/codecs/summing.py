"""Finds the sum of other chunks that a chunk is. It decides nothing that a reader must repeat."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt

from mgit.codecs import derived
from mgit.codecs.floats import F64, Float, are_finite, values_of
from mgit.codecs.lanes import Lanes
from mgit.codecs.sums import MAX_BASES, Formula, Steps, Sum

_ORDERED_AT_MOST = 4  # bases whose every order is tried
_LEAST_GAIN = 2.0  # bits an element by which a sum must be nearer than the nearest base
_TOLERANCES = (1e-4, 0.1)  # least and most that a weight may be off
_PARTS = (*range(1, 13), 16, 20, 50, 100, 1000)  # of one, that weights are written in
_ROUNDS = 3
_FEW, _MANY = (64, 16), (256, 128)  # stretches of a sample, elements in each
_PART = 8  # one of so many elements of the larger sample is looked at first

Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Found:
    """A sum, and places of its bases in what was given."""

    rule: Sum
    bases: tuple[int, ...]


def find(child: Lanes, parents: Sequence[Lanes], form: Float) -> Found | None:
    """Returns how ``child`` is computed from two or more of ``parents``, all of shape (n,).

    A few elements tell whether there is anything to be found, many what it is.
    """
    if not 2 <= len(parents) <= MAX_BASES:
        return None
    places = _spread(len(child), *_FEW)
    if _fitting(child[places], [bits[places] for bits in parents], form) is None:
        return None
    places = _spread(len(child), *_MANY)
    return _refined(child[places], [bits[places] for bits in parents], form)


def _refined(child: Lanes, parents: Sequence[Lanes], form: Float) -> Found | None:
    """Returns what gives most of a sample; of what it got wrong more is looked at."""
    places = np.arange(0, len(child), _PART)
    best, least = None, len(child) // 2
    for _ in range(_ROUNDS):
        found = _fitting(child[places], [bits[places] for bits in parents], form)
        if found is None:
            break
        wrong = _wrong(found, child, parents)
        if len(wrong) < least:
            best, least = found, len(wrong)
        if not len(wrong):
            break
        places = _with_some(places, wrong)
    return best


def _wrong(found: Found, child: Lanes, parents: Sequence[Lanes]) -> Places:
    guess = found.rule.of([parents[place] for place in found.bases])
    return np.flatnonzero(guess != child)


def _with_some(places: Places, wrong: Places) -> Places:
    """Returns half of the places and as many of the others."""
    half = len(places) // 2
    return np.concatenate([places[::2], wrong[:: max(len(wrong) // half, 1)][:half]])


def _spread(count: int, stretches: int, length: int) -> Places:
    """Returns the places of a sample: short stretches of a chunk of ``count`` elements."""
    starts = np.linspace(0, max(count - length, 0), min(count, stretches)).astype(np.intp)
    places: Places = np.minimum(starts[:, None] + np.arange(length), count - 1)
    return places.ravel()


def _fitting(here: Lanes, there: Sequence[Lanes], form: Float) -> Found | None:
    if not all(are_finite(bits, form).all() for bits in (here, *there)):
        return None
    with np.errstate(all="ignore"):
        solved = _weights(here, there, form)
    if solved is None:
        return None
    weights, tolerance = solved
    used = tuple(np.flatnonzero(np.abs(weights) > tolerance).tolist())
    nearest = min(derived.distance(here, bits) for bits in there)
    rule = Sum(form, Formula.WEIGHTED, Steps.DOUBLE, tuple(weights.tolist()))
    distance = derived.distance(here, rule.of(there))
    is_alone = len(used) < 2 and tolerance < _TOLERANCES[1]
    if is_alone or distance > max(nearest - _LEAST_GAIN, nearest / 2):
        return None
    best = Found(rule, tuple(range(len(there))))
    for found in _candidates(weights, used, form, tolerance):
        guess = found.rule.of([there[place] for place in found.bases])
        if np.array_equal(guess, here):
            return found
        tried = derived.distance(here, guess)
        if tried < distance:
            best, distance = found, tried
    return best


def _weights(
    child: Lanes, parents: Sequence[Lanes], form: Float
) -> tuple[npt.NDArray[np.float64], float] | None:
    """Returns the weights of least squares, and how far off they may be; None where they overflow.

    Parents of one family are nearly equal. So the change from the first one is taken apart into
    their changes from it, which are not, and each column has length one.
    """
    first, *others = [values_of(bits, form) for bits in parents]
    columns = np.stack([*(other - first for other in others), first], axis=1)
    lengths = np.sqrt(np.sum(columns * columns, axis=0))
    if not np.isfinite(lengths).all():
        return None
    lengths[lengths == 0] = 1
    change = values_of(child, form) - first
    solved, _, _, singular = np.linalg.lstsq(columns / lengths, change, rcond=None)
    solved /= lengths
    errors = 4 * derived.rounding(child, form) / lengths[:-1] / max(float(singular[-1]), 1e-30)
    weights = np.concatenate([[1 + solved[-1] - solved[:-1].sum()], solved[:-1]])
    return weights, float(np.clip(errors.max(), *_TOLERANCES))


def _candidates(
    weights: npt.NDArray[np.float64], used: tuple[int, ...], form: Float, tolerance: float
) -> Iterator[Found]:
    steps = [Steps.OWN, Steps.DOUBLE] if form.lane >= 4 else [*Steps]
    steps = [Steps.OWN] if form == F64 else steps
    for places in _evenly(weights, used, tolerance):
        for order in _orders(places):
            yield from (Found(Sum(form, Formula.MEAN, step), order) for step in steps)
    if len(used) < 2:
        return
    chosen = weights[list(used)]
    for base in used:
        others = tuple(place for place in used if place != base)
        for weight in _common(weights[list(others)], weights[base], tolerance):
            rules = (Sum(form, Formula.TASKS, step, (weight,)) for step in steps)
            yield from (Found(rule, (base, *others)) for rule in rules)
    for nice in _nice(chosen, tolerance):
        weight_of = dict(zip(used, nice, strict=True))
        for order in _orders(used):
            ordered = tuple(weight_of[place] for place in order)
            rules = (Sum(form, Formula.WEIGHTED, step, ordered) for step in steps)
            yield from (Found(rule, order) for rule in rules)


def _evenly(
    weights: npt.NDArray[np.float64], used: tuple[int, ...], tolerance: float
) -> Iterator[tuple[int, ...]]:
    """Yields places of parents that may have equal weights."""
    if tolerance == _TOLERANCES[1]:  # they are nearly in line, so that any weights fit
        yield tuple(range(len(weights)))
    if len(used) > 1 and np.abs(weights[list(used)] - 1 / len(used)).max() < tolerance:
        yield used


def _orders(places: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yields orders in which adding may round differently: the first two may change places."""
    if len(places) > _ORDERED_AT_MOST:
        yield places
        return
    yield from (order for order in permutations(places) if order[0] < order[1])


def _common(others: npt.NDArray[np.float64], base: np.float64, tolerance: float) -> Iterator[float]:
    """Yields the one weight of all tasks, if the base has what remains of one."""
    mean = others.mean(keepdims=True)
    rest = abs(base + others.sum() - 1)
    if np.abs(others - mean).max() < tolerance and rest < tolerance * len(others):
        yield from (nice[0] for nice in _nice(mean, tolerance))


def _nice(weights: npt.NDArray[np.float64], tolerance: float) -> Iterator[tuple[float, ...]]:
    """Yields what somebody may have written for these weights: fractions of a small number."""
    seen = set()
    for parts in _PARTS:
        nice = tuple((np.rint(weights * parts) / parts).tolist())
        if nice not in seen and np.abs(np.array(nice) - weights).max() < tolerance:
            seen.add(nice)
            yield nice
