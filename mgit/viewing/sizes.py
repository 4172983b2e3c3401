"""What models would take, and what they take: ``mgit stats``. Reads indexes, no weights."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from stat import S_ISREG

from mgit.codecs import codec
from mgit.digest import Digest
from mgit.errors import UnknownCodecError
from mgit.objects import CHUNK, PackKind, Ref
from mgit.repository import Repository, lost
from mgit.roots import closure
from mgit.store import Catalog, PackIndex, Place
from mgit.store.files import facts_below
from mgit.viewing.view import View

_SHOWN = 3  # models that one rests on


@dataclass(frozen=True, slots=True)
class ModelSize:
    """One node.

    Attributes:
        title: What it is called.
        node: Its id.
        raw_bytes: Its tensors and files.
        stored_bytes: The stored form of its chunks, those that others have too included.
        own_bytes: Of these, what no other node here has: what it alone adds.
        shared_bytes: Of these, what other nodes here have too.
        absent_chunks: How many of its chunks are not in this copy.
        codecs: How its chunks are stored: codec -> chunks.
        rests_on: Titles of the models that its chunks are stored as differences from, most first.
        deepest: Longest chain of differences that has to be undone to read it.
    """

    title: str
    node: Digest
    raw_bytes: int
    stored_bytes: int
    own_bytes: int
    shared_bytes: int
    absent_chunks: int
    codecs: Mapping[str, int]
    rests_on: tuple[str, ...]
    deepest: int


@dataclass(frozen=True, slots=True)
class Stats:
    """A copy, or some nodes of it.

    Attributes:
        models: The nodes, ancestors first.
        is_all: Whether these are all that are here.
        undescribed: How many nodes have no manifest in this copy.
        lost: How many of these nodes should be whole here, and are damaged or lost in part.
        raw_bytes: Of these nodes together: what separate folders would take.
        whole_bytes: Of these, those of nodes whose weights are all here: what a ratio compares.
        stored_bytes: Their chunks as stored, each counted once.
        resting_bytes: What else of other nodes has to be there for that, as stored.
        pack_bytes: All packs here: chunks, metadata and indexes.
        packs: How many.
        condemned_bytes: Packs among them that ``mgit gc`` is going to remove.
        condemned_packs: How many.
        condemned_since: When the last of them was condemned; None where there is none.
        unused_bytes: In the others, what no node here needs.
        unreadable_bytes: In the others, what is needed and cannot be decoded now: it rests on what
            is damaged, or not here, or is damaged itself.
        decoded_bytes: The cache of whole tensors beside the packs.
        quarantine_bytes: What a repair put aside.
        incoming_bytes: Packs that are being written, or were when the work was cut off.
    """

    models: tuple[ModelSize, ...]
    is_all: bool
    undescribed: int
    lost: int
    raw_bytes: int
    whole_bytes: int
    stored_bytes: int
    resting_bytes: int
    pack_bytes: int
    packs: int
    condemned_bytes: int
    condemned_packs: int
    condemned_since: datetime | None
    unused_bytes: int
    unreadable_bytes: int
    decoded_bytes: int
    quarantine_bytes: int
    incoming_bytes: int


def stats(repository: Repository, selector: str = "") -> Stats:
    """Returns what the nodes of a selection take; empty: all.

    Raises:
        MgitError: See ``Selection.nodes``.
    """
    view = View.of(repository)
    here = view.history.nodes
    chosen = view.selection.nodes(selector) if selector else frozenset(here)
    ordered = view.history.lineage.topological(here)
    chunks = {node: found for node in ordered if (found := _chunks(view, node)) is not None}
    rows = _Rows.of(repository.store.catalog, chunks)
    models = tuple(_model(view, node, rows) for node in chunks if node in chosen)
    own = {chunk for node in chunks.keys() & chosen for chunk in chunks[node]}
    packs = repository.store.catalog.packs
    condemned = [packs[pack] for pack in packs.keys() & repository.store.catalog.condemned]
    since = repository.store.condemned.since()
    unreadable = rows.unreadable()
    return Stats(
        models=models,
        is_all=chosen >= here.keys(),
        undescribed=len(chosen) - len(models),
        lost=len(lost(repository, view.history, chosen)),
        raw_bytes=sum(model.raw_bytes for model in models),
        whole_bytes=sum(model.raw_bytes for model in models if not model.absent_chunks),
        stored_bytes=rows.size(own),
        resting_bytes=rows.size(rows.below(own) - own),
        pack_bytes=sum(pack.size_bytes for pack in packs.values()),
        packs=len(packs),
        condemned_bytes=sum(pack.size_bytes for pack in condemned),
        condemned_packs=len(condemned),
        condemned_since=max((since[p.pack] for p in condemned if p.pack in since), default=None),
        unused_bytes=_unused(packs.values(), rows) - unreadable,
        unreadable_bytes=unreadable,
        decoded_bytes=_below(repository.folder / "decoded"),
        quarantine_bytes=_below(repository.store.quarantine),
        incoming_bytes=_below(repository.store.incoming),
    )


def _below(folder: Path) -> int:
    """Returns the bytes of all files in a folder; 0 where it is not there."""
    return sum(facts.st_size for facts in facts_below(folder) if S_ISREG(facts.st_mode))


def _chunks(view: View, node: Digest) -> dict[Digest, None] | None:
    """Returns the chunks of a node, each once, in order; None where it has no manifest here."""
    parts = view.parts(node)
    return dict.fromkeys(parts.chunks()) if parts else None


@dataclass(frozen=True, slots=True)
class _Rows:
    """The row that each chunk is read from, in packs that stay if it has one there.

    Attributes:
        catalog: All rows.
        lasting: Those in packs that stay.
        chunks: Node -> its chunks; ancestors first.
        users: Chunk -> how many nodes have it.
        owners: Chunk -> the first node that has it.
    """

    catalog: Catalog
    lasting: Catalog
    chunks: Mapping[Digest, Iterable[Digest]]
    users: Counter[Digest]
    owners: Mapping[Digest, Digest]
    found: dict[Digest, Place | None] = field(default_factory=dict)

    @classmethod
    def of(cls, catalog: Catalog, chunks: dict[Digest, dict[Digest, None]]) -> "_Rows":
        """Returns the rows of a catalog for the chunks of some nodes."""
        staying = {p: index for p, index in catalog.packs.items() if p not in catalog.condemned}
        lasting = Catalog(staying, catalog.damaged) if catalog.condemned else catalog
        users = Counter(chunk for found in chunks.values() for chunk in found)
        owners = {c: node for node, found in reversed(chunks.items()) for c in found}
        return cls(catalog, lasting, chunks, users, owners)

    def row(self, chunk: Digest) -> Place | None:
        """Returns the row of a chunk; None where it is not here."""
        if chunk not in self.found:
            choices = self.lasting.choices(chunk) or self.catalog.choices(chunk)
            self.found[chunk] = choices[0] if choices else None
        return self.found[chunk]

    def rows(self, chunks: Iterable[Digest]) -> list[Place]:
        """Returns the rows of those chunks that are here."""
        return [place for chunk in chunks if (place := self.row(chunk))]

    def size(self, chunks: Iterable[Digest]) -> int:
        """Returns what chunks take as they are stored."""
        return sum(place.row.stored_bytes for place in self.rows(chunks))

    def below(self, chunks: Iterable[Digest]) -> set[Digest]:
        """Returns chunks, and all that they rest on."""
        seen: set[Digest] = set()
        todo = list(chunks)
        while todo:
            chunk = todo.pop()
            if chunk not in seen:
                seen.add(chunk)
                todo += [base for place in self.rows([chunk]) for base in place.row.bases]
        return seen

    def unreadable(self) -> int:
        """Returns what rows take, in packs that stay, of needed chunks that cannot be decoded."""
        bad = [chunk for chunk in self.users if not self.row(chunk)]
        below = closure(bad, self.lasting.all_bases)
        broken = (Ref(CHUNK, chunk) for chunk in below if not self.row(chunk))
        return sum(p.row.stored_bytes for ref in broken for p in self.lasting.all_places(ref))


def _model(view: View, node: Digest, rows: _Rows) -> ModelSize:
    wanted = list(rows.chunks[node])
    found = [place.row for place in rows.rows(wanted)]
    parts = view.parts(node)
    bases = (base for row in found for base in row.bases)
    on = Counter(rows.owners[base] for base in bases if base in rows.owners)
    costs = [cost for cost in map(rows.lasting.cost, wanted) if cost is not None]
    stored = sum(row.stored_bytes for row in found)
    shared = sum(row.stored_bytes for row in found if rows.users[row.ref.digest] > 1)
    return ModelSize(
        title=view.title(node),
        node=node,
        raw_bytes=parts.size_bytes if parts else 0,
        stored_bytes=stored,
        own_bytes=stored - shared,
        shared_bytes=shared,
        absent_chunks=len(wanted) - len(found),
        codecs=dict(sorted(Counter(_codec_name(row.codec) for row in found).items())),
        rests_on=tuple(view.title(other) for other, _ in on.most_common(_SHOWN)),
        deepest=max((cost.depth for cost in costs), default=0),
    )


def _unused(packs: Iterable[PackIndex], rows: _Rows) -> int:
    """Returns what no node here needs of the bodies in packs that stay."""
    needed = rows.below(rows.users)
    staying = rows.lasting.packs
    bodies = sum(p.bodies_bytes for p in packs if p.kind is PackKind.CHUNKS and p.pack in staying)
    used = (p.row.stored_bytes for p in rows.rows(needed) if p.pack in staying)
    return max(bodies - sum(used), 0)


def _codec_name(number: int) -> str:
    try:
        return codec(number).name
    except UnknownCodecError:
        return f"codec {number}"
