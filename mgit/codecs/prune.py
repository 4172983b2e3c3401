"""Codec 5, prune: the elements of another chunk, small ones replaced by nought.

Magnitudes are compared as integers, which is the order of the numbers. Of those that equal the
threshold the first ``ties`` are replaced, as they are by whoever sorts and takes a share.
"""

import struct
from collections.abc import Sequence

import numpy as np

from mgit.codecs import derived
from mgit.codecs.derived import Fields, elements
from mgit.codecs.floats import Float
from mgit.codecs.lanes import Lanes
from mgit.errors import FormatError


def find(child: Lanes, parent: Lanes, form: Float) -> bytes | None:
    """Returns the parameters where ``child`` is ``parent`` but for noughts, or None."""
    here, there = derived.sample(child), derived.sample(parent)
    is_nought = here & form.magnitude == 0
    if not (is_nought & (here != there)).any() or not (is_nought | (here == there)).all():
        return None
    magnitudes = parent & form.magnitude
    is_nought = child & form.magnitude == 0
    threshold = magnitudes[is_nought].max()
    ties = np.count_nonzero(is_nought & (magnitudes == threshold))
    kept = child[is_nought & (parent > form.magnitude)]
    signs = int(len(kept) > 0 and np.count_nonzero(kept) * 2 > len(kept))
    return struct.pack("<BBQI", form.number, signs, threshold, ties)


def decode(body: bytes, bases: Sequence[bytes], size: int) -> bytes:
    """Returns the ``size`` bytes of ``body``; see ``derived.decode`` for errors."""
    return derived.decode(body, bases, size, rebuild)


def rebuild(fields: Fields, bases: Sequence[bytes], size: int) -> bytes:
    """Returns the pruned elements of the base."""
    form = fields.float_format()
    signs, threshold, ties = fields.numbers("BQI")
    if signs > 1 or threshold > form.magnitude:
        raise FormatError(f"a threshold of {threshold} for {form.lane} bytes, signs {signs}")
    bits = elements(derived.only(bases), form, size)
    magnitudes = bits & form.magnitude
    is_small = magnitudes < threshold
    is_small[np.flatnonzero(magnitudes == threshold)[:ties]] = True
    nought = bits & (form.magnitude + 1) if signs else np.array(0, bits.dtype)
    return np.where(is_small, nought, bits).tobytes()
