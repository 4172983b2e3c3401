"""What models would take, and what they take: ``mgit stats``. Reads indexes, no weights."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mgit.codecs import codec
from mgit.digest import Digest
from mgit.errors import UnknownCodecError
from mgit.repository import Repository
from mgit.store import Row
from mgit.viewing.view import View


@dataclass(frozen=True, slots=True)
class ModelSize:
    """One node.

    Attributes:
        title: What it is called.
        node: Its id.
        raw_bytes: Its tensors and files.
        stored_bytes: The stored form of its chunks, those that others have too included.
        shared_bytes: Of these, what other nodes here have too.
        absent_chunks: How many of its chunks are not in this copy.
        codecs: How its chunks are stored: codec -> chunks.
        deepest: Longest chain of differences that has to be undone to read it.
    """

    title: str
    node: Digest
    raw_bytes: int
    stored_bytes: int
    shared_bytes: int
    absent_chunks: int
    codecs: Mapping[str, int]
    deepest: int


@dataclass(frozen=True, slots=True)
class Stats:
    """A copy.

    Attributes:
        models: Its nodes, ancestors first.
        undescribed: How many nodes have no manifest in this copy.
        raw_bytes: Of all nodes together: what separate folders would take.
        stored_bytes: Their chunks as stored, each counted once.
        pack_bytes: All packs: chunks, metadata and indexes.
        packs: How many.
    """

    models: tuple[ModelSize, ...]
    undescribed: int
    raw_bytes: int
    stored_bytes: int
    pack_bytes: int
    packs: int


def stats(repository: Repository, selector: str = "") -> Stats:
    """Returns what the nodes of a selection take; empty: all.

    Raises:
        MgitError: See ``Selection.nodes``.
    """
    view = View.of(repository)
    chosen = view.selection.nodes(selector) if selector else frozenset(view.history.nodes)
    chunks = {node: _chunks(view, node) for node in view.history.nodes}
    users = Counter(chunk for found in chunks.values() if found for chunk in found)
    order = [node for node in view.history.lineage.topological(chosen) if chunks[node] is not None]
    models = tuple(_model(view, node, chunks[node] or {}, users) for node in order)
    distinct = {chunk for node in order for chunk in chunks[node] or ()}
    packs = repository.store.catalog.packs.values()
    return Stats(
        models=models,
        undescribed=len(chosen) - len(order),
        raw_bytes=sum(model.raw_bytes for model in models),
        stored_bytes=sum(row.stored_bytes for row in _rows(repository, distinct)),
        pack_bytes=sum(pack.size_bytes for pack in packs),
        packs=len(packs),
    )


def _chunks(view: View, node: Digest) -> dict[Digest, None] | None:
    """Returns the chunks of a node, each once, in order; None where it has no manifest here."""
    parts = view.parts(node)
    return dict.fromkeys(parts.chunks()) if parts else None


def _model(
    view: View, node: Digest, chunks: Iterable[Digest], users: Mapping[Digest, int]
) -> ModelSize:
    catalog = view.repository.store.catalog
    wanted = list(chunks)
    rows = _rows(view.repository, wanted)
    parts = view.parts(node)
    costs = [cost for cost in map(catalog.cost, wanted) if cost is not None]
    return ModelSize(
        title=view.title(node),
        node=node,
        raw_bytes=parts.size_bytes if parts else 0,
        stored_bytes=sum(row.stored_bytes for row in rows),
        shared_bytes=sum(row.stored_bytes for row in rows if users[row.ref.digest] > 1),
        absent_chunks=len(wanted) - len(rows),
        codecs=dict(sorted(Counter(_codec_name(row) for row in rows).items())),
        deepest=max((cost.depth for cost in costs), default=0),
    )


def _rows(repository: Repository, chunks: Iterable[Digest]) -> list[Row]:
    """Returns the row that each chunk is read from; none for a chunk that is not here."""
    choices = (repository.store.catalog.choices(chunk)[:1] for chunk in chunks)
    return [place.row for found in choices for place in found]


def _codec_name(row: Row) -> str:
    try:
        return codec(row.codec).name
    except UnknownCodecError:
        return f"codec {row.codec}"
