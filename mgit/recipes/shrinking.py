"""Smaller models out of larger ones, without training."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

import numpy as np
import numpy.typing as npt

from mgit.combine import rounded
from mgit.errors import RunError
from mgit.loading import LoadedModel
from mgit.numeric import NUMPY_TYPES
from mgit.source import recipe
from mgit.tensors import Array


@recipe(revision=1, operation="prune")
def prune(
    parents: Mapping[str, LoadedModel], *, fraction: float, tensors: str = "*"
) -> dict[str, Array]:
    """Returns a model with the smallest weights of every matrix set to zero.

    Magnitude pruning (Han et al., arXiv 1506.02626, section 3), matrix by matrix, without training
    afterwards. Of equal magnitudes the first are taken, so that the zeros are the same everywhere.

    Args:
        parents: ``base``: the model.
        fraction: Share of each matrix, 0 to 1.
        tensors: Shell pattern of the names of the matrices; others stay as they are.

    Raises:
        RunError: ``fraction`` is out of bounds, or no matrix matches.
    """
    if not 0 <= fraction <= 1:
        raise RunError(f"fraction={fraction}", hint="choose from 0 to 1")
    arrays = parents["base"].arrays()
    chosen = {
        name
        for name, array in arrays.items()
        if fnmatchcase(name, tensors) and array.ndim == 2 and _is_real(array)
    }
    if not chosen:
        raise RunError(f"no matrix of numbers matches {tensors!r}", hint="mgit show lists tensors")
    return {
        name: _pruned(array, fraction) if name in chosen else array
        for name, array in arrays.items()
    }


def _pruned(array: Array, fraction: float) -> Array:
    smallest_first = np.argsort(np.abs(array), axis=None, kind="stable")
    kept = array.copy()
    kept.flat[smallest_first[: int(fraction * array.size)]] = 0
    return kept


@recipe(revision=2, operation="cast")
def cast(
    parents: Mapping[str, LoadedModel], *, dtype: str = "BF16", tensors: str = "*"
) -> dict[str, Array]:
    """Returns a model whose tensors of floating point have another type, rounded to nearest even.

    Args:
        parents: ``base``: the model.
        dtype: ``F16``, ``BF16``, ``F32`` or ``F64``.
        tensors: Shell pattern of the tensors' names; others stay as they are.

    Raises:
        RunError: There is no such type.
    """
    if dtype not in {"F16", "BF16", "F32", "F64"}:
        raise RunError(f"dtype={dtype!r}", hint="choose from: F16, BF16, F32, F64")
    return {
        name: _cast(array, NUMPY_TYPES[dtype])
        if fnmatchcase(name, tensors) and _is_real(array)
        else array
        for name, array in parents["base"].arrays().items()
    }


def _cast(array: Array, dtype: npt.DTypeLike) -> Array:
    return rounded(array, dtype) if array.dtype == np.float64 else array.astype(dtype)


def _is_real(array: Array) -> bool:
    """Whether it holds floating point that numpy can compute with: not complex, not 8 bits."""
    return (
        array.dtype.itemsize >= 2
        and np.can_cast(array.dtype, np.float64)
        and (array.dtype.kind in "fV")
    )
