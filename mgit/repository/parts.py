"""The parts of a node, and whether they are in this copy."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError
from mgit.objects import (
    CHUNK,
    CREATION,
    Content,
    FileEntry,
    Layout,
    Manifest,
    MetaObject,
    Node,
    Ref,
    Weights,
)
from mgit.repository.handle import Repository
from mgit.repository.history import History
from mgit.store import Fact


class Presence(Enum):
    """How much of a node is in this copy."""

    COMPLETE = "complete"
    WITHOUT_WEIGHTS = "without weights"
    NODE_ONLY = "node only"


HERE = "here"  # takes back what was said of a node before


class Reason(Enum):
    """Why something is absent. Each needs another answer."""

    FILTERED = "filtered"  # this copy asked not to have it
    WITHHELD = "withheld"  # who sent the node did not send it
    DROPPED = "dropped"  # no name led to it any more


@dataclass(frozen=True, slots=True)
class Parts:
    """All that describes a checkpoint."""

    manifest: Manifest
    content: Content
    layout: Layout
    weights: Weights

    def __post_init__(self) -> None:
        for shard in self.layout.shards:
            unknown = set(shard.order) - self.weights.tensors.keys()
            if unknown:
                raise DamagedError(f"{shard.path} names {min(unknown)!r}, which the weights lack")

    def files(self) -> dict[str, FileEntry]:
        """Returns every file that is kept whole, by path."""
        return {**self.content.files, **self.layout.files, **self.manifest.documents}

    def chunks(self) -> Iterator[Digest]:
        """Yields the chunks in the order of first use: shard by shard, then files."""
        in_shards = [name for shard in self.layout.shards for name in shard.order]
        for name in in_shards:
            yield from self.weights.tensors[name].chunks
        for file in self.files().values():
            yield from file.chunks

    def objects(self) -> list[MetaObject]:
        """Returns the objects, those that are cited first."""
        return [self.weights, self.content, self.layout, self.manifest]

    @property
    def size_bytes(self) -> int:
        """Bytes of the checkpoint's files together."""
        tensors = sum(t.size_bytes for t in self.weights.tensors.values())
        headers = sum(8 + len(shard.header) for shard in self.layout.shards)
        return headers + tensors + sum(f.size_bytes for f in self.files().values())


def read_parts(repository: Repository, node: Node) -> Parts:
    """Returns the parts of a node; AbsentError where its manifest is not here."""
    return parts_of(repository, node.manifest)


def parts_of(repository: Repository, digest: Digest) -> Parts:
    """Returns the parts that a manifest cites; AbsentError where they are not here."""
    manifest = repository.part(Manifest, digest)
    content = repository.part(Content, manifest.content)
    layout = repository.part(Layout, manifest.layout)
    return Parts(manifest, content, layout, repository.part(Weights, content.weights))


def presence(repository: Repository, node: Node) -> Presence:
    """Returns how much of a node is here and can be decoded."""
    return presence_of(repository, node.manifest)


def presence_of(repository: Repository, manifest: Digest) -> Presence:
    """Returns how much of what a manifest cites is here and can be decoded."""
    return _found(repository, manifest)[0]


def _found(repository: Repository, manifest: Digest) -> tuple[Presence, Parts | None]:
    try:
        parts = parts_of(repository, manifest)
    except (AbsentError, DamagedError):
        return Presence.NODE_ONLY, None
    catalog = repository.store.catalog
    if all(Ref(CHUNK, chunk) in catalog for chunk in parts.chunks()):
        return Presence.COMPLETE, parts
    return Presence.WITHOUT_WEIGHTS, parts


@dataclass(frozen=True, slots=True)
class Absence:
    """Why a part of a node is not here, and which remote was asked last."""

    reason: Reason
    remote: str

    def sentence(self) -> str:
        """Returns the reason in words."""
        match self.reason:
            case Reason.FILTERED:
                return f"left out when this copy was made from {self.remote}"
            case Reason.WITHHELD:
                return f"{self.remote} did not have it"
            case Reason.DROPPED:
                return "removed by mgit gc, because no name led there any more"


def absences(repository: Repository) -> dict[Digest, Absence]:
    """Returns what this copy knows it does not have, by node id; the newest word counts."""
    found: dict[Digest, Absence] = {}
    for fact in repository.facts("promises"):
        with contextlib.suppress(ValueError):  # a line that makes no sense
            _apply(fact, found)
    return found


def _apply(fact: Fact, found: dict[Digest, Absence]) -> None:
    match fact:
        case {"nodes": list(nodes), "reason": "here"}:
            for node in nodes:
                found.pop(Digest.from_text(str(node)), None)
        case {"nodes": list(nodes), "reason": str(reason), "remote": str(remote)}:
            absence = Absence(Reason(reason), remote)
            found.update({Digest.from_text(str(node)): absence for node in nodes})
        case _:
            return


def _made_here(repository: Repository, history: History) -> frozenset[Digest]:
    """Returns the nodes that steps of this copy made, which were complete when they were."""
    done = {fact.get("entry") for fact in repository.facts("operations")}
    steps = (entry for digest, entry in history.ledger.entries.items() if digest.hex() in done)
    claims = {claim for step in steps for claim in step.claims}
    statements = (history.statements[claim] for claim in claims & history.statements.keys())
    subjects = (s for said in statements if said.predicate_type == CREATION for s in said.subjects)
    return frozenset(s.ref.digest for s in subjects if s.ref.kind == Node.kind)


def lost(repository: Repository, history: History, nodes: Iterable[Digest]) -> list[Digest]:
    """Returns those of some nodes, sorted, that should be complete here, and are not.

    Nobody promised them to be absent.
    """
    promised, made = absences(repository), _made_here(repository, history)
    known = sorted((history.nodes.keys() & set(nodes)) - promised.keys())
    return [n for n in known if _is_lost(repository, history.nodes[n], is_made_here=n in made)]


def _is_lost(repository: Repository, node: Node, *, is_made_here: bool) -> bool:
    """Returns whether a node that nobody promised to be absent should be complete, and is not.

    A bare node is none: it came without its manifest, because somebody selected others. One that
    was made here is never bare.
    """
    match presence(repository, node):
        case Presence.COMPLETE:
            return False
        case Presence.WITHOUT_WEIGHTS:
            return True
        case Presence.NODE_ONLY:
            ref = Ref(Manifest.kind, node.manifest)
            return is_made_here or any(repository.store.catalog.all_places(ref))


def require_complete(repository: Repository, name: str, node_id: Digest, node: Node) -> Parts:
    """Returns the parts of a node whose weights are here.

    Raises:
        AbsentError: They are not, as was known; the message says why, the hint how to get them.
        DamagedError: They should be.
    """
    state, parts = _found(repository, node.manifest)
    if parts and state is Presence.COMPLETE:
        return parts
    what = "the weights" if state is Presence.WITHOUT_WEIGHTS else "the manifest and weights"
    absence = absences(repository).get(node_id)
    if absence is None:
        is_made_here = node_id in _made_here(repository, repository.history())
        if _is_lost(repository, node, is_made_here=is_made_here):
            raise DamagedError(
                f"{what} of {name} are damaged, or lost from this folder",
                hint="mgit fsck says what; adding the same checkpoint again heals",
            )
    absence = absence or Absence(Reason.WITHHELD, "whoever sent the bare node")
    raise AbsentError(
        f"{what} of {name} are not here: {absence.sentence()}", hint=f"mgit backfill {name}"
    )
