"""Whom damage affects: which models rest on what is damaged or gone, and who cites it."""

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError, UnknownCodecError
from mgit.objects import (
    CHUNK,
    ENTRY_TYPE,
    Check,
    Content,
    Entry,
    Layout,
    Manifest,
    PackKind,
    Payload,
    Recipe,
    Ref,
    Weights,
    decode,
)
from mgit.provenance import checked_in
from mgit.repository import History, Repository, lost
from mgit.roots import closure
from mgit.selection import Selection
from mgit.store import Catalog, Place

_PARTS = frozenset(kind.kind for kind in (Manifest, Content, Layout, Weights))


@dataclass(frozen=True, slots=True)
class Damage:
    """A row that is not as its index promises.

    Attributes:
        place: Where it is, and which object it should hold.
        reason: What is wrong with it.
        has_good_copy: Another pack holds the object whole.
        models: What cannot be read because of it: names, versions, or short ids of nodes.
        names: Those of them that are names: adding one's checkpoint again heals.
        cited_by: Models that the recipe made, or that the check was run on, if it holds one.
    """

    place: Place
    reason: str
    has_good_copy: bool
    models: tuple[str, ...]
    names: tuple[str, ...]
    cited_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """A node of which something is gone that this copy should have.

    Attributes:
        node: Its id.
        title: Its name, version or short id.
        missing: What cannot be read of it, sorted; more may be missing behind a part that is.
        gone: What it rests on and no pack here has, sorted: damage alone does not explain it.
    """

    node: Digest
    title: str
    missing: tuple[Ref, ...]
    gone: tuple[Ref, ...]


def is_readable(catalog: Catalog, ref: Ref) -> bool:
    """Returns whether an object is here in a row that is not known to be bad, and within bounds."""
    return bool(catalog.choices(ref.digest) if ref.kind == CHUNK else catalog.places(ref))


def lost_nodes(
    repository: Repository, history: History, selection: Selection
) -> Iterator[tuple[Lost, frozenset[Ref]]]:
    """Yields the nodes that are not complete although nobody said so, and what they rest on."""
    catalog = repository.store.catalog
    for digest in lost(repository, history, history.nodes):
        needed = needed_by(repository, history.nodes[digest].manifest)
        missing = tuple(sorted(ref for ref in needed if not is_readable(catalog, ref)))
        rests_on = _with_bases(repository, needed)
        gone = tuple(sorted(ref for ref in rests_on if not any(catalog.all_places(ref))))
        yield Lost(digest, selection.title(digest), missing, gone), rests_on


def needed_by(repository: Repository, manifest: Digest) -> frozenset[Ref]:
    """Returns the objects that a manifest's checkpoint is made of, as far as that can be read."""

    def cited(ref: Ref) -> Iterable[Ref]:
        if ref.kind in _PARTS:
            with contextlib.suppress(AbsentError, DamagedError, UnknownCodecError):
                return decode(repository.store.reader.object(ref)).keeps()
        return ()

    found = {Ref(Manifest.kind, manifest)}
    todo = list(found)
    while todo:
        fresh = set(cited(todo.pop())) - found
        found |= fresh
        todo += fresh
    return frozenset(found)


def _with_bases(repository: Repository, needed: frozenset[Ref]) -> frozenset[Ref]:
    chunks = (ref.digest for ref in needed if ref.kind == CHUNK)
    bases = closure(chunks, repository.store.catalog.all_bases)
    return needed | {Ref(CHUNK, base) for base in bases}


def damages(
    repository: Repository,
    history: History,
    selection: Selection,
    bad: Mapping[Place, str],
    lost: Iterable[tuple[Lost, frozenset[Ref]]],
) -> Iterator[Damage]:
    """Yields bad rows with what they affect."""
    catalog = repository.store.catalog
    suffering = list(lost)
    citing = _citing(history)
    known = set(history.names.names())
    for place, reason in bad.items():
        ref = place.row.ref
        is_here = is_readable(catalog, ref)
        affected = () if is_here else (node for node, rests_on in suffering if ref in rests_on)
        models = tuple(sorted(node.title for node in affected))
        names = tuple(sorted(set(models) & known))
        cited_by = tuple(sorted(map(selection.title, citing.get(ref, ()))))
        yield Damage(place, reason, is_here, models, names, cited_by)


def _citing(history: History) -> Mapping[Ref, set[Digest]]:
    """Returns the nodes that each recipe made, and those that each check was run on."""
    found: defaultdict[Ref, set[Digest]] = defaultdict(set)
    for digest, node in history.nodes.items():
        if node.recipe:
            found[Ref(Recipe.kind, node.recipe)].add(digest)
    for statement in history.statements.values():
        check = checked_in(statement)
        if check:
            nodes = {subject.ref.digest for subject in statement.subjects}
            found[Ref(Check.kind, check)] |= nodes & history.nodes.keys()
    return found


def gaps(repository: Repository, history: History) -> Iterator[Ref]:
    """Yields entries and root documents that are nowhere here, and that what counts cites."""
    ledger, packs = history.ledger, repository.store.catalog.packs
    is_filled = any(index.kind is PackKind.META for index in packs.values())
    cited = {history.repository} if is_filled else set()  # a clone that was cut off has none yet
    for digest in history.names.counting:
        cited.update(ledger.entries[digest].previous)
    for digest in sorted(cited - history.payloads.keys()):
        ref = Ref(Payload.kind, digest)
        if not any(repository.store.catalog.all_places(ref)):
            yield ref


def forged(history: History) -> Iterator[Digest]:
    """Yields entries whose signature is not by their key."""
    for digest, payload in history.payloads.items():
        is_entry = payload.type == ENTRY_TYPE
        if is_entry and Entry.from_payload(payload).key not in history.signers(digest):
            yield digest
