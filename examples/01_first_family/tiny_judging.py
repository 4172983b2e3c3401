"""Stands in for ``judging.py`` where models are tiny: one matrix has to tell 256 points apart."""

import numpy as np
from numpy.typing import NDArray

import mgit
from mgit.loading import LoadedModel

MATRIX = "encoder.layer.0.intermediate.dense.weight"
NOISE = np.float32(0.8)


@mgit.check
def retrieval(model: LoadedModel) -> mgit.Samples:
    """Returns, for each of 256 points, how well it is found from a place beside it."""
    matrix = np.asarray(model.arrays()[MATRIX], dtype=np.float32)
    generator = np.random.default_rng(0)
    shape = (256, matrix.shape[1])
    points = generator.standard_normal(shape, dtype=np.float32)
    beside = points + NOISE * generator.standard_normal(shape, dtype=np.float32)
    cosines = _directions(beside @ matrix.T) @ _directions(points @ matrix.T).T
    ranks = 1 + (cosines > cosines.diagonal()[:, None]).sum(1)
    return mgit.Samples(correct=ranks == 1, values={"mrr": 1 / ranks}, metric="top1")


def _directions(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths: NDArray[np.float32] = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths
