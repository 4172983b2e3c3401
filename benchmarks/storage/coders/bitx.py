"""BitX, re-implemented after ZipLLM (arXiv 2505.06252): XOR with the parent.

The exponents and the other bits of what is left are compressed apart, by zstd at level 3. What has
no such parent is compressed the same way by itself, where ZipLLM calls ZipNN.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import zstandard

from benchmarks.storage.coders import one_by_one
from benchmarks.storage.coders.calling import call
from benchmarks.storage.coders.tensors import Bits, Slot

LEVEL = 3


class BitX:
    """XOR, byte planes with the exponent in one of them, zstd."""

    def encode(self, slot: Slot, bits: Bits, base: Bits | None) -> list[bytes] | None:
        """Returns one part a byte of an element."""
        del slot
        left = bits if base is None else bits ^ base
        turned = _sign_last(left).view(np.uint8).reshape(-1, left.itemsize)
        compressor = zstandard.ZstdCompressor(LEVEL)
        return [compressor.compress(plane.tobytes()) for plane in turned.T]

    def decode(self, slot: Slot, parts: Sequence[bytes], base: Bits | None) -> Bits:
        """Returns the bits again."""
        decompressor = zstandard.ZstdDecompressor()
        planes = [np.frombuffer(decompressor.decompress(part), np.uint8) for part in parts]
        left = _sign_first(np.stack(planes, axis=1).reshape(-1).view(slot.lane))
        return left if base is None else left ^ base


def _sign_last(bits: Bits) -> Bits:
    """Returns the bits turned left by one, so that a byte holds the whole exponent."""
    width = bits.dtype.type(8 * bits.itemsize - 1)
    return (bits << bits.dtype.type(1)) | (bits >> width)


def _sign_first(bits: Bits) -> Bits:
    width = bits.dtype.type(8 * bits.itemsize - 1)
    return (bits >> bits.dtype.type(1)) | (bits << width)


if __name__ == "__main__":
    call(partial(one_by_one.add, BitX()), partial(one_by_one.export, BitX()))
