"""What is damaged or lost here becomes whole again: from other packs here, or from remotes.

Nothing else changes: what comes is exactly what this copy had, or promises to have.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from mgit.digest import Digest
from mgit.errors import MachineError, MgitError
from mgit.intake import Quarantine
from mgit.objects import CHUNK, MetaObject, Node, PackId, Payload, Ref, Signature
from mgit.progress import Progress, silent
from mgit.remote import connect
from mgit.repair.affecting import gaps, is_readable, lost_nodes
from mgit.repair.checking import Report, bad_rows, gone_packs, told
from mgit.repair.putting_aside import broken_files, spare_packs
from mgit.repair.settling import history_of, settle
from mgit.repository import History, Repository, absences, install_objects, leased
from mgit.roots import closure
from mgit.selection import Selection
from mgit.store import Place
from mgit.sync import Source, meet, receive_chunks, remotes
from mgit.sync.metadata import Metadata
from mgit.sync.peer import Peer
from mgit.sync.settings import source_of

HERE = ""  # where an object comes from that another pack here holds


@dataclass(frozen=True, slots=True)
class Healed:
    """An object that can be read again.

    Attributes:
        ref: Its kind and digest.
        source: The remote that it came from, or what it rests on; empty where another pack here
            had it.
    """

    ref: Ref
    source: str


@dataclass(frozen=True, slots=True)
class Mended:
    """What a repair did.

    Attributes:
        healed: What was damaged or gone and can be read again, sorted.
        put_aside: Files that nobody needs any more, moved out of the packs.
        has_new_settings: The settings made no sense and were written anew.
        failures: Remotes that did not answer as they should, with the reason.
        report: What is wrong still. Packs that could not be read, went aside, and that nobody who
            was asked has, are gone: what they held is not known.
    """

    healed: tuple[Healed, ...]
    put_aside: tuple[str, ...]
    has_new_settings: bool
    failures: Mapping[str, str]
    report: Report


@dataclass(slots=True)
class _Work:
    """A repair under way.

    Attributes:
        repository: What is repaired.
        bad: Rows that are bad.
        unread: Packs that were here and cannot be read, or are gone.
        progress: Is told how far the transfer of chunks is.
        healed: Object -> where it came from.
        restored: Those of ``unread`` of which everything is here again.
        answered: Remotes that gave what they had.
        failures: Remote -> why it was of no use.
    """

    repository: Repository
    bad: dict[Place, str]
    unread: frozenset[PackId]
    progress: Progress
    healed: dict[Ref, str] = field(default_factory=dict)
    restored: set[PackId] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)

    def is_here(self, ref: Ref) -> bool:
        return is_readable(self.repository.store.catalog, ref)

    def missing(self) -> set[Ref]:
        """Returns what cannot be read, as far as is known without asking anybody."""
        history = history_of(self.repository)
        selection = Selection(self.repository, history)
        lost = lost_nodes(self.repository, history, selection)
        refs = {place.row.ref for place in self.bad}.union(*(node.missing for node, _ in lost))
        refs |= set(gaps(self.repository, history)) | self._gone_with_them(history)
        return {ref for ref in refs if not self.is_here(ref)}

    def _gone_with_them(self, history: History) -> set[Ref]:
        """Returns what entries and nodes cite that were gone: they lay in one pack with it.

        And what named nodes cite while a pack is gone: it may have had their manifests.

        Nothing, where this copy is one of a part: nobody knows then what it had.
        """
        if absences(self.repository):
            return set()
        damaged = {place.row.ref for place in self.bad}
        fresh = (history.objects.get(ref.digest) for ref in self.healed.keys() - damaged)
        named = history.named_nodes if self.unread else ()
        citing = [*fresh, *(history.nodes.get(node) for node in named)]
        return {ref for obj in citing if isinstance(obj, Payload | Node) for ref in obj.keeps()}

    def is_done(self) -> bool:
        return not self.missing() and self.restored == self.unread

    def ask(self, source: Source) -> None:
        """Takes from a remote whatever it has of what is missing."""
        try:
            peer = meet(self.repository, source.name, connect(source.url))
            while fresh := self._bring(peer):
                self.healed.update(dict.fromkeys(fresh, source.name))
        except MachineError:
            raise
        except MgitError as error:
            self.failures[source.name] = str(error)
            return
        self.answered.add(source.name)
        there = self.unread & peer.catalog.packs.keys()
        self.restored |= {pack for pack in there if self._has_all(peer, pack)}

    def _known_there(self, peer: Peer) -> set[Ref]:
        """Returns what is missing of packs that cannot be read here and that the remote has."""
        indexes = (peer.catalog.packs[p] for p in self.unread & peer.catalog.packs.keys())
        refs = {row.ref for index in indexes for row in index.rows()}
        return {ref for ref in refs if not self.is_here(ref)}

    def _has_all(self, peer: Peer, pack: PackId) -> bool:
        return all(self.is_here(row.ref) for row in peer.catalog.packs[pack].rows())

    def _below(self, chunks: Iterable[Digest]) -> list[Digest]:
        """Returns what is wrong at the bottom: chunks here that only lack a base need not come."""
        catalog = self.repository.store.catalog

        def lacking(chunk: Digest) -> list[Digest]:
            bases = (b for place in catalog.places(Ref(CHUNK, chunk)) for b in place.row.bases)
            return [base for base in bases if not self.is_here(Ref(CHUNK, base))]

        return sorted(
            chunk for chunk in closure(chunks, lacking) if not catalog.places(Ref(CHUNK, chunk))
        )

    def _bring(self, peer: Peer) -> set[Ref]:
        """Takes what is missing from a peer: chunks first, so that nothing visible dangles.

        Returns what can be read now and could not before.
        """
        repository, wanted = self.repository, self.missing() | self._known_there(peer)
        if not wanted:
            return set()
        chunks = sorted(ref.digest for ref in wanted if ref.kind == CHUNK)
        with Quarantine(repository, peer.name) as quarantine:
            receive_chunks(quarantine, peer, self._below(chunks), self.progress)
            rest = [chunk for chunk in chunks if not self.is_here(Ref(CHUNK, chunk))]
            receive_chunks(quarantine, peer, rest, self.progress)
        if quarantine.unknown:
            self.failures[peer.name] = str(quarantine.unknown)
        metadata = Metadata(repository, peer)
        objects = metadata.absent(sorted(wanted - _chunks(wanted)))
        objects |= _signatures(metadata, objects)
        with repository.writing():
            repository.store.refresh()
            install_objects(repository, _cited_first(objects))
        return {ref for ref in wanted | objects.keys() if self.is_here(ref)}


def _chunks(refs: Iterable[Ref]) -> set[Ref]:
    return {ref for ref in refs if ref.kind == CHUNK}


def _signatures(metadata: Metadata, objects: Mapping[Ref, MetaObject]) -> dict[Ref, MetaObject]:
    """Returns the signatures under payloads that were missing: nothing cites them."""
    payloads = {ref.digest for ref in objects if ref.kind == Payload.kind}
    return {
        ref: obj
        for ref, obj in (metadata.unknown() if payloads else {}).items()
        if isinstance(obj, Signature) and obj.payload in payloads
    }


def _cited_first(objects: Mapping[Ref, MetaObject]) -> list[MetaObject]:
    citing = {ref: sorted(objects[ref].keeps()) for ref in sorted(objects)}
    return [objects[ref] for ref in TopologicalSorter(citing).static_order() if ref in objects]


@leased("repair", is_writing=True)
def mend(
    repository: Repository,
    remote: str = "",
    *,
    is_decoding: bool = False,
    now_s: float | None = None,
    progress: Progress = silent,
) -> Mended:
    """Makes whole what is damaged or lost, as far as anybody has it; run again after a cut.

    Args:
        repository: Where.
        remote: Whom to ask, by name or URL; empty: all remotes.
        is_decoding: As of ``check``.
        now_s: The time, in seconds since the epoch; else as the machine says.
        progress: Is told how far reading is, then how far each transfer.

    Raises:
        NotFoundError: There is no such remote.
        TrustError: The folder belongs to another user and was not trusted.
    """
    repository.check_writable()
    store = repository.store
    gone = gone_packs(store)
    has_new_settings = settle(repository)
    sources = list(_sources(repository, remote))
    bad = bad_rows(repository, is_decoding=is_decoding, progress=progress)
    unread = frozenset({*gone, *_unready_packs(repository)})
    work = _Work(repository, bad, unread, progress)
    work.healed.update({p.row.ref: HERE for p in bad if work.is_here(p.row.ref)})
    for source in sources:
        if work.is_done():
            break
        work.ask(source)
    has_new_settings |= settle(repository)
    put_aside = _put_aside(work, time.time() if now_s is None else now_s)
    if gone and work.answered:
        store.write_listing()  # they had what there was to have: it is not expected from now on
    here = {*store.catalog.packs, *_unready_packs(repository)}
    report = told(repository, _still_bad(work), sorted(work.unread - work.restored - here))
    healed = tuple(Healed(ref, source) for ref, source in sorted(work.healed.items()))
    return Mended(healed, tuple(put_aside), has_new_settings, work.failures, report)


def _sources(repository: Repository, remote: str) -> Iterator[Source]:
    names = [remote] if remote else sorted(remotes(repository), key=lambda n: (n != "origin", n))
    return (source_of(repository, name) for name in names)


def _unready_packs(repository: Repository) -> Iterator[PackId]:
    for name in repository.store.unready:
        try:
            yield PackId(Digest.from_text(name.partition(".")[0]))
        except ValueError:
            continue  # no file of ours


def _still_bad(work: _Work) -> dict[Place, str]:
    catalog = work.repository.store.catalog
    return {
        place: reason
        for place, reason in work.bad.items()
        if place.pack in catalog.packs and (place.pack, place.row.ref.digest) in catalog.damaged
    }


def _unneeded(work: _Work, missing: set[Ref]) -> frozenset[Ref]:
    """Returns missing chunks that no model needs; none, if some model may need what is unknown."""
    history = history_of(work.repository)
    lost = lost_nodes(work.repository, history, Selection(work.repository, history))
    is_known = _chunks(missing) == missing and work.unread <= work.restored and not any(lost)
    return frozenset(missing if is_known else ())


def _put_aside(work: _Work, now_s: float) -> list[str]:
    """Moves what nobody needs out of the packs; returns the names of the files."""
    repository, store = work.repository, work.repository.store
    store.refresh()
    missing = work.missing()
    damaged = {place.pack for place in _still_bad(work)}
    spare = spare_packs(repository, damaged, _unneeded(work, missing))
    files = list(broken_files(repository, now_s))
    names = [*files, *(store.path_of(pack).name for pack in spare)]
    if names:
        store.set_aside(spare, files)
    return names
