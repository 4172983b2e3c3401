"""What goes to a remote: planned first, then sent as packs, the pack with the entries last."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mgit.codecs import PLANES, planes
from mgit.codecs.form import RAW_FORM, Form
from mgit.digest import Digest
from mgit.errors import ConflictError, MovedError, UsageError
from mgit.names import Ledger, Names
from mgit.objects import (
    CHUNK,
    MetaObject,
    Node,
    PackId,
    PackKind,
    Payload,
    Ref,
    decode,
    digest_of,
    encode,
)
from mgit.progress import Progress, silent
from mgit.remote import connect
from mgit.repository import (
    History,
    Parts,
    Presence,
    Repository,
    genesis_documents,
    leased,
    presence,
    read_parts,
)
from mgit.store import FinishedPack, PackIndex, PackWriter, Row, as_stored
from mgit.sync.joining import join_small_packs
from mgit.sync.metadata import Metadata
from mgit.sync.peer import Peer, meet, write_pack
from mgit.sync.receiving import conflicted_names, selected_nodes
from mgit.sync.settings import source_of
from mgit.sync.travel import Route, route_within, travelling, with_unknown_kinds

_PACK_BYTES = 128 << 20  # what an interrupted push sends again at most
_ATTEMPTS = 3  # while a collection over there removes what a push counted on


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push sent, or would send.

    Attributes:
        remote: Its name.
        nodes: Nodes that the remote did not have.
        objects: Metadata objects, those nodes included.
        chunks: Chunks of weights and files.
        sent_bytes: Bytes of the chunks as stored, and of the metadata.
        packs: Packs written; 0 where nothing was to be sent.
        is_dry_run: Nothing was sent.
    """

    remote: str
    nodes: int
    objects: int
    chunks: int
    sent_bytes: int
    packs: int
    is_dry_run: bool


@dataclass(frozen=True, slots=True)
class _Plan:
    objects: Mapping[Ref, MetaObject]
    parts: tuple[Parts, ...]
    route: Route

    @property
    def rows(self) -> list[Row]:
        """Rows of the chunks to be sent, as they are stored here."""
        return [place.row for place in (*self.route.places, *self.route.recoded)]

    @property
    def refs(self) -> list[Ref]:
        """All that is to be sent."""
        return [*self.objects, *(row.ref for row in self.rows)]

    @property
    def size_bytes(self) -> int:
        """Bytes to be sent; a chunk that is stored anew counts as it is stored here."""
        chunks = sum(row.stored_bytes for row in self.rows)
        return chunks + sum(len(as_stored(encode(obj))[1]) for obj in self.objects.values())


@leased("push", is_writing=False)
def push(
    repository: Repository,
    remote: str = "",
    selector: str = "",
    *,
    is_dry_run: bool = False,
    may_conflict: bool = False,
    progress: Progress = silent,
) -> Pushed:
    """Sends what a remote lacks of a selection, and no weights that were not selected.

    Args:
        repository: Where from.
        remote: Its name or URL; empty: the usual one.
        selector: Which nodes; empty: all that names reach. What was removed or undone is
            sent only if its id is named.
        is_dry_run: Plans only.
        may_conflict: Go on even if a name becomes a conflicted one.
        progress: Is told how far the transfer is.

    Raises:
        MovedError: A name would become a conflicted one: somebody moved it. Or packs of the remote
            keep vanishing.
        UsageError: The remote holds another repository.
        RemoteError, ForbiddenError, MachineError: It cannot be reached, or takes nothing.
    """
    source = source_of(repository, remote)
    connected = connect(source.url)
    return send(
        repository,
        meet(repository, source.name, connected),
        selector,
        is_dry_run=is_dry_run,
        may_conflict=may_conflict,
        progress=progress,
    )


def send(
    repository: Repository,
    peer: Peer,
    selector: str,
    *,
    is_dry_run: bool,
    may_conflict: bool,
    progress: Progress,
) -> Pushed:
    """Pushes to a peer that was met."""
    history = repository.history()
    theirs = {r.digest: o for r, o in Metadata(repository, peer).unknown().items()}
    joint = history.with_objects(theirs) if theirs else history
    _require_related(peer, joint)
    if not may_conflict:
        _refuse_conflicts(peer, history, joint)

    def planned(there: Peer) -> _Plan:
        return _plan(repository, history, there, selector)

    plan = planned(peer)
    is_needed = bool(plan.refs) and not is_dry_run
    sent = _send(repository, peer, plan, planned, progress) if is_needed else []
    refs = plan.refs if is_dry_run else [row.ref for index in sent for row in index.rows()]
    kinds = Counter(ref.kind for ref in refs)
    return Pushed(
        remote=peer.name,
        nodes=kinds[Node.kind],
        objects=kinds.total() - kinds[CHUNK],
        chunks=kinds[CHUNK],
        sent_bytes=plan.size_bytes if is_dry_run else sum(index.bodies_bytes for index in sent),
        packs=len(sent),
        is_dry_run=is_dry_run,
    )


def _require_related(peer: Peer, joint: History) -> None:
    there = [d for d in genesis_documents(joint) if Ref(Payload.kind, d) in peer.catalog]
    if there and joint.repository not in there:
        raise UsageError(
            f"{peer.name} holds another repository ({there[0].short})",
            hint="push into an empty folder, or correct the URL: mgit remote list",
        )


