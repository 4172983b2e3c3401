"""Which models a new one resembles: its chunks are stored as differences from theirs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from mgit.adding.pieces import Piece, pieces_of_tensor
from mgit.checkpoint import Checkpoint, TensorOnDisk
from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError, MgitError
from mgit.objects import CHUNK, DTYPES, Edge, EdgeKind, Ref, Weights
from mgit.repository import History, Repository, read_parts
from mgit.store import Candidate, Coding, Effort, Reader, sampled_size

_LOOKED_AT = 16  # models of a repository, however many there are
_KEPT = (3, 1)  # of those that are no parents: beside none, beside one; more parents are enough
_MUCH_NEARER = 0.9  # of what a parent takes: each base that is tried has to be decoded
_SAMPLES = 3
_MODERATE = range(1 << 14, 1 << 20)  # elements of a tensor that is quick to sample, and tells much


@dataclass(frozen=True, slots=True)
class RelatedModel:
    """A model whose chunks may be bases.

    Attributes:
        weights: Its tensors.
        is_parent: The new model is said to be made from it.
    """

    weights: Weights
    is_parent: bool = True


@dataclass(frozen=True, slots=True)
class Bases:
    """What the chunks of a new model may be stored as differences from, and how they are stored.

    Attributes:
        reader: Reads what the store holds.
        models: The related models, the nearest first.
        coding: How much work goes into it.
    """

    reader: Reader
    models: Sequence[RelatedModel]
    coding: Coding

    def of(self, piece: Piece) -> list[Candidate]:
        """Returns the chunks that stand in the related models where a new one will stand."""
        if piece.tensor is None:
            return []
        return [
            Candidate(entry.chunks[piece.index], entry.dtype, model.is_parent)
            for model in self.models
            if (entry := model.weights.tensors.get(piece.tensor))
            and piece.index < len(entry.chunks)
        ]


def bases_among(
    repository: Repository, history: History, parents: Iterable[Digest], coding: Coding
) -> Bases:
    """Returns the bases for a child of these nodes: those that are here, in the order given."""
    models = [RelatedModel(weights) for weights in _weights(repository, history, parents)]
    return Bases(repository.store.reader, models, coding)


def bases_near(
    repository: Repository,
    history: History,
    edges: Iterable[Edge],
    checkpoint: Checkpoint,
    coding: Coding,
) -> Bases:
    """Returns the bases for a checkpoint: its parents, and what else turns out to be near.

    Looked at are the parents' parents and other children; without parents, what names point to.
    What no name leads to is left alone: it would have to be kept for the new one's sake.
    """
    parents = _parents(edges)
    known = bases_among(repository, history, parents, coding)
    if known.models and coding.effort is Effort.FAST:
        return known
    relatives = islice(_weights(repository, history, _relatives(history, parents)), _LOOKED_AT)
    models = list(known.models)
    for weights in relatives:
        if all(weights != model.weights for model in models):
            models.append(RelatedModel(weights, is_parent=False))
    return replace(known, models=_nearest(known.reader, models, checkpoint))


def _parents(edges: Iterable[Edge]) -> list[Digest]:
    """What it was made from comes before what it replaces."""
    ordered = sorted(edges, key=lambda edge: (edge.kind is EdgeKind.VERSION, edge.parent))
    return list(dict.fromkeys(edge.parent for edge in ordered))


def _weights(
    repository: Repository, history: History, nodes: Iterable[Digest]
) -> Iterator[Weights]:
    for node in nodes:
        if node in history.nodes:
            try:
                yield read_parts(repository, history.nodes[node]).weights
            except (AbsentError, DamagedError):
                continue  # not in this copy: the child is stored without that base


def _relatives(history: History, parents: Sequence[Digest]) -> list[Digest]:
    """Returns nodes that may resemble a child of ``parents``, the likelier first."""
    nodes = history.nodes
    known = sorted(history.named_nodes & nodes.keys())
    if not parents:
        return known
    above = [up for parent in parents if parent in nodes for up in nodes[parent].parents()]
    beside = [node for node in known if not {*parents}.isdisjoint(nodes[node].parents())]
    return [node for node in dict.fromkeys([*above, *beside]) if node not in parents]


def _nearest(
    reader: Reader, models: list[RelatedModel], checkpoint: Checkpoint
) -> list[RelatedModel]:
    """Returns the parents and the nearest others, all of them in order of distance."""
    if all(model.is_parent for model in models) and len(models) <= 1:
        return models
    samples = [(piece, piece.read()) for piece in _samples(checkpoint)]
    total = sum(len(raw) for _, raw in samples)
    sized = [(_distance(reader, model.weights, samples), model) for model in models]
    sized.sort(key=lambda item: item[0])
    parents = [size for size, model in sized if model.is_parent]
    farthest = _MUCH_NEARER * min([*parents, total])
    others = [model for size, model in sized if not model.is_parent and size < farthest]
    kept = others[: _KEPT[len(parents)] if len(parents) < len(_KEPT) else 0]
    return [model for _, model in sized if model.is_parent or model in kept]


def _distance(reader: Reader, weights: Weights, samples: Iterable[tuple[Piece, bytes]]) -> int:
    """Returns what the samples take as differences from a model, in bytes; as they are, if none."""
    bases = Bases(reader, [RelatedModel(weights)], Coding())
    size = 0
    for piece, raw in samples:
        sizes = [_size(reader, candidate, piece, raw) for candidate in bases.of(piece)]
        size += min([*sizes, len(raw)])
    return size


def _size(reader: Reader, candidate: Candidate, piece: Piece, raw: bytes) -> int:
    chunk = Digest.of(raw)
    if candidate.chunk == chunk:
        return 0
    if candidate.type != piece.form.type or Ref(CHUNK, chunk) in reader.catalog:
        return len(raw)  # what is here already tells enough, and nothing has to be decoded
    try:
        base = reader.chunk(candidate.chunk)
    except MgitError:
        return len(raw)  # damaged, or of a newer codec
    is_sampled = len(base) == len(raw) and len(raw) % piece.form.dtype.lane == 0
    return sampled_size(raw, base, piece.form) if is_sampled else len(raw)


def _samples(checkpoint: Checkpoint) -> list[Piece]:
    """Returns a few chunks to be, from the beginning, the middle and the end of a checkpoint."""
    tensors = [t for t in checkpoint.tensors.values() if t.stored.stop > t.stored.start]
    tensors = [t for t in tensors if _elements(t) in _MODERATE] or tensors
    places = {(2 * i + 1) * len(tensors) // (2 * _SAMPLES) for i in range(_SAMPLES)}
    return [next(pieces_of_tensor(tensors[i])) for i in sorted(places) if tensors]


def _elements(tensor: TensorOnDisk) -> int:
    size = tensor.stored.stop - tensor.stored.start
    return size * 8 // DTYPES[tensor.stored.dtype].bits
