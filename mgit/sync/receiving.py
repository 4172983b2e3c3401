"""What comes from a remote: read, verified apart, made part of this copy in one step."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from mgit.codecs import decodable, require_decodable
from mgit.digest import Digest
from mgit.errors import DamagedError, PackMissingError, TrustError, UnknownCodecError, UsageError
from mgit.intake import Quarantine
from mgit.names import Names
from mgit.objects import CHUNK, MetaObject, Node, Payload, Ref
from mgit.progress import Progress, silent
from mgit.remote import Remote, connect
from mgit.repository import (
    HERE,
    History,
    Parts,
    Reason,
    Repository,
    absences,
    install_objects,
    leased,
)
from mgit.roots import closure
from mgit.selection import Selection
from mgit.store import Place
from mgit.store.files import require_space
from mgit.sync.elsewhere import Elsewhere
from mgit.sync.metadata import Metadata
from mgit.sync.peer import Peer, meet
from mgit.sync.settings import Source, source_of
from mgit.sync.travel import Travel, route_with_bases, travelling, with_unknown_kinds


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
        damaged: Objects there that are damaged, and were not needed or came from elsewhere.
    """

    remote: str
    nodes: int
    objects: int
    received_bytes: int
    moved: tuple[NameChange, ...]
    conflicts: tuple[str, ...]
    unready: Mapping[str, str] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()


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
        UnknownCodecError: Weights came that cannot be decoded here; all the rest is done.
    """
    source = source_of(repository, remote)
    wanted = Source(source.name, source.url, selector or source.select, source.weights)
    return receive(repository, wanted, connect(source.url), progress)


@leased("fetch", is_writing=True)
def receive(repository: Repository, source: Source, remote: Remote, progress: Progress) -> Fetched:
    """Fetches from a connected remote; lists once more if a pack vanished meanwhile."""
    repository.check_writable()
    try:
        return _receive(repository, source, meet(repository, source.name, remote), progress)
    except PackMissingError:
        return _receive(repository, source, meet(repository, source.name, remote), progress)


def _receive(repository: Repository, source: Source, peer: Peer, progress: Progress) -> Fetched:
    before = repository.history()
    elsewhere = Elsewhere(repository, source.url)
    metadata = Metadata(repository, peer, elsewhere)
    arrived = metadata.unknown()
    after = before.with_objects({ref.digest: obj for ref, obj in arrived.items()})
    _require_same_repository(peer, after)
    unneeded = frozenset(peer.damaged)  # so far nothing was asked for by name
    travel = travelling(after, selected_nodes(repository, after, source.select))
    objects = dict(travel.objects)
    parts = metadata.parts_of(after, travel.nodes, objects)
    objects = with_unknown_kinds(objects, metadata.absent)
    chunks = [chunk for part in parts.values() for chunk in part.chunks()]
    with Quarantine(repository, source.name) as quarantine:
        if source.weights:
            _receive_all(quarantine, peer, elsewhere, chunks, progress)
    _require_whole(repository, peer, objects, chunks, unneeded)
    _promise(repository, source, _absent(repository, source, travel, parts))
    _remember_heads(repository, source.name, peer, after)
    with repository.writing():
        repository.store.refresh()
        count = install_objects(repository, objects.values())  # last: this moves names
    _require_known(quarantine, peer, chunks)
    now = repository.history()
    return Fetched(
        remote=source.name,
        nodes=len(now.nodes.keys() - before.nodes.keys()),
        objects=count,
        received_bytes=quarantine.received_bytes,
        moved=name_changes(before, now),
        conflicts=conflicted_names(now.names),
        unready=peer.unready,
        damaged=tuple(peer.damaged.values()),
    )


def _require_same_repository(peer: Peer, history: History) -> None:
    """Refuses a remote that holds another repository, or a genesis document nobody signed."""
    if peer.catalog.packs and Ref(Payload.kind, history.repository) not in peer.catalog:
        raise UsageError(
            f"{peer.name} does not hold this repository ({history.repository.short}) but another",
            hint="clone it into another folder, or correct the URL: mgit remote list",
        )
    if peer.catalog.packs and history.repository not in history.ledger.roots:
        raise TrustError(
            f"the genesis document of {history.repository.short} is not signed by its own keys",
            hint="do not use it: ask its owner for the repository again",
        )


class _Spoken(Selection):
    """A selection that remembers what its words stood for, by themselves."""

    spoken: frozenset[Digest] = frozenset()

    def word(self, text: str) -> frozenset[Digest]:
        """Returns what a word stands for."""
        found = super().word(text)
        self.spoken |= found
        return found


def selected_nodes(
    repository: Repository, history: History, selector: str, *, takes_all_sides: bool = True
) -> frozenset[Digest]:
    """Returns the nodes of a selection; where nothing is selected, all that names reach.

    What names do not reach is selected only by its id, or as an ancestor of such a node.
    """
    if not selector:
        return history.named_nodes
    selection = _Spoken(repository, history, takes_all_sides=takes_all_sides)
    found = selection.nodes(selector)
    above = (history.lineage.ancestors(node) for node in selection.spoken)
    return found & history.named_nodes.union(selection.spoken, *above)


def _receive_all(
    quarantine: Quarantine,
    peer: Peer,
    elsewhere: Elsewhere,
    chunks: Iterable[Digest],
    progress: Progress,
) -> None:
    """Receives the chunks that a peer has; those that are damaged there from another remote."""
    receive_chunks(quarantine, peer, chunks, progress)
    damaged = _damaged(quarantine.repository, peer, chunks)
    for other in elsewhere.peers() if damaged else ():
        receive_chunks(quarantine, other, damaged, progress)
        damaged = _damaged(quarantine.repository, peer, damaged)
        if not damaged:
            return


def receive_chunks(
    quarantine: Quarantine, peer: Peer, chunks: Iterable[Digest], progress: Progress
) -> None:
    """Receives the chunks that the peer has and this copy has not.

    Where a row arrives damaged, or a base in this copy turns out to be, another row is taken, until
    there is none. What cannot be decoded here, so that it could not be verified, is not asked for.
    """
    store = quarantine.repository.store
    peer.catalog.restrict(decodable())
    wanted = list(chunks)
    faults = -1
    while faults < len(peer.damaged) + len(store.catalog.damaged):
        faults = len(peer.damaged) + len(store.catalog.damaged)
        _receive_once(quarantine, peer, wanted, progress)


def _receive_once(
    quarantine: Quarantine, peer: Peer, chunks: Iterable[Digest], progress: Progress
) -> None:
    repository = quarantine.repository
    route = route_with_bases(chunks, peer.catalog, repository.store.catalog)
    quarantine.unknown = quarantine.unknown or _undecodable(peer, route.lacking)
    total = sum(place.row.stored_bytes for place in route.places)
    require_space(repository.folder, total)
    done = 0
    for place, body in peer.bodies(route.places):
        quarantine.add(place, body)
        done += len(body)
        progress(done, total)
        if quarantine.is_full:
            _settle(quarantine, peer)
    _settle(quarantine, peer)


def _undecodable(peer: Peer, chunks: Iterable[Digest]) -> UnknownCodecError | None:
    """Returns why chunks, or what they rest on, cannot be decoded here; None if that is not it."""
    catalog = peer.catalog
    for chunk in closure(chunks, catalog.all_bases):
        for place in catalog.all_places(Ref(CHUNK, chunk)):
            try:
                require_decodable(place.row.codec)
            except UnknownCodecError as error:
                return error
    return None


def _settle(quarantine: Quarantine, peer: Peer) -> None:
    for place in quarantine.settle():
        peer.blame(place, "it is not what its id says")


def _damaged(repository: Repository, peer: Peer, chunks: Iterable[Digest]) -> list[Digest]:
    """Returns the chunks that did not come although the peer has rows of them."""
    catalog = repository.store.catalog
    lacking = (chunk for chunk in dict.fromkeys(chunks) if Ref(CHUNK, chunk) not in catalog)
    return [chunk for chunk in lacking if any(peer.catalog.all_places(Ref(CHUNK, chunk)))]


def _require_whole(
    repository: Repository,
    peer: Peer,
    objects: Mapping[Ref, MetaObject],
    chunks: Iterable[Digest],
    unneeded: AbstractSet[Place],
) -> None:
    """Raises DamagedError if something that was asked for arrived damaged, and nowhere whole."""
    are_chunks_here = not _damaged(repository, peer, chunks)

    def is_needed(ref: Ref) -> bool:
        is_here = ref in objects or ref in repository.store.catalog
        return not (is_here or (ref.kind == CHUNK and are_chunks_here))

    needed = {
        place.row.ref: text
        for place, text in peer.damaged.items()
        if place not in unneeded and is_needed(place.row.ref)
    }
    if needed:
        raise DamagedError(
            f"{len(needed)} objects arrived damaged; first {next(iter(needed.values()))}",
            hint="what arrived whole is kept; fetch the rest from another remote",
        )


def _require_known(quarantine: Quarantine, peer: Peer, chunks: Iterable[Digest]) -> None:
    """Raises UnknownCodecError if chunks did not come because they cannot be decoded here."""
    unknown = quarantine.unknown
    if unknown and _damaged(quarantine.repository, peer, chunks):
        text = f"the weights of some models did not come: {unknown}"
        raise UnknownCodecError(text, hint=unknown.hint)


def _promise(
    repository: Repository, source: Source, states: Mapping[Digest, Reason | None]
) -> None:
    """Notes what will not be here and why, before nodes are visible; and what is here now."""
    known = absences(repository)
    changed: defaultdict[str, list[str]] = defaultdict(list)
    for node, reason in sorted(states.items()):
        before = known[node].reason if node in known else None
        if reason is not before:
            changed[reason.value if reason else HERE].append(node.hex())
    for word, nodes in changed.items():
        fact = {"nodes": nodes, "reason": word, "remote": source.name}
        repository.facts("promises").append(fact)


def _absent(
    repository: Repository, source: Source, travel: Travel, parts: Mapping[Digest, Parts]
) -> dict[Digest, Reason | None]:
    """Returns for every node that travels why it will not be complete; None if it will be."""
    catalog = repository.store.catalog
    wanted = frozenset(travel.nodes) if source.weights else frozenset()

    def state(node: Digest) -> Reason | None:
        if node in parts and all(Ref(CHUNK, c) in catalog for c in parts[node].chunks()):
            return None
        return Reason.WITHHELD if node in wanted else Reason.FILTERED

    nodes = (ref.digest for ref in travel.objects if ref.kind == Node.kind)
    return {node: state(node) for node in nodes}


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
