"""What a copy holds, as values: nodes, entries and roots with their signatures checked, names."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError, UnknownCodecError
from mgit.lineage import Lineage
from mgit.names import Ledger, Names
from mgit.objects import (
    ENTRY_TYPE,
    ROOT_TYPE,
    STATEMENT_TYPE,
    Check,
    Entry,
    MetaObject,
    Node,
    PackId,
    Payload,
    Recipe,
    RepositoryRoot,
    Signature,
    Statement,
    decode,
)
from mgit.roots import accept_roots
from mgit.signing import is_genuine
from mgit.store import Store

_KINDS = frozenset({Node.kind, Recipe.kind, Check.kind, Payload.kind, Signature.kind})


@dataclass(frozen=True)
class History:
    """All metadata that names, lineage and provenance need, read once.

    Attributes:
        repository: Id of the repository whose names count here.
        objects: Nodes, recipes, checks, payloads and signatures, by digest.
        damaged: What could not be read, in words.
    """

    repository: Digest
    objects: Mapping[Digest, MetaObject]
    damaged: tuple[str, ...] = ()
    _signers: dict[Digest, frozenset[bytes]] = field(default_factory=dict)

    @cached_property
    def nodes(self) -> Mapping[Digest, Node]:
        """Node id -> node."""
        return {d: obj for d, obj in self.objects.items() if isinstance(obj, Node)}

    @cached_property
    def recipes(self) -> Mapping[Digest, Recipe]:
        """Digest -> recipe. One that a node cites may be absent: the node is none the worse."""
        return {d: obj for d, obj in self.objects.items() if isinstance(obj, Recipe)}

    @cached_property
    def checks(self) -> Mapping[Digest, Check]:
        """Digest -> check, whether registered or not."""
        return {d: obj for d, obj in self.objects.items() if isinstance(obj, Check)}

    @cached_property
    def payloads(self) -> Mapping[Digest, Payload]:
        """Digest -> payload object of whatever type."""
        return {d: obj for d, obj in self.objects.items() if isinstance(obj, Payload)}

    @cached_property
    def signatures(self) -> Mapping[Digest, list[Signature]]:
        """Digest of a payload -> its signatures, not checked yet."""
        found: defaultdict[Digest, list[Signature]] = defaultdict(list)
        for obj in self.objects.values():
            if isinstance(obj, Signature):
                found[obj.payload].append(obj)
        return found

    @cached_property
    def ledger(self) -> Ledger:
        """Accepted roots, and the entries whose writer really signed them."""
        candidates = {d: RepositoryRoot.from_payload(p) for d, p in self._of_type(ROOT_TYPE)}
        signers = {digest: self.signers(digest) for digest in candidates}
        roots = accept_roots(self.repository, candidates, signers)
        entries = {d: Entry.from_payload(p) for d, p in self._of_type(ENTRY_TYPE)}
        genuine = {d: e for d, e in entries.items() if e.key in self.signers(d)}
        return Ledger(self.repository, roots, genuine)

    @cached_property
    def lineage(self) -> Lineage:
        """The graph of the nodes."""
        return Lineage(self.nodes)

    @cached_property
    def names(self) -> Names:
        """What names mean."""
        return Names(self.ledger, self.lineage.version_ancestors)

    @cached_property
    def statements(self) -> Mapping[Digest, Statement]:
        """Statements by payload digest; their signatures are checked by ``signers``."""
        return {d: Statement.from_payload(p) for d, p in self._of_type(STATEMENT_TYPE)}

    @cached_property
    def own_nodes(self) -> frozenset[Digest]:
        """The nodes that an entry of this repository ever pointed to, and their ancestors.

        Packs may hold nodes of other repositories beside them.
        """
        entries = self.ledger.entries.values()
        own = [entry for entry in entries if entry.repository == self.repository]
        targets = {move.target for entry in own for move in entry.moves if move.target}
        here = targets & self.nodes.keys()
        return frozenset(here.union(*(self.lineage.ancestors(node) for node in here)))

    @cached_property
    def named_nodes(self) -> frozenset[Digest]:
        """The nodes that names point to now, in conflict or aside too, and their ancestors.

        Without what was removed or undone: it stays here, but is not handed on unasked.
        """
        names = self.names
        targets = {target for name in names.names() for target in names.resolve(name)}
        for said in names.aside().values():
            targets.update(*said.values())
        here = targets & self.nodes.keys()
        return frozenset(here.union(*(self.lineage.ancestors(node) for node in here)))

    def signers(self, payload: Digest) -> frozenset[bytes]:
        """Returns the keys that signed a payload; forged signatures are as if they were absent."""
        if payload not in self._signers:
            genuine = (signature.key for signature in self.genuine_signatures(payload))
            self._signers[payload] = frozenset(genuine)
        return self._signers[payload]

    def may_move(self, key: bytes, name: str) -> bool:
        """Returns whether a key may move a name under every newest root document."""
        roots = self.ledger.roots
        return all(roots[head].may_move(key, name) for head in self.names.root_heads)

    def targets_for(self, key: bytes, name: str) -> frozenset[Digest]:
        """Returns what a name points to for one key: its own word where it has no role."""
        if self.may_move(key, name):
            return self.names.resolve(name)
        return self.names.aside().get(key, {}).get(name) or self.names.resolve(name)

    def genuine_signatures(self, payload: Digest) -> list[Signature]:
        """Returns the signatures under a payload that are not forged."""
        found = self.signatures.get(payload, ())
        return [s for s in found if is_genuine(s, self.payloads[payload])]

    def with_objects(
        self, objects: Mapping[Digest, MetaObject], damaged: tuple[str, ...] = ()
    ) -> "History":
        """Returns the history that holds these objects as well."""
        touched = {obj.payload for obj in objects.values() if isinstance(obj, Signature)}
        signers = {d: keys for d, keys in self._signers.items() if d not in touched}
        joined = {**self.objects, **objects}
        return History(self.repository, joined, (*self.damaged, *damaged), signers)

    def _of_type(self, payload_type: str) -> Iterator[tuple[Digest, Payload]]:
        return ((d, p) for d, p in self.payloads.items() if p.type == payload_type)


def read_history(store: Store, repository: Digest) -> History:
    """Returns the history in a store. What is damaged is left out and listed."""
    return more_history(store, History(repository, {}), store.catalog.packs)


def more_history(store: Store, history: History, packs: Iterable[PackId]) -> History:
    """Returns a history with what these packs of a store add to it."""
    damaged: list[str] = []
    found: dict[Digest, MetaObject] = {}
    for place in store.catalog.of_kinds(_KINDS, packs):
        ref = place.row.ref
        if ref.digest in history.objects or ref.digest in found:
            continue
        try:
            found[ref.digest] = decode(store.reader.object(ref))
        except (AbsentError, DamagedError, UnknownCodecError) as error:
            damaged.append(str(error))
    return history.with_objects(found, tuple(damaged))


def genesis_documents(history: History) -> list[Digest]:
    """Returns the ids of all repositories whose genesis document is here."""
    found = []
    for digest, payload in history.payloads.items():
        if payload.type == ROOT_TYPE and not RepositoryRoot.from_payload(payload).predecessors:
            found.append(digest)
    return sorted(found)
