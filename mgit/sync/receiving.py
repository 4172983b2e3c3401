"""What comes from a remote: read, verified apart, made part of this copy in one step."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from mgit.codecs import codec
from mgit.digest import Digest
from mgit.errors import FormatError, MachineError, MgitError, TrustError, UsageError
from mgit.intake import Quarantine, install_objects, verified
from mgit.names import Names
from mgit.objects import (
    CHUNK,
    Content,
    Layout,
    Manifest,
    MetaObject,
    Node,
    PackKind,
    Payload,
    Ref,
    Signature,
    Weights,
    encode,
)
from mgit.remote import Remote, connect
from mgit.repository import History, Parts, Reason, Repository, absences
from mgit.selection import Selection
from mgit.store import Place, Store
from mgit.store.files import require_space
from mgit.sync.peer import Peer, meet
from mgit.sync.remotes import Source, source_of
from mgit.sync.travel import Travel, route_with_bases, travelling, with_unknown_kinds

Progress = Callable[[int, int], None]  # bytes done, bytes in all
Part = TypeVar("Part", Manifest, Content, Layout, Weights)
_MAX_METADATA_BYTES = 2 << 30


def silent(_done: int, _total: int) -> None:
    """Reports no progress."""


@dataclass(frozen=True, slots=True)
class NameChange:
    """A name that means something else now."""

    name: str
    before: tuple[Digest, ...]
    after: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came from a remote.

    Attributes:
        remote: Its name.
        nodes: Nodes that were not here.
        objects: Metadata objects that were not here.
        received_bytes: Bytes of chunks, as stored.
        moved: Names that changed.
        conflicts: Names that are conflicted now.
        unready: Packs of the remote that are not complete, with the reason.
    """

    remote: str
    nodes: int
    objects: int
    received_bytes: int
    moved: tuple[NameChange, ...]
    conflicts: tuple[str, ...]
    unready: Mapping[str, str] = field(default_factory=dict)


def fetch(
    repository: Repository, remote: str = "", selector: str = "", *, progress: Progress = silent
) -> Fetched:
    """Adds what a remote has and this copy wants; code is never run, weights are never merged.

    Args:
        repository: Where to.
        remote: Its name or URL; empty: the usual one.
        selector: Which nodes; empty: those that this copy was cloned with.
        progress: Is told how far the transfer of chunks is.

    Raises:
        RemoteError: It cannot be reached.
        UsageError: It holds another repository.
        DamagedError: Something arrived damaged; what arrived whole is kept.
    """
    source = source_of(repository, remote)
    wanted = Source(source.name, source.url, selector or source.select, source.weights)
    return receive(repository, wanted, connect(source.url), progress)


def receive(repository: Repository, source: Source, remote: Remote, progress: Progress) -> Fetched:
    """Fetches from a connected remote."""
    repository.check_writable()
    before = repository.history()
    peer = meet(repository, source.name, remote)
    arrived = unknown_metadata(repository, peer)
    after = before.with_objects({ref.digest: obj for ref, obj in arrived.items()})
    require_same_repository(peer, after)
    travel = travelling(after, selected_nodes(repository, after, source.select))
    joint = Joint(repository, peer, dict(travel.objects))
    parts, lacking = joint.parts_of(after, travel.nodes)
    objects = with_unknown_kinds(joint.objects, joint.read)
    with Quarantine(repository, source.name) as quarantine:
        if source.weights:
            _receive_chunks(repository, peer, quarantine, parts, progress)
    _promise(repository, source, _absent(repository, source, travel, parts, lacking))
    new_objects = install_objects(repository, objects.values())
    _remember_heads(repository, source.name, peer, after)
    peer.require_sound()
    now = repository.history()
    return Fetched(
        remote=source.name,
        nodes=len(now.nodes.keys() - before.nodes.keys()),
        objects=new_objects,
        received_bytes=quarantine.received_bytes,
        moved=name_changes(before, now),
        conflicts=conflicted_names(now.names),
        unready=peer.unready,
    )


