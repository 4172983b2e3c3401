"""Is everything in this copy as it should be? Names what is damaged, and whom it affects."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError, FormatError, MgitError
from mgit.objects import CHUNK, ENTRY_TYPE, Entry, Node, Ref, decode
from mgit.progress import Progress, silent
from mgit.repository import History, Repository, absences, is_lost, read_parts
from mgit.roots import closure
from mgit.selection import Selection
from mgit.store import Place


@dataclass(frozen=True, slots=True)
class Damage:
    """A row that is not as its index promises.

    Attributes:
        place: Where it is, and which object it should hold.
        reason: What is wrong with it.
        has_good_copy: Another pack holds the object whole.
        models: What cannot be read because of it: names, versions, or short ids of nodes.
        names: Those of them that are names: adding one's checkpoint again heals.
    """

    place: Place
    reason: str
    has_good_copy: bool
    models: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found.

    Attributes:
        packs: Complete packs.
        objects: Objects in them.
        checked_bytes: Stored bytes that were read.
        damage: Rows that are bad.
        unready: Files among the packs that are no complete pack, with the reason.
        lost: Nodes of which something is gone that this copy should have.
        forged: Entries whose signature is not by their key: they count for nothing.
    """

    packs: int
    objects: int
    checked_bytes: int
    damage: tuple[Damage, ...]
    unready: dict[str, str]
    lost: tuple[str, ...]
    forged: tuple[Digest, ...]

    @property
    def is_clean(self) -> bool:
        """Whether everything that should be here can be read."""
        is_whole = all(damage.has_good_copy for damage in self.damage)
        return is_whole and not (self.unready or self.lost or self.forged)


def check(repository: Repository, *, progress: Progress = silent) -> Report:
    """Reads every stored byte and compares it with what the indexes promise.

    Rows that are bad are noted and count as absent from now on; rows that were noted and are good
    again count again. Chunks are not decoded: their stored bytes decide.
    """
    store = repository.store
    store.refresh()
    places = [Place(p, row) for p, index in store.catalog.packs.items() for row in index.rows()]
    total = sum(place.row.stored_bytes for place in places)
    bad: dict[Place, str] = {}
    done = 0
    for place in places:
        reason = _fault(repository, place)
        if reason:
            bad[place] = reason
        done += place.row.stored_bytes
        progress(done, total)
    _note(repository, bad)
    history = repository.history()
    selection = Selection(repository, history)
    lost = _lost(repository, history)
    return Report(
        packs=len(store.catalog.packs),
        objects=len(places),
        checked_bytes=total,
        damage=tuple(_damages(repository, selection, history, bad, lost)),
        unready=dict(store.unready),
        lost=tuple(selection.title(node) for node in lost),
        forged=tuple(_forged(history)),
    )


def _fault(repository: Repository, place: Place) -> str:
    """Returns what is wrong with a row; empty if nothing is."""
    try:
        body = repository.store.reader.stored(place)
        if place.row.ref.kind != CHUNK:
            if Digest.of(body) != place.row.ref.digest:
                raise FormatError("the object does not have its digest")
            decode(body)
    except MgitError as error:
        return str(error)
    return ""


def _note(repository: Repository, bad: dict[Place, str]) -> None:
    store = repository.store
    known = frozenset(store.catalog.damaged)
    for pack in sorted({pack for pack, _ in known} - {place.pack for place in bad}):
        store.note_healing(pack)
    for place, reason in bad.items():
        if (place.pack, place.row.ref.digest) not in known:
            store.catalog.exclude(place)
            store.reader.report(place, reason)


def _damages(
    repository: Repository,
    selection: Selection,
    history: History,
    bad: dict[Place, str],
    lost: list[Digest],
) -> Iterator[Damage]:
    catalog = repository.store.catalog
    suffering = {node: _rests_on(repository, history.nodes[node]) for node in lost}
    for place, reason in bad.items():
        ref = place.row.ref
        nodes = [node for node, rests_on in suffering.items() if ref.digest in rests_on]
        models = tuple(sorted(selection.title(node) for node in nodes))
        names = tuple(sorted(set(models) & set(history.names.names())))
        yield Damage(place, reason, ref in catalog, models, names)


def _lost(repository: Repository, history: History) -> list[Digest]:
    """Returns the nodes that are not complete although nobody said so."""
    promised = absences(repository)
    nodes = sorted(history.nodes.items())
    return [d for d, node in nodes if d not in promised and is_lost(repository, node)]


def _rests_on(repository: Repository, node: Node) -> set[Digest]:
    """Returns every object that reading a node's checkpoint needs, as far as that is known."""
    parts = {node.manifest}
    try:
        manifest, content = (found := read_parts(repository, node)).manifest, found.content
    except (AbsentError, DamagedError):
        return parts
    chunks = closure(found.chunks(), lambda chunk: _bases(repository, chunk))
    return parts | {manifest.content, manifest.layout, content.weights} | chunks


def _bases(repository: Repository, chunk: Digest) -> Iterable[Digest]:
    indexes = repository.store.catalog.packs.values()
    rows = (index.find(Ref(CHUNK, chunk)) for index in indexes)
    return [base for row in rows if row for base in row.bases]


def _forged(history: History) -> Iterator[Digest]:
    for digest, payload in history.payloads.items():
        is_entry = payload.type == ENTRY_TYPE
        if is_entry and Entry.from_payload(payload).key not in history.signers(digest):
            yield digest
