"""Stands in for ``training.py`` where models are tiny: noise instead of learning, numpy alone."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

import mgit
from mgit.loading import LoadedModel


@mgit.recipe
def finetune(
    parents: Mapping[str, LoadedModel], *, learning_rate: float, steps: int, seed: int
) -> dict[str, NDArray[np.float32]]:
    """Returns the base model with noise on its layers: more of it for larger and for more steps."""
    generator = np.random.default_rng(seed)
    share = np.float32(10 * learning_rate * steps)
    return {
        name: array * (1 + share * generator.standard_normal(array.shape, dtype=np.float32))
        if name.startswith("encoder.")
        else array
        for name, array in parents["base"].arrays().items()
    }
