"""Finds out how a chunk was derived from others: tested on a sample, then rebuilt and compared.

Nothing is taken on trust: what a derivation does not give bit for bit is stored beside it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from mgit.codecs import (
    CAST,
    INT8,
    LOW_RANK,
    PRUNE,
    SUM,
    cast,
    derived,
    environment,
    int8,
    low_rank,
    prune,
    ranking,
    summing,
    sums,
)
from mgit.codecs.derived import Fields
from mgit.codecs.floats import FLOATS, convert
from mgit.codecs.form import Form, Related
from mgit.codecs.lanes import Lanes

_Placed: TypeAlias = tuple[int, Lanes]

_LEAST_ELEMENTS = 256  # of fewer, the parameters take as much as a difference


@dataclass(frozen=True, slots=True)
class Derived:
    """A chunk as a derivation.

    Attributes:
        codec: Number of the codec.
        bases: Places of its bases in ``(*near, *parents)``, as they were given to ``derive``.
        body: What is stored.
    """

    codec: int
    bases: tuple[int, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Idea:
    codec: int
    bases: tuple[int, ...]
    parameters: bytes


def derive(
    raw: bytes, form: Form, near: Sequence[Related], parents: Sequence[Related]
) -> Derived | None:
    """Returns the smallest derivation of a chunk, or None where none is found.

    Args:
        raw: The chunk.
        form: Its elements.
        near: The nearest chunks, of whatever type, for derivations from one chunk.
        parents: Those of all declared parents in order, for sums.
    """
    given = (*near, *parents)
    count, cut_off = divmod(len(raw), form.dtype.lane)
    if count < _LEAST_ELEMENTS or cut_off or not environment.is_exact():
        return None
    best = None
    for idea in _ideas(raw, form, near, parents):
        rebuilt = _rebuilt(idea, [given[place].raw for place in idea.bases], len(raw))
        body = derived.encode(raw, form, idea.parameters, rebuilt)
        found = Derived(idea.codec, idea.bases, body)
        if rebuilt == raw:
            return found
        if best is None or len(body) < len(best.body):
            best = found
    return best


def _rebuilt(idea: _Idea, bases: Sequence[bytes], size: int) -> bytes:
    return _REBUILD[idea.codec](Fields(idea.parameters), bases, size)


_REBUILD = {
    CAST.number: cast.rebuild,
    PRUNE.number: prune.rebuild,
    SUM.number: sums.rebuild,
    LOW_RANK.number: low_rank.rebuild,
    INT8.number: int8.rebuild,
}


def _ideas(
    raw: bytes, form: Form, near: Sequence[Related], parents: Sequence[Related]
) -> Iterator[_Idea]:
    """Yields what passes the tests on samples, the cheapest tests first."""
    alike = [
        (place, np.frombuffer(related.raw, FLOATS[form.type].unsigned))
        for place, related in enumerate(near)
        if related.type == form.type in FLOATS and len(related.raw) == len(raw)
    ]
    yield from _from_pruning(raw, form, alike)
    yield from _from_casts(raw, form, near)
    yield from _from_quantization(raw, form, near)
    yield from _from_several(raw, form, parents, len(near))
    yield from _from_updates(raw, form, alike)


def _from_pruning(raw: bytes, form: Form, alike: Sequence[_Placed]) -> Iterator[_Idea]:
    for place, parent in alike:
        target = FLOATS[form.type]
        parameters = prune.find(np.frombuffer(raw, target.unsigned), parent, target)
        if parameters is not None:
            yield _Idea(PRUNE.number, (place,), parameters)


def _from_updates(raw: bytes, form: Form, alike: Sequence[_Placed]) -> Iterator[_Idea]:
    for place, parent in alike:
        target = FLOATS[form.type]
        update = ranking.find(np.frombuffer(raw, target.unsigned), parent, target, form.row)
        if update is not None:
            yield _Idea(LOW_RANK.number, (place,), update.pack(target))


def _from_quantization(raw: bytes, form: Form, near: Sequence[Related]) -> Iterator[_Idea]:
    if form.type != "I8":
        return
    for place, related in enumerate(near):
        source = FLOATS.get(related.type)
        if source is None or len(related.raw) != len(raw) * source.lane:
            continue
        parent = np.frombuffer(related.raw, source.unsigned)
        found = int8.find(np.frombuffer(raw, np.int8), parent, source, form.row)
        if found is not None:
            yield _Idea(INT8.number, (place,), found.pack())


def _from_casts(raw: bytes, form: Form, near: Sequence[Related]) -> Iterator[_Idea]:
    """Yields the nearest cast, if it is nearer than every chunk of the child's own type."""
    target = FLOATS.get(form.type)
    if target is None or all(related.type == form.type for related in near):
        return
    child = derived.sample(np.frombuffer(raw, target.unsigned))
    best, least = None, 4.0 * target.lane  # half of the bits: no better than a chunk by itself
    for place in sorted(range(len(near)), key=lambda place: near[place].type != form.type):
        related = near[place]
        source = FLOATS.get(related.type)
        if source is None or len(related.raw) * target.lane != len(raw) * source.lane:
            continue
        parent = derived.sample(np.frombuffer(related.raw, source.unsigned))
        distance = derived.distance(child, convert(parent, source, target))
        if distance < least:
            best, least = (place, source), distance
    if best is not None and best[1] != target:
        yield _Idea(CAST.number, (best[0],), cast.pack(best[1], target))


def _from_several(
    raw: bytes, form: Form, parents: Sequence[Related], first: int
) -> Iterator[_Idea]:
    target = FLOATS.get(form.type)
    alike = [
        place
        for place, related in enumerate(parents)
        if related.type == form.type and len(related.raw) == len(raw)
    ]
    if target is None or len(alike) < 2:
        return
    bits = [np.frombuffer(parents[place].raw, target.unsigned) for place in alike]
    found = summing.find(np.frombuffer(raw, target.unsigned), bits, target)
    if found is not None:
        bases = tuple(first + alike[place] for place in found.bases)
        yield _Idea(SUM.number, bases, found.rule.pack(len(bases)))
