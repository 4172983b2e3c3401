"""The codecs of mgit by themselves: no reading, hashing, choosing or writing.

    python -m benchmarks.storage.coders.codecs_alone BASE CHILD

Prints JSON: for each codec the bytes and the CPU seconds of all chunks that differ, the best of a
few runs, on one thread. Chunks that are equal take nothing, and count in the size of the child.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.storage.coders.tensors import split, tensors
from mgit.codecs import entropy, fast, planes, rcb
from mgit.codecs.form import Form
from mgit.objects import DTYPES
from mgit.objects.dtypes import CHUNK_ELEMENTS

RUNS = 2


@dataclass(frozen=True, slots=True)
class Pair:
    """The bytes of a chunk, those of its base, and what they are."""

    child: bytes
    base: bytes
    form: Form


@dataclass(frozen=True, slots=True)
class Way:
    """A codec: (pair) -> body, (body, pair) -> the child's bytes again."""

    encode: Callable[[Pair], bytes]
    decode: Callable[[bytes, Pair], bytes]


def ways() -> Mapping[str, Way]:
    """Returns the codecs for differences and the one for chunks alone."""
    found = {
        "planes": Way(
            lambda pair: planes.encode(pair.child, pair.form),
            lambda body, pair: planes.decode(body, (), len(pair.child)),
        ),
        "fast": Way(
            lambda pair: fast.encode(pair.child, pair.base, pair.form),
            lambda body, pair: fast.decode(body, (pair.base,), len(pair.child)),
        ),
        "rcb": _rcb(entropy_coded=False),
    }
    return found | ({"rcb-x": _rcb(entropy_coded=True)} if entropy.is_available() else {})


def _rcb(*, entropy_coded: bool) -> Way:
    encode = partial(rcb.encode, entropy_coded=entropy_coded)
    decode = partial(rcb.decode, entropy_coded=entropy_coded)
    return Way(
        lambda pair: encode(pair.child, pair.base, pair.form),
        lambda body, pair: decode(body, (pair.base,), len(pair.child)),
    )


def measured(base: Path, child: Path) -> Iterator[Mapping[str, float | str]]:
    """Yields a line for each codec."""
    pairs = list(_pairs(base, child))
    for name, way in ways().items():
        encoding, decoding = [], []
        for _ in range(RUNS):
            begun = time.process_time()
            bodies = [way.encode(pair) for pair in pairs]
            encoded = time.process_time()
            chunks = [way.decode(body, pair) for body, pair in zip(bodies, pairs, strict=True)]
            encoding.append(encoded - begun)
            decoding.append(time.process_time() - encoded)
            if any(chunk != pair.child for chunk, pair in zip(chunks, pairs, strict=True)):
                raise ValueError(f"{name}: {child} came out changed")
        yield {
            "codec": name,
            "raw_bytes": child.stat().st_size,
            "coded_bytes": sum(len(pair.child) for pair in pairs),
            "body_bytes": sum(map(len, bodies)),
            "encode_s": min(encoding),
            "decode_s": min(decoding),
        }


def _pairs(base: Path, child: Path) -> Iterator[Pair]:
    there = {slot.name: (slot, bits) for slot, bits in tensors(*split(base))}
    for slot, bits in tensors(*split(child)):
        parent, other = there[slot.name]
        if not parent.is_like(slot) or slot.type not in DTYPES:
            raise ValueError(f"{slot.name} has another form in {base}")
        row = int(np.prod(slot.shape[1:], dtype=int))
        step = max(1, CHUNK_ELEMENTS // row) * row
        for at in range(0, len(bits), step):
            pair = Pair(
                bits[at : at + step].tobytes(),
                other[at : at + step].tobytes(),
                Form(slot.type, row),
            )
            if pair.child != pair.base:
                yield pair


if __name__ == "__main__":
    print(json.dumps(list(measured(Path(sys.argv[1]), Path(sys.argv[2])))))
