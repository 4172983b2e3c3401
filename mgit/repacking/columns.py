"""A family as columns: what stands at the same place in all its models, ancestors first.

Pure: nodes and what describes them in, an order out. What a chunk may rest on stands above it in
its column, so that nothing can come to rest on itself.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import chain

from mgit.codecs.form import RAW_FORM, Form
from mgit.digest import Digest
from mgit.lineage import Lineage
from mgit.objects import DTYPES, EdgeKind
from mgit.objects.dtypes import row_elements
from mgit.repository import Parts

_RELATIVES = 16  # models that are looked at for each one, parents not counted


@dataclass(frozen=True, slots=True)
class Spot:
    """A chunk in a model.

    Attributes:
        chunk: Its id.
        form: What its bytes are.
    """

    chunk: Digest
    form: Form


Column = Mapping[Digest, Spot]  # node -> what it has at one place; ancestors first


@dataclass(frozen=True, slots=True)
class Relative:
    """A model that another one may resemble.

    Attributes:
        node: Its node.
        is_parent: The other one was made from it, or replaces it.
    """

    node: Digest
    is_parent: bool


def strangers(lineage: Lineage, models: Mapping[Digest, Parts]) -> list[Digest]:
    """Returns the models that have no ancestor among them."""
    return [node for node in models if lineage.ancestors(node).isdisjoint(models)]


def in_order(
    lineage: Lineage, models: Mapping[Digest, Parts], first: Sequence[Digest]
) -> list[Digest]:
    """Returns models so that ancestors come first; of those that may come next, the largest.

    What is larger has more bits an element: from it others can be rounded.

    Args:
        lineage: Who came from whom.
        models: The models.
        first: The order of those that have no ancestor among them.
    """
    ranks = {node: rank for rank, node in enumerate(first)}
    nodes = {node for model in models for node in (model, *lineage.ancestors(model))}
    sorter = TopologicalSorter({node: lineage.parents(node) & nodes for node in nodes})
    sorter.prepare()
    ordered: list[Digest] = []
    while sorter.is_active():
        ready = sorter.get_ready()
        here = [node for node in ready if node in models]
        ordered += sorted(here, key=lambda n: (ranks.get(n, -1), -models[n].size_bytes, n))
        sorter.done(*ready)
    return ordered


def relatives_of(lineage: Lineage, node: Digest, earlier: Sequence[Digest]) -> tuple[Relative, ...]:
    """Returns the models that come before one, the nearest first.

    Args:
        lineage: Who came from whom.
        node: The model.
        earlier: Models that come before it, ancestors first.
    """
    known = set(earlier)
    edges = sorted(lineage[node].edges, key=lambda e: (e.kind is EdgeKind.VERSION, e.parent))
    parents = dict.fromkeys(edge.parent for edge in edges if edge.parent in known)
    near = (other for other in _outwards(lineage, node) if other in known)
    found = dict.fromkeys(chain(near, reversed(earlier)))
    others = [other for other in found if other not in parents][:_RELATIVES]
    return (
        *(Relative(p, is_parent=True) for p in parents),
        *(Relative(o, is_parent=False) for o in others),
    )


def _outwards(lineage: Lineage, start: Digest) -> Iterator[Digest]:
    """Yields what edges connect a node with, the nearest first."""
    seen, todo = {start}, deque([start])
    while todo:
        node = todo.popleft()
        for other in sorted(lineage.parents(node)) + sorted(lineage.children(node)):
            if other not in seen:
                seen.add(other)
                todo.append(other)
                yield other


def columns_of(models: Mapping[Digest, Parts], rest: Iterable[Digest]) -> list[Column]:
    """Returns the columns of models, ancestors first, and one for each other chunk of ``rest``."""
    columns: dict[tuple[str, int], dict[Digest, Spot]] = {}
    placed: set[Digest] = set()
    nobody = Digest(bytes(32))
    for node, parts in models.items():
        for place, spot in _spots(parts):
            columns.setdefault(place, {})[node] = spot
            placed.add(spot.chunk)
    alone = ({nobody: Spot(chunk, RAW_FORM)} for chunk in rest if chunk not in placed)
    return [*columns.values(), *alone]


def _spots(parts: Parts) -> Iterator[tuple[tuple[str, int], Spot]]:
    for name, entry in parts.weights.tensors.items():
        form = Form(entry.dtype, row_elements(DTYPES[entry.dtype], entry.shape))
        for index, chunk in enumerate(entry.chunks):
            yield (f"tensor {name}", index), Spot(chunk, form)
    for path, file in parts.files().items():
        for index, chunk in enumerate(file.chunks):
            yield (f"file {path}", index), Spot(chunk, RAW_FORM)