def unknown_metadata(repository: Repository, peer: Peer) -> dict[Ref, MetaObject]:
    """Returns the nodes, payloads and signatures at a peer that are not here, verified.

    What was seen before and not wanted is kept in a cache, so that it is not read again. What is
    damaged there is left out and noted; it stops nothing else.
    """
    aside = Store(repository.store.cache / "elsewhere", repository.store.cache / "elsewhere")
    known: dict[Ref, MetaObject] = {}
    places: dict[Ref, Place] = {}
    for kind in (Node.kind, Payload.kind, Signature.kind):
        for place in peer.catalog.of_kind(kind):
            ref = place.row.ref
            if ref in repository.store.catalog or ref in known:
                continue
            cached = _read_aside(aside, ref)
            if cached is not None:
                known[ref] = cached
            else:
                places[ref] = place
    read = read_metadata(peer, places.values())
    _keep_aside(aside, read)
    return known | read


def _read_aside(aside: Store, ref: Ref) -> MetaObject | None:
    try:
        return verified(ref, aside.reader.object(ref)) if ref in aside.catalog else None
    except MgitError:
        return None  # a cache that cannot be read costs a read at the peer


def _keep_aside(aside: Store, objects: Mapping[Ref, MetaObject]) -> None:
    with contextlib.suppress(MachineError), aside.writer(PackKind.META) as writer:
        for ref, obj in objects.items():
            data = encode(obj)
            writer.add(ref, data, raw_bytes=len(data))
        if objects:
            aside.install(writer.finish())


def read_metadata(peer: Peer, places: Iterable[Place]) -> dict[Ref, MetaObject]:
    """Returns metadata objects from a peer, verified, near ones read together."""
    ordered = sorted(places, key=lambda p: (p.pack, p.row.offset))
    total = sum(place.row.raw_bytes for place in ordered)
    if total > _MAX_METADATA_BYTES:
        raise TrustError(f"{peer.name} offers {total:,} bytes of metadata: more than is taken")
    objects = {}
    for place, body in peer.bodies(ordered):
        try:
            raw = codec(place.row.codec).decode(body, (), place.row.raw_bytes)
            objects[place.row.ref] = verified(place.row.ref, raw)
        except FormatError as error:
            peer.blame(place, str(error))
    return objects


def require_same_repository(peer: Peer, history: History) -> None:
    """Raises UsageError if a remote that is not empty lacks this repository's genesis document."""
    if peer.catalog.packs and Ref(Payload.kind, history.repository) not in peer.catalog:
        raise UsageError(
            f"{peer.name} does not hold this repository ({history.repository.short}) but another",
            hint="clone it into another folder, or correct the URL: mgit remote list",
        )


def selected_nodes(repository: Repository, history: History, selector: str) -> frozenset[Digest]:
    """Returns the nodes of a selection; all of the repository's where nothing is selected."""
    if not selector:
        return history.own_nodes
    return Selection(repository, history).nodes(selector)


@dataclass(slots=True)
class Joint:
    """Metadata objects from here or from a peer; those from the peer are gathered.

    Attributes:
        repository: Asked first.
        peer: Asked for what is not here.
        objects: What has to be written in the end.
    """

    repository: Repository
    peer: Peer
    objects: dict[Ref, MetaObject]

    def read(self, refs: Iterable[Ref]) -> dict[Ref, MetaObject]:
        """Returns those objects that the peer has and that are not here, in joined reads."""
        absent = [r for r in refs if r not in self.repository.store.catalog]
        places = [found[0] for ref in absent if (found := self.peer.catalog.places(ref))]
        objects = read_metadata(self.peer, places)
        self.objects.update(objects)
        return objects

    def parts_of(
        self, history: History, nodes: Iterable[Digest]
    ) -> tuple[dict[Digest, Parts], set[Digest]]:
        """Returns the parts of those nodes that anybody has, and the nodes that nobody has."""
        manifests = {node: Ref(Manifest.kind, history.nodes[node].manifest) for node in nodes}
        self.read(manifests.values())
        known = {n: m for n, ref in manifests.items() if (m := self._get(ref, Manifest))}
        self.read(Ref(Content.kind, m.content) for m in known.values())
        self.read(Ref(Layout.kind, m.layout) for m in known.values())
        contents = {n: c for n, m in known.items() if (c := self._content(m))}
        self.read(Ref(Weights.kind, content.weights) for content in contents.values())
        parts = {}
        for node, content in contents.items():
            layout = self._get(Ref(Layout.kind, known[node].layout), Layout)
            weights = self._get(Ref(Weights.kind, content.weights), Weights)
            if layout and weights:
                parts[node] = Parts(known[node], content, layout, weights)
        return parts, set(manifests) - set(parts)

    def _content(self, manifest: Manifest) -> Content | None:
        return self._get(Ref(Content.kind, manifest.content), Content)

    def _get(self, ref: Ref, kind: type[Part]) -> Part | None:
        found = self.objects.get(ref)
        if found is None and ref in self.repository.store.catalog:
            return self.repository.part(kind, ref.digest)
        return found if isinstance(found, kind) else None


