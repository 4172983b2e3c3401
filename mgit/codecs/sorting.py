"""Lanes in the order of their keys, and back.

Blocks are sorted in the second-level cache: an index of a whole chunk would take eight bytes a
lane, and gathering from all of it three times as long. Runs of like keys of all blocks are then put
together, so that a stretch of what is stored holds numbers of like magnitude.
"""

from collections.abc import Iterator
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from mgit.codecs.lanes import Lanes, Octets

BLOCK = 1 << 16  # part of the format, unlike the block of ``lanes``
_KEYS = 256
_PLACE_BITS = np.uint32(16)
_PLACES = np.arange(BLOCK, dtype=np.uint32)


def sort(values: Lanes, keys: Octets, fine_bits: int, out: Lanes) -> None:
    """Writes ``values`` to ``out``, by (key without its low ``fine_bits``, block, key), stably.

    Args:
        values: Shape (n,).
        keys: Shape (n,); a block is 65,536 of them.
        fine_bits: Bits of a key that count inside a block only, 0 to 8: few runs are joined faster.
        out: Shape (n,).
    """
    fine = np.uint8(fine_bits)
    alike: list[list[Lanes]] = [[] for _ in range(_KEYS)]
    for start in range(0, len(keys), BLOCK):
        order, ordered = _ordered(keys[start : start + BLOCK])
        block = values[start : start + BLOCK].take(order)
        for key, first, end in _runs(ordered >> fine):
            alike[key].append(block[first:end])
    np.concatenate([values[:0], *(run for runs in alike for run in runs)], out=out)


def unsort(values: Lanes, keys: Octets, fine_bits: int, out: Lanes) -> None:
    """Writes to ``out`` what ``sort`` made ``values`` from, given the same keys; all (n,)."""
    fine = np.uint8(fine_bits)
    blocks = []
    counts = [0] * _KEYS
    for start in range(0, len(keys), BLOCK):
        order, ordered = _ordered(keys[start : start + BLOCK])
        runs = [(key, end - first) for key, first, end in _runs(ordered >> fine)]
        for key, count in runs:
            counts[key] += count
        blocks.append((order, runs))
    at = [0, *accumulate(counts)]
    for start, (order, runs) in zip(range(0, len(keys), BLOCK), blocks, strict=True):
        parts = []
        for key, count in runs:
            parts.append(values[at[key] : at[key] + count])
            at[key] += count
        out[start : start + BLOCK][order] = np.concatenate(parts)


def _ordered(keys: Octets) -> tuple[npt.NDArray[np.intp], Octets]:
    """Returns the order of at most ``BLOCK`` keys, stable, and the keys in that order.

    A key and its place are sorted as one number: numpy sorts numbers faster than it argsorts keys.
    """
    packed = keys.astype(np.uint32)
    packed <<= _PLACE_BITS
    packed |= _PLACES[: len(keys)]
    packed.sort()
    return (packed & np.uint32(BLOCK - 1)).astype(np.intp), (packed >> _PLACE_BITS).astype(np.uint8)


def _runs(keys: Octets) -> Iterator[tuple[int, int, int]]:
    """Yields (key, start, end) of each run of one key; the keys are sorted."""
    starts = [0, *(np.flatnonzero(keys[1:] != keys[:-1]) + 1).tolist()]
    yield from zip(keys[starts].tolist(), starts, [*starts[1:], len(keys)], strict=True)
