"""Chunks that are related as models of one family are."""

import numpy as np
import numpy.typing as npt

from mgit.codecs.floats import F32, FLOATS, convert
from mgit.codecs.form import Form, Related

Single = npt.NDArray[np.float32]

ROWS, COLUMNS = 96, 128
MATRIX = (ROWS, COLUMNS)


def weights(seed: int) -> Single:
    """A matrix with the spread of a trained one."""
    return np.random.default_rng(seed).normal(0, 0.05, MATRIX).astype(np.float32)


def tuned(parent: Single, seed: int) -> Single:
    """The matrix after some training."""
    change = np.random.default_rng(seed).normal(0, 1e-3, parent.shape)
    return (parent + change).astype(np.float32)


def related(values: Single, name: str = "F32") -> Related:
    """Values as a chunk of a type."""
    return Related(chunk(values, name), name)


def chunk(values: Single, name: str = "F32") -> bytes:
    """Values as the bytes of a type."""
    return convert(values.ravel().view("<u4"), F32, FLOATS[name]).tobytes()


def values(raw: bytes, name: str) -> Single:
    """The bytes of a type as float32."""
    form = FLOATS[name]
    single: Single = convert(np.frombuffer(raw, form.unsigned), form, F32).view("<f4")
    return single.reshape(MATRIX)


def form(name: str = "F32") -> Form:
    """What these chunks are."""
    return Form(name, COLUMNS)