def _receive_chunks(
    repository: Repository,
    peer: Peer,
    quarantine: Quarantine,
    parts: Mapping[Digest, Parts],
    progress: Progress,
) -> None:
    """Receives the chunks of nodes that the peer has and this copy has not."""
    chunks = [chunk for part in parts.values() for chunk in part.chunks()]
    route = route_with_bases(chunks, peer.catalog, repository.store.catalog)
    total = sum(place.row.stored_bytes for place in route.places)
    require_space(repository.folder, total)
    done = 0
    for place, body in peer.bodies(route.places):
        quarantine.add(place, body)
        done += len(body)
        progress(done, total)
        if quarantine.is_full:
            quarantine.settle()


def _promise(repository: Repository, source: Source, absent: Mapping[Digest, Reason]) -> None:
    """Notes what will not be here, and why, before the nodes become visible."""
    known = absences(repository)
    for reason in Reason:
        nodes = sorted(
            node
            for node, why in absent.items()
            if why is reason and (node not in known or known[node].reason is not why)
        )
        if nodes:
            texts = [node.hex() for node in nodes]
            fact = {"nodes": texts, "reason": reason.value, "remote": source.name}
            repository.facts("promises").append(fact)


def _absent(
    repository: Repository,
    source: Source,
    travel: Travel,
    parts: Mapping[Digest, Parts],
    lacking: set[Digest],
) -> dict[Digest, Reason]:
    """Returns the nodes that will not be complete here, and why."""
    catalog = repository.store.catalog
    nodes = (ref.digest for ref in travel.objects if ref.kind == Node.kind)
    absent = {
        node: Reason.FILTERED
        for node in nodes
        if node not in parts or not all(Ref(CHUNK, c) in catalog for c in parts[node].chunks())
    }
    if source.weights:
        absent |= dict.fromkeys(parts.keys() & absent, Reason.WITHHELD)
    return absent | dict.fromkeys(lacking, Reason.WITHHELD)


def _remember_heads(repository: Repository, remote: str, peer: Peer, history: History) -> None:
    """Notes which entries the remote had, so that ``remote:name`` can be answered offline."""
    entries = history.ledger.entries
    there = {d for d in entries if Ref(Payload.kind, d) in peer.catalog}
    heads = sorted(there - {p for d in there for p in entries[d].previous})
    fact = {"remote": remote, "heads": [head.hex() for head in heads]}
    last = [known for known in repository.facts("heads") if known.get("remote") == remote][-1:]
    if last != [fact]:
        repository.facts("heads").append(fact)


def name_changes(before: History, after: History) -> tuple[NameChange, ...]:
    """Returns the names that mean something else in ``after``."""
    names = sorted({*before.names.names(), *after.names.names()})
    changes = (
        NameChange(n, tuple(sorted(before.names.resolve(n))), tuple(sorted(after.names.resolve(n))))
        for n in names
    )
    return tuple(change for change in changes if change.before != change.after)


def conflicted_names(names: Names) -> tuple[str, ...]:
    """Returns the names that several nodes hold."""
    return tuple(name for name in names.names() if len(names.resolve(name)) > 1)
