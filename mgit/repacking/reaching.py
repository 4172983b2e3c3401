"""What is kept: all that anybody may still ask for. When unsure, it is kept.

Entries, root documents, statements and signatures always stay, with all that they reach; so do
objects of kinds that this version does not know. Of nodes the descriptions and weights stay as long
as a name leads to them, or may lead to them again by an undo.
"""

import contextlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mgit.digest import Digest
from mgit.errors import DamagedError, UnknownCodecError
from mgit.objects import (
    CHUNK,
    ENTRY_TYPE,
    KINDS,
    ROOT_TYPE,
    STATEMENT_TYPE,
    Entry,
    Manifest,
    MetaObject,
    Node,
    PackId,
    PackKind,
    Payload,
    Ref,
    Signature,
    decode,
)
from mgit.repository import History, Repository
from mgit.roots import closure
from mgit.store import Store

REVIVABLE = timedelta(days=90)
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
_GC_FEATURES = 0  # bits of the features that this version can collect
_ALWAYS = (Payload, Signature)
_TYPES = {ENTRY_TYPE, ROOT_TYPE, STATEMENT_TYPE}


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept.

    Attributes:
        nodes: Nodes whose descriptions and weights are kept, as far as they are here.
        objects: Metadata objects that are here.
        chunks: Chunks, whether they are here or not; without those that they rest on.
    """

    nodes: frozenset[Digest]
    objects: frozenset[Ref]
    chunks: frozenset[Digest]


def require_collectable(store: Store) -> None:
    """Refuses to collect where not everything that is here is understood.

    Raises:
        UnknownCodecError: A pack has a feature that this version must not collect.
        DamagedError: A pack is not complete: what it holds may keep other things alive.
    """
    for pack, index in store.catalog.packs.items():
        if index.gc_features & ~_GC_FEATURES:
            raise UnknownCodecError(
                f"pack {pack.short} needs a newer mgit to be collected: nothing was removed",
                hint="upgrade: pip install --upgrade mgit-models",
            )
    for name, reason in store.unready.items():
        if name.endswith(tuple(f".{kind.value}" for kind in PackKind)):
            raise DamagedError(
                f"{name} cannot be read ({reason}), and may need other things here",
                hint="if it is still arriving, wait; else: mgit fsck",
            )


def reach(repository: Repository, history: History, *, moment: datetime | None = None) -> Kept:
    """Returns what is kept.

    Args:
        repository: Where.
        history: What it holds now.
        moment: The time up to which steps can be undone for 90 days; None: now.

    Raises:
        DamagedError: Something that may lead to other things cannot be read.
    """
    if history.damaged:
        raise DamagedError(
            f"not everything here can be read, so nothing is removed: {history.damaged[0]}",
            hint="mgit fsck says what heals it",
        )
    store = repository.store
    since = (moment or datetime.now(UTC)) - REVIVABLE
    recent = _recent_packs(store, since)
    metadata = list(store.catalog.of_kinds(_kinds(store), store.catalog.packs))
    strange = {place.row.ref for place in metadata if place.row.ref.kind not in KINDS}
    young = {place.row.ref for place in metadata if place.pack in recent}
    known = _Objects(store, history)
    wanted = _nodes(young) | _nodes(_kept_by_strangers(known, strange))
    wanted |= _revivable(history, young | _logged_since(repository, since))
    nodes = history.named_nodes | _with_ancestors(history, wanted)
    always = {Ref(o.kind, d) for d, o in history.objects.items() if isinstance(o, _ALWAYS)}
    return _closure(known, nodes, always | strange | young | {Ref(Node.kind, n) for n in nodes})


@dataclass(frozen=True, slots=True)
class HeldForUndo:
    """Weights that stay only because a step of the last 90 days can be undone.

    Attributes:
        size_bytes: What they take, as stored.
        until: When the last of them may go, if nothing happens until then.
    """

    size_bytes: int
    until: datetime


def held_for_undo(repository: Repository, history: History, kept: Kept) -> HeldForUndo | None:
    """Returns what of ``kept`` stays for an undo alone; None where nothing does.

    Raises:
        DamagedError: Something that may lead to other things cannot be read.
    """
    store = repository.store
    last = reach(repository, history, moment=_NEVER).chunks
    held = _with_bases(store, kept.chunks) - _with_bases(store, last)
    rows = [choices[0].row for chunk in held if (choices := store.catalog.choices(chunk))]
    if not rows:
        return None
    ends = [step + REVIVABLE + timedelta(seconds=1) for step in _steps(repository)]
    place = bisect_left(  # ever less is kept
        ends, -len(last), key=lambda end: -len(reach(repository, history, moment=end).chunks)
    )
    return HeldForUndo(sum(row.stored_bytes for row in rows), ends[min(place, len(ends) - 1)])


def _with_bases(store: Store, chunks: Iterable[Digest]) -> set[Digest]:
    def bases(chunk: Digest) -> tuple[Digest, ...]:
        choices = store.catalog.choices(chunk)
        return choices[0].row.bases if choices else ()

    return closure(chunks, bases)


def _steps(repository: Repository) -> list[datetime]:
    """Returns when something happened here that keeps other things, the oldest first."""
    written = modification_times(repository.store).values()
    times = (_moment(str(fact.get("time"))) for fact in repository.facts("operations"))
    logged = {time for time in times if time}
    return sorted(logged.union(datetime.fromtimestamp(time, UTC) for time in written))


def _nodes(refs: Iterable[Ref]) -> set[Digest]:
    return {ref.digest for ref in refs if ref.kind == Node.kind}


@dataclass(frozen=True, slots=True)
class _Objects:
    """Metadata by reference."""

    store: Store
    history: History

    def get(self, ref: Ref) -> MetaObject | None:
        """Returns an object, or None where no pack has it; DamagedError where it is not whole."""
        if self.store.catalog.places(ref):
            obj = self.history.objects.get(ref.digest)
            is_known = obj is not None and obj.kind == ref.kind
            return obj if is_known else decode(self.store.reader.object(ref))
        if any(self.store.catalog.all_places(ref)):
            raise DamagedError(
                f"{ref.kind} {ref.digest.short} is damaged, so nothing is removed",
                hint="mgit fsck says what heals it",
            )
        return None


def _kinds(store: Store) -> set[str]:
    return {kind for index in store.catalog.packs.values() for kind in index.kinds} - {CHUNK}


def _recent_packs(store: Store, since: datetime) -> frozenset[PackId]:
    modified = modification_times(store)
    return frozenset(pack for pack, when in modified.items() if when >= since.timestamp())


def modification_times(store: Store) -> dict[PackId, float]:
    """Returns when each pack was written, in seconds; one that is gone meanwhile counts as new."""
    found = {}
    for pack in store.catalog.packs:
        try:
            found[pack] = store.path_of(pack).stat().st_mtime
        except OSError:
            found[pack] = datetime.now(UTC).timestamp()
    return found


def _kept_by_strangers(known: _Objects, strange: Iterable[Ref]) -> Iterator[Ref]:
    """Yields what objects of unknown kinds keep, and payloads of unknown types."""
    for ref in strange:
        obj = known.get(ref)
        yield from obj.keeps() if obj else ()
    for payload in known.history.payloads.values():
        yield from payload.keeps() if payload.type not in _TYPES else ()


def _revivable(history: History, recent: set[Ref]) -> set[Digest]:
    """Returns what steps point to that can be undone, or that may still come to count."""
    entries = history.ledger.entries
    found: set[Digest] = set()
    for digest, entry in entries.items():
        is_own = entry.repository == history.repository and entry.root in history.ledger.roots
        if Ref(Payload.kind, digest) in recent:
            replaced = {old for move in entry.moves for old in move.supersedes}
            found |= set(_targets([entry, *(entries[d] for d in replaced & entries.keys())]))
        elif not is_own:
            found |= set(_targets([entry]))
    return found


def _targets(entries: Iterable[Entry]) -> Iterator[Digest]:
    return (move.target for entry in entries for move in entry.moves if move.target)


def _logged_since(repository: Repository, since: datetime) -> set[Ref]:
    """Returns the entries that the operation log of this copy has since a time."""
    found = set()
    for fact in repository.facts("operations"):
        match fact:
            case {"entry": str(entry), "time": str(time)} if _is_since(time, since):
                with contextlib.suppress(ValueError):  # a line that makes no sense
                    found.add(Ref(Payload.kind, Digest.from_text(entry)))
            case _:
                continue
    return found


def _is_since(time: str, since: datetime) -> bool:
    moment = _moment(time)
    return moment is None or moment >= since  # when unsure


def _moment(time: str) -> datetime | None:
    try:
        return datetime.fromisoformat(time).astimezone(UTC)
    except ValueError:
        return None


def _with_ancestors(history: History, nodes: Iterable[Digest]) -> frozenset[Digest]:
    here = frozenset(nodes) & history.nodes.keys()
    return here.union(*(history.lineage.ancestors(node) for node in here))


def _closure(known: _Objects, nodes: frozenset[Digest], start: Iterable[Ref]) -> Kept:
    objects: set[Ref] = set()
    seen: set[Ref] = set()
    todo = list(start)
    while todo:
        ref = todo.pop()
        if ref in seen:
            continue
        seen.add(ref)
        obj = known.get(ref) if ref.kind != CHUNK else None
        if obj is not None:
            objects.add(ref)
            todo += _kept_by(ref, obj, nodes)
    chunks = frozenset(ref.digest for ref in seen if ref.kind == CHUNK)
    return Kept(nodes, frozenset(objects), chunks)


def _kept_by(ref: Ref, obj: MetaObject, nodes: frozenset[Digest]) -> Iterator[Ref]:
    """Yields what stays while an object stays; of a node nothing leads to, not its manifest."""
    is_bare = isinstance(obj, Node) and ref.digest not in nodes
    return (kept for kept in obj.keeps() if not (is_bare and kept.kind == Manifest.kind))
