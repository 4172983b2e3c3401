"""Models out of several of one shape."""

import math
from collections.abc import Mapping

import numpy as np

from mgit.combine import rounded
from mgit.errors import RunError
from mgit.loading import LoadedModel
from mgit.source import recipe
from mgit.tensors import Array


@recipe(revision=2, operation="average")
def average(
    parents: Mapping[str, LoadedModel], *, weights: Mapping[str, float] | None = None
) -> dict[str, Array]:
    """Returns the mean of its parents, tensor by tensor.

    A model soup (Wortsman et al., arXiv 2203.05482, uniform soup). Sums are taken in double
    precision in the order of the roles, and rounded to the type of the first parent. What is equal
    bit for bit in all parents stays as it is; what is not floating point is the first parent's.

    Args:
        parents: Two or more models of the same tensors, under whatever roles.
        weights: Role -> weight, from 0 up; None: all alike.

    Raises:
        RunError: There is one parent, their tensors differ, or the weights make no mean.
    """
    if len(parents) < 2:
        raise RunError("a mean needs two parents or more", hint="--parent A=one --parent B=two")
    given = dict(weights) if weights else dict.fromkeys(parents, 1.0)
    total = sum(given.values())
    if given.keys() != parents.keys() or not 0 < total < math.inf or min(given.values()) < 0:
        raise RunError(f"weights={given} for the roles {', '.join(parents)}", hint="one a role")
    models = {role: model.arrays() for role, model in parents.items()}
    first = next(iter(models.values()))
    return {
        name: _mean(name, {role: _tensor(model, name) for role, model in models.items()}, given)
        for name in first
    }


def _tensor(model: Mapping[str, Array], name: str) -> Array:
    if name not in model:
        raise RunError(f"not every parent has a tensor {name!r}", hint="mgit diff A B")
    return model[name]


def _mean(name: str, arrays: Mapping[str, Array], weights: Mapping[str, float]) -> Array:
    first = next(iter(arrays.values()))
    if any(array.shape != first.shape for array in arrays.values()):
        raise RunError(f"tensor {name!r} has not one shape in all parents", hint="mgit diff A B")
    if first.dtype.itemsize < 2 or first.dtype.kind not in "fV":
        return first
    if all(_is_same(array, first) for array in arrays.values()):
        return first  # its shares may be rounded, and add up to something else
    total = np.zeros(first.shape, np.float64)
    for role, array in arrays.items():
        total += array.astype(np.float64) * (weights[role] / sum(weights.values()))
    return rounded(total, first.dtype)


def _is_same(one: Array, other: Array) -> bool:
    """Whether two arrays of one shape are equal bit for bit."""
    left, right = (array.reshape(-1).view(np.uint8) for array in (one, other))
    return one.dtype == other.dtype and np.array_equal(left, right)
