"""A body of every derivation of 512 bytes, for what holds for all codecs."""

import struct
from collections.abc import Sequence

import numpy as np

from mgit.codecs import CAST, INT8, LOW_RANK, PRUNE, STEPS, SUM, cast, derived, steps
from mgit.codecs.derived import Fields
from mgit.codecs.deriving import _REBUILD
from mgit.codecs.floats import BF16, F32
from mgit.codecs.form import Form
from mgit.codecs.int8 import Quantization
from mgit.codecs.low_rank import Update
from mgit.codecs.sums import Formula, Steps, Sum

_UPDATE = Update(
    left=np.arange(16.0).reshape(8, 2),
    right=np.arange(32.0).reshape(2, 16),
    scale=20,
    left_shifts=np.arange(8, dtype=np.uint8),
    right_shifts=np.zeros(16, np.uint8),
    is_rounded=True,
)
_QUANTIZATION = Quantization(
    F32, 16, by_inverse=True, is_rounded=False, scales=np.linspace(0.5, 2, 32, dtype="<f4")
)


def derivations(base: bytes) -> dict[int, tuple[bytes, Sequence[bytes]]]:
    """Number of a codec -> body, bases: of chunks of 512 bytes that rest on ``base``, as long."""
    half = (Form("F32"), [base[:256]])
    whole, integers = (Form("F32"), [base]), (Form("I8"), [base * 4])
    parameters = {
        CAST: (cast.pack(BF16, F32), *half),
        PRUNE: (struct.pack("<BBQI", F32.number, 0, 1 << 30, 9), *whole),
        SUM: (Sum(F32, Formula.WEIGHTED, Steps.DOUBLE, (0.5,)).pack(1), *whole),
        LOW_RANK: (_UPDATE.pack(F32), *whole),
        INT8: (_QUANTIZATION.pack(), *integers),
    }
    made: dict[int, tuple[bytes, Sequence[bytes]]] = {}
    for codec, (head, form, bases) in parameters.items():
        rebuilt = _REBUILD[codec.number](Fields(head), bases, 512)
        made[codec.number] = (
            derived.encode(rebuilt[:256] + base[256:], form, head, rebuilt),
            bases,
        )
    given = np.where(np.arange(512) % 3, np.frombuffer(base, np.uint8), 0).astype(np.uint8)
    made[STEPS.number] = (steps.quantise(given.tobytes(), base, F32, 1e-3).body, [base])
    return made
