"""How far a file is from what it should be; run for files whose bytes differ.

    python -m benchmarks.storage.coders.comparing EXPECTED FOUND

Prints "tensors" when each tensor has its bits, else the largest error of an element.
"""

import sys
from pathlib import Path

import numpy as np

from benchmarks.storage.coders.tensors import split, tensors


def compared(expected: Path, found: Path) -> str:
    """Returns what is to be said of two files."""
    theirs = {slot.name: (slot, bits) for slot, bits in tensors(*split(found))}
    worst = 0.0
    for slot, bits in tensors(*split(expected)):
        if slot.name not in theirs or not theirs[slot.name][0].is_like(slot):
            return f"{slot.name} is missing"
        other = theirs[slot.name][1]
        if slot.type == "F32" and not np.array_equal(bits, other):
            error = np.abs(bits.view("<f4") - other.view("<f4")).max()
            worst = max(worst, float(error))
        elif not np.array_equal(bits, other):
            return f"{slot.name} differs"
    return f"{worst:.1e}" if worst else "tensors"


if __name__ == "__main__":
    print(compared(Path(sys.argv[1]), Path(sys.argv[2])))
