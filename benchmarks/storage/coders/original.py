"""The coding of the MGit paper (arXiv 2307.07507, section 4), re-implemented: lossy.

The difference from the parent is divided by 2 log(1 + eps), rounded, and compressed by LZMA; eps is
1e-4. It is taken from the parent as it will be read back, so that errors do not add up. The test
of accuracy that the paper puts behind it is not part of this. What has no parent is stored as is.
"""

import lzma
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.storage.coders import one_by_one
from benchmarks.storage.coders.calling import call
from benchmarks.storage.coders.tensors import Bits, Slot

EPSILON = 1e-4
STEP = np.float32(2 * np.log1p(EPSILON))
PRESET = 1  # the higher ones are slower and hardly smaller


class Quantised:
    """Rounded differences of float32 and bfloat16, the smallest integers that hold them."""

    def encode(self, slot: Slot, bits: Bits, base: Bits | None) -> list[bytes] | None:
        """Returns the type of the integers and their compressed bytes, or the bytes as they are."""
        if base is None:
            return [bits.tobytes()]
        child, parent = _floats(slot, bits), _floats(slot, base)
        if child is None or parent is None:
            return None
        steps = np.rint((child - parent) / STEP)
        if not np.isfinite(steps).all() or np.abs(steps).max(initial=0) >= 1 << 31:
            return None
        name = np.min_scalar_type(-int(np.abs(steps).max(initial=0)) - 1).str
        return [name.encode(), lzma.compress(steps.astype(name).tobytes(), preset=PRESET)]

    def decode(self, slot: Slot, parts: Sequence[bytes], base: Bits | None) -> Bits:
        """Returns the nearest bits that the steps reach."""
        if base is None:
            return np.frombuffer(parts[0], slot.lane)
        steps = np.frombuffer(lzma.decompress(parts[1]), parts[0].decode())
        parent = _floats(slot, base)
        if parent is None:
            raise ValueError(f"{slot.name}: {slot.type} has no differences")
        found = (parent + steps.astype(np.float32) * STEP).view("<u4")
        return found if slot.type == "F32" else ((found + 0x8000) >> 16).astype(slot.lane)


def _floats(slot: Slot, bits: Bits) -> NDArray[np.float32] | None:
    match slot.type:
        case "F32":
            return bits.view("<f4")
        case "BF16":
            return (bits.astype("<u4") << 16).view("<f4")
        case _:
            return None


if __name__ == "__main__":
    call(partial(one_by_one.add, Quantised()), partial(one_by_one.export, Quantised()))
