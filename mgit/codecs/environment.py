"""Whether this machine computes as IEEE 754 demands, so that a derivation gives the same bits.

The mode of rounding and the flushing of subnormals are states of a thread that any library may
change, so this is asked anew for every chunk; it takes microseconds.
"""

import numpy as np

from mgit.errors import UnknownCodecError

# left, right; then their quotient, sum and product, as bits of float32. They tell apart: another
# mode of rounding, subnormals taken or made as nought, reciprocals instead of quotients, and a
# wider format in between.
_LEFT = np.array([0x3F800000, 0x3F800000, 0xBF800000, 0x00800000, 0x00000003, 0x40400000], "<u4")
_RIGHT = np.array([0x40400000, 0x33800001, 0xB3800001, 0x40000000, 0x3F800000, 0x40E00000], "<u4")
_QUOTIENTS = np.array(
    [0x3EAAAAAB, 0x4B7FFFFE, 0x4B7FFFFE, 0x00400000, 0x00000003, 0x3EDB6DB7], "<u4"
)
_SUMS = np.array([0x40800000, 0x3F800001, 0xBF800001, 0x40000000, 0x3F800000, 0x41200000], "<u4")
_PRODUCTS = np.array(
    [0x40400000, 0x33800001, 0x33800001, 0x01000000, 0x00000003, 0x41A80000], "<u4"
)
_TIE, _ABOVE_TIE = 1 + 2.0**-24, 1 + 2.0**-24 + 2.0**-52


def is_exact() -> bool:
    """Returns whether float32 and float64 are rounded to nearest even, and subnormals kept."""
    left, right = _LEFT.view("<f4"), _RIGHT.view("<f4")
    rounded = np.array([_TIE, _ABOVE_TIE, -_ABOVE_TIE, 2.0**-149], "<f8").astype("<f4")
    return (
        np.array_equal((left / right).view("<u4"), _QUOTIENTS)
        and np.array_equal((left + right).view("<u4"), _SUMS)
        and np.array_equal((left * right).view("<u4"), _PRODUCTS)
        and rounded.tolist() == [1, 1 + 2.0**-23, -1 - 2.0**-23, 2.0**-149]
        and np.array(1.0) / np.array(3.0) == 0x15555555555555 / 2**54
    )


def require_exact() -> None:
    """Raises UnknownCodecError where derivations cannot be rebuilt."""
    if not is_exact():
        raise UnknownCodecError(
            "this process does not compute as IEEE 754 demands, so derived chunks are unreadable",
            hint="a library changed rounding or flushes subnormals (torch.set_flush_denormal?)",
        )
