"""Models of which nobody said where they come from, in an order in which they resemble each other.

What most others resemble comes first: where the family was trained from one model, that is it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mgit.codecs.form import Form
from mgit.digest import Digest
from mgit.errors import MgitError
from mgit.objects import DTYPES, TensorEntry
from mgit.repository import Parts
from mgit.store import Reader, sampled_size

_MOST = 64  # models that are compared, each with each
_SAMPLES = 3  # tensors
_SAMPLE_BYTES = 96 << 10  # a whole number of elements, of whatever type
_LEAST_BYTES = 1 << 12


@dataclass(frozen=True, slots=True)
class _Sample:
    """A piece of a tensor."""

    form: Form
    raw: bytes


def by_nearness(
    reader: Reader, models: Mapping[Digest, Parts], strangers: Sequence[Digest]
) -> list[Digest]:
    """Returns some models, the largest first; of equal ones, each near one that comes before it.

    Args:
        reader: Reads what the store holds.
        models: What is known of models.
        strangers: Those of them to be ordered.
    """
    ordered = sorted(strangers, key=lambda node: (-models[node].size_bytes, node))
    if len(ordered) <= 1:
        return ordered
    compared, rest = ordered[:_MOST], ordered[_MOST:]
    names = _names([models[node] for node in compared])
    samples = {node: _samples(reader, models[node], names) for node in compared}
    distance = {
        (one, other): _distance(samples[one], samples[other])
        for one in compared
        for other in compared
    }
    nearest = {node: sum(distance[node, other] for other in compared) for node in compared}
    found: list[Digest] = []
    while nearest:
        chosen = min(nearest, key=lambda node: (-models[node].size_bytes, nearest[node], node))
        del nearest[chosen]
        if not found:
            nearest = dict.fromkeys(nearest, sum(distance.values()))
        found.append(chosen)
        nearest = {node: min(size, distance[node, chosen]) for node, size in nearest.items()}
    return found + rest


def _names(models: Sequence[Parts]) -> list[str]:
    """Returns a few tensors that most of the models have, from all over them."""
    counts = Counter(
        name
        for parts in models
        for name, entry in parts.weights.tensors.items()
        if entry.size_bytes >= _LEAST_BYTES
    )
    most = max(counts.values(), default=0)
    names = sorted(name for name, count in counts.items() if count == most)
    places = {(2 * i + 1) * len(names) // (2 * _SAMPLES) for i in range(_SAMPLES)}
    return [names[place] for place in sorted(places) if names]


def _samples(reader: Reader, parts: Parts, names: Sequence[str]) -> dict[str, _Sample]:
    found = {}
    for name in names:
        entry = parts.weights.tensors.get(name)
        raw = _first_bytes(reader, entry) if entry else b""
        if entry and raw:
            found[name] = _Sample(Form(entry.dtype), raw)
    return found


def _first_bytes(reader: Reader, entry: TensorEntry) -> bytes:
    try:
        raw = reader.chunk(entry.chunks[0])[:_SAMPLE_BYTES] if entry.chunks else b""
    except MgitError:
        return b""  # damaged, or not here
    return raw if len(raw) % DTYPES[entry.dtype].lane == 0 else b""


def _distance(one: Mapping[str, _Sample], other: Mapping[str, _Sample]) -> int:
    """Returns what the samples of a model take as differences from those of another."""
    size = 0
    for name, sample in one.items():
        base = other.get(name)
        is_alike = base and base.form == sample.form and len(base.raw) == len(sample.raw)
        near = base and is_alike and sampled_size(sample.raw, base.raw, sample.form)
        size += near or len(sample.raw)
    return size