def _refuse_conflicts(peer: Peer, history: History, joint: History) -> None:
    """Refuses to make a name a conflicted one that is not conflicted at the remote now."""
    there = conflicted_names(_names_at(peer, joint))
    fresh = [name for name in conflicted_names(joint.names) if name not in there]
    if not fresh:
        return
    shown = ", ".join(fresh)
    if set(fresh) <= set(conflicted_names(history.names)):
        raise ConflictError(
            f"pushing would make a conflicted name at {peer.name}: {shown}",
            hint=f"settle it: mgit resolve {fresh[0]} --pick SIDE (or push --allow-conflict)",
        )
    raise MovedError(
        f"somebody moved {shown} at {peer.name}: pushing would make a conflicted name",
        hint="mgit pull, settle it, and push again (or push --allow-conflict)",
    )


def _names_at(peer: Peer, joint: History) -> Names:
    ledger = joint.ledger
    entries = {d: e for d, e in ledger.entries.items() if Ref(Payload.kind, d) in peer.catalog}
    there = Ledger(ledger.repository, ledger.roots, entries)
    return Names(there, joint.lineage.version_ancestors)


def _plan(repository: Repository, history: History, peer: Peer, selector: str) -> _Plan:
    selected = selected_nodes(repository, history, selector)
    travel = travelling(history, selected)
    objects = dict(travel.objects)
    chunks: list[Digest] = []
    described = []
    for node in travel.nodes:
        if presence(repository, history.nodes[node]) is not Presence.COMPLETE:
            continue  # a manifest without its weights would look like a loss over there
        parts = read_parts(repository, history.nodes[node])
        described.append(parts)
        objects.update({Ref(obj.kind, digest_of(obj)): obj for obj in parts.objects()})
        chunks += parts.chunks()
    store = repository.store

    def read(refs: Iterable[Ref]) -> dict[Ref, MetaObject]:
        return {r: decode(store.reader.object(r)) for r in refs if r in store.catalog}

    objects = with_unknown_kinds(objects, read)
    lacking = {ref: obj for ref, obj in objects.items() if ref not in peer.catalog}
    return _Plan(lacking, tuple(described), route_within(chunks, store.catalog, peer.catalog))


def _send(
    repository: Repository,
    peer: Peer,
    plan: _Plan,
    planned: Callable[[Peer], _Plan],
    progress: Progress,
) -> list[PackIndex]:
    """Sends what is planned, and makes sure in the end that all is there; returns the packs.

    What was there before too: a collection over there may have removed it meanwhile. That follows.
    """
    sent: list[PackIndex] = []
    for _ in range(_ATTEMPTS):
        fresh = _write(repository, peer, plan, progress)
        sent += fresh.values()
        there = {listing.pack for listing in peer.remote.packs()}
        known = {**peer.catalog.packs, **fresh}
        if there.issuperset(known):
            join_small_packs(repository, peer, known)
            return sent
        peer = meet(repository, peer.name, peer.remote)
        plan = planned(peer)  # empty where what is gone is elsewhere there, or of no use to us
    raise MovedError(f"{peer.name} loses packs while we push", hint="push again")


def _write(
    repository: Repository, peer: Peer, plan: _Plan, progress: Progress
) -> dict[PackId, PackIndex]:
    """Writes the packs of a plan, chunks first."""
    sent: dict[PackId, PackIndex] = {}
    done, total = 0, plan.size_bytes
    for pack in _packs(repository, plan):
        write_pack(repository, peer, pack)
        sent[pack.pack] = pack.index
        done += pack.index.bodies_bytes
        progress(min(done, total), total)
    progress(total, total)
    return sent


def _packs(repository: Repository, plan: _Plan) -> Iterator[FinishedPack]:
    """Yields packs as they are filled; each is removed here once the next one is asked for."""
    with repository.store.writer(PackKind.CHUNKS) as writer:
        writer.limit_bytes = _PACK_BYTES
        for _ in _fill(repository, plan, writer):
            yield from _drain(writer)
        writer.finish()
        yield from _drain(writer)
    with repository.store.writer(PackKind.META) as writer:
        for ref, obj in plan.objects.items():
            writer.add_object(ref, encode(obj))
        writer.finish()
        yield from _drain(writer)


def _fill(repository: Repository, plan: _Plan, writer: PackWriter) -> Iterator[None]:
    reader = repository.store.reader
    forms = _forms(plan.parts) if plan.route.recoded else {}
    for ref in (place.row.ref for place in plan.route.recoded):
        raw = reader.chunk(ref.digest)
        body = planes.encode(raw, forms.get(ref.digest, RAW_FORM))
        writer.add(ref, body, raw_bytes=len(raw), codec=PLANES.number)
        yield
    for place in plan.route.places:
        writer.copy(place.row, reader.stored(place))
        yield


def _drain(writer: PackWriter) -> Iterator[FinishedPack]:
    while writer.finished:
        yield writer.finished[0]
        writer.finished.pop(0).remove()


def _forms(parts: Iterable[Parts]) -> dict[Digest, Form]:
    """What the chunks of tensors consist of; all others are bytes of files."""
    return {
        chunk: Form(tensor.dtype)
        for part in parts
        for tensor in part.weights.tensors.values()
        for chunk in tensor.chunks
    }
