"""Finds the update of low rank between two chunks, if there is one.

It decides nothing that a reader must repeat: what is found stands in the body.
"""

import math
from dataclasses import replace

import numpy as np

from mgit.codecs import derived
from mgit.codecs.floats import Float, values_of
from mgit.codecs.lanes import Lanes
from mgit.codecs.low_rank import EXACT, MAX_SCALE, MAX_SHIFT, Matrix, Shifts, Update

_LARGEST_RANK = 64
_TEST_ROWS, _TEST_COLUMNS = 80, 160
_LEAST_ROWS = 16
_SEED = 0
_LEAST_SIGNAL = 64  # times the variance of rounding that a change has, or nothing can be gained
_LARGEST_CHANGE = 1e100  # so that its square is finite; also NaN is not below it
_TRIED_ELEMENTS = 1 << 15
_LEAST_GAIN = 2.0  # bits an element by which the update must bring the base nearer


def find(child: Lanes, parent: Lanes, form: Float, columns: int) -> Update | None:
    """Returns the update that makes ``parent`` near ``child``, shapes (n,), or None.

    A stretch of the difference is tested first: rows of a matrix of low rank are combinations of a
    few of them, so that what is left of the last ones after Cholesky's elimination is rounding.
    """
    rows = len(child) // columns
    if min(rows, columns) < _LEAST_ROWS or len(child) % columns:
        return None
    here, there = child.reshape(rows, columns), parent.reshape(rows, columns)
    chosen = np.linspace(0, rows - 1, min(rows, _TEST_ROWS)).astype(int)
    first = max(columns - _TEST_COLUMNS, 0) // 2
    part = np.s_[chosen, first : first + _TEST_COLUMNS]
    with np.errstate(all="ignore"):
        if not _may_be_low(here[part], there[part], form):
            return None
        change = _change(here, there, form)
        if not np.abs(change).max() < _LARGEST_CHANGE:
            return None
        noise = 2 * derived.rounding(child, form) * (math.sqrt(rows) + math.sqrt(columns))
        update = _factored(change, noise)
    return None if update is None else _rounded_as(child, parent, form, update)


def _change(child: Lanes, parent: Lanes, form: Float) -> Matrix:
    change: Matrix = values_of(child.ravel(), form) - values_of(parent.ravel(), form)
    return change.reshape(child.shape)


def _may_be_low(child: Lanes, parent: Lanes, form: Float) -> bool:
    change = _change(child, parent, form)
    if not np.abs(change).max() < _LARGEST_CHANGE:
        return False
    change = change[change.any(axis=1)]
    if len(change) < 2:
        return False
    noise = derived.rounding(child.ravel(), form)
    if np.mean(change * change) < _LEAST_SIGNAL * noise * noise:
        return False
    try:
        factor = np.linalg.cholesky(change @ change.T)
    except np.linalg.LinAlgError:
        return True
    left = factor.diagonal()[-max(len(change) // 16, 1) :]
    return bool(np.mean(left * left) < 16 * noise * noise * change.shape[1])


def _factored(change: Matrix, noise: float) -> Update | None:
    """Returns integer factors of a matrix; None where more than the largest rank rises above noise.

    Halko, Martinsson, Tropp, Finding structure with randomness, arXiv 0909.4061, algorithm 5.1.
    """
    rows, columns = change.shape
    most = min(_LARGEST_RANK, rows * columns // (rows + columns) // 2, min(rows, columns) // 2)
    random = np.random.default_rng(_SEED).standard_normal((columns, most + 8))
    basis = np.linalg.qr(change @ random)[0]
    basis = np.linalg.qr(change @ (change.T @ basis))[0]
    left, sizes, right = np.linalg.svd(basis.T @ change, full_matrices=False)
    rank = int(np.count_nonzero(sizes > noise))
    if not 1 <= rank <= most:
        return None
    roots = np.sqrt(sizes[:rank])
    limit = math.isqrt(EXACT // rank)
    left, left_scale, left_shifts = _integers(basis @ left[:, :rank] * roots, limit)
    right, right_scale, right_shifts = _integers((right[:rank] * roots[:, None]).T, limit)
    scale = left_scale + right_scale
    if abs(scale) > MAX_SCALE:
        return None
    return Update(left, right.T, scale, left_shifts, right_shifts, is_rounded=False)


def _integers(factor: Matrix, limit: int) -> tuple[Matrix, int, Shifts]:
    """Returns integers up to a limit, and the powers of two by which all and rows were raised."""
    largest = np.abs(factor).max(axis=1)
    powers = np.frexp((limit - 1) / np.maximum(largest, largest.max() * 2.0**-MAX_SHIFT))[1] - 1
    shifts = np.minimum(powers - powers.min(), MAX_SHIFT)
    scale = int(powers.min())
    return np.rint(np.ldexp(factor, (scale + shifts)[:, None])), scale, shifts.astype(np.uint8)


def _rounded_as(child: Lanes, parent: Lanes, form: Float, update: Update) -> Update | None:
    """Returns the update, rounded before it is added or not, or None where it gains too little."""
    columns = update.right.shape[1]
    rows = max(_TRIED_ELEMENTS // columns, 1)
    here, there = child[: rows * columns], parent[: rows * columns]
    some = replace(update, left=update.left[:rows], left_shifts=update.left_shifts[:rows])
    tried = []
    for is_rounded in (False, True):
        guess = replace(some, is_rounded=is_rounded).added_to(there, form)
        tried.append((derived.distance(here, guess), is_rounded))
    distance, is_rounded = min(tried)
    if distance > derived.distance(here, there) - _LEAST_GAIN:
        return None
    return replace(update, is_rounded=is_rounded)
