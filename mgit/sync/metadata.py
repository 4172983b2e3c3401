"""Metadata from a peer: verified, and kept in a cache as it comes: no read is done twice."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from mgit.codecs import codec
from mgit.digest import Digest
from mgit.errors import (
    DamagedError,
    FormatError,
    MachineError,
    MgitError,
    TrustError,
    UnknownCodecError,
)
from mgit.intake import verified
from mgit.objects import (
    Check,
    Content,
    Layout,
    Manifest,
    MetaObject,
    Node,
    PackKind,
    Payload,
    Recipe,
    Ref,
    Signature,
    Weights,
    encode,
)
from mgit.repository import History, Parts, Repository
from mgit.store import Place, Store
from mgit.sync.elsewhere import Elsewhere
from mgit.sync.peer import Peer

_MAX_METADATA_BYTES = 2 << 30
Part = TypeVar("Part", Manifest, Content, Layout, Weights)


@dataclass(slots=True)
class Metadata:
    """Reads metadata objects that a peer has.

    Attributes:
        repository: What it holds is not asked for.
        peer: Who is asked. What is damaged there is left out and noted there.
        elsewhere: Who is asked for what is damaged there, and was asked for by name.
    """

    repository: Repository
    peer: Peer
    elsewhere: Elsewhere | None = None
    _cache: Store = field(init=False)

    def __post_init__(self) -> None:
        folder = self.repository.store.cache / "elsewhere"
        self._cache = Store(folder, folder)

    def unknown(self) -> dict[Ref, MetaObject]:
        """Returns the objects of which histories are made that are at the peer and not here."""
        places: dict[Ref, Place] = {}
        for kind in (Recipe.kind, Check.kind, Node.kind, Payload.kind, Signature.kind):
            for place in self.peer.catalog.of_kind(kind):
                if place.row.ref not in self.repository.store.catalog:
                    places.setdefault(place.row.ref, place)
        return self._read(places)

    def absent(self, refs: Iterable[Ref]) -> dict[Ref, MetaObject]:
        """Returns those of the objects that the peer has and that are not here."""
        places = {}
        for ref in refs:
            found = self.peer.catalog.places(ref)
            if found and ref not in self.repository.store.catalog:
                places[ref] = found[0]
        objects = self._read(places)
        damaged = places.keys() - objects.keys()
        for other in self.elsewhere.peers() if self.elsewhere and damaged else ():
            objects |= Metadata(self.repository, other).absent(sorted(damaged))
            damaged -= objects.keys()
        return objects

    def parts_of(
        self, history: History, nodes: Iterable[Digest], objects: dict[Ref, MetaObject]
    ) -> dict[Digest, Parts]:
        """Returns the parts of the nodes that anybody has; those from the peer join ``objects``."""
        manifests = {node: Ref(Manifest.kind, history.nodes[node].manifest) for node in nodes}
        objects |= self.absent(manifests.values())
        known = {n: m for n, ref in manifests.items() if (m := self._get(ref, Manifest, objects))}
        objects |= self.absent(Ref(Layout.kind, m.layout) for m in known.values())
        content_refs = {n: Ref(Content.kind, m.content) for n, m in known.items()}
        objects |= self.absent(content_refs.values())
        contents = {n: c for n, r in content_refs.items() if (c := self._get(r, Content, objects))}
        objects |= self.absent(Ref(Weights.kind, content.weights) for content in contents.values())
        parts = {}
        for node, content in contents.items():
            layout = self._get(Ref(Layout.kind, known[node].layout), Layout, objects)
            weights = self._get(Ref(Weights.kind, content.weights), Weights, objects)
            if layout and weights:
                with contextlib.suppress(DamagedError):  # it stays bare: no sound writer made it
                    parts[node] = Parts(known[node], content, layout, weights)
        return parts

    def _get(self, ref: Ref, kind: type[Part], objects: Mapping[Ref, MetaObject]) -> Part | None:
        found = objects.get(ref)
        if found is None and ref in self.repository.store.catalog:
            return self.repository.part(kind, ref.digest)
        return found if isinstance(found, kind) else None

    def _read(self, places: Mapping[Ref, Place]) -> dict[Ref, MetaObject]:
        cached = {ref: obj for ref in places if (obj := self._cached(ref))}
        rest = [place for ref, place in places.items() if ref not in cached]
        fresh: dict[Ref, MetaObject] = {}
        try:
            while rest:
                fresh.update(read_objects(self.peer, rest))
                damaged = [place.row.ref for place in rest if place.row.ref not in fresh]
                others = [self.peer.catalog.places(ref) for ref in damaged]  # what is bad is out
                rest = [places[0] for places in others if places]
        finally:
            self._keep(fresh)  # also what came before a cut
        return cached | fresh

    def _cached(self, ref: Ref) -> MetaObject | None:
        try:
            store = self._cache
            return verified(ref, store.reader.object(ref)) if ref in store.catalog else None
        except MgitError:
            return None  # a cache that cannot be read costs a read at the peer

    def _keep(self, objects: Mapping[Ref, MetaObject]) -> None:
        with contextlib.suppress(MachineError), self._cache.writer(PackKind.META) as writer:
            for ref, obj in objects.items():
                writer.add_object(ref, encode(obj))
            if objects:
                self._cache.install(writer.finish())


def read_objects(peer: Peer, places: Iterable[Place]) -> Iterable[tuple[Ref, MetaObject]]:
    """Yields metadata objects from a peer, verified, near ones read together."""
    ordered = sorted(places, key=lambda place: (place.pack, place.row.offset))
    total = sum(max(place.row.raw_bytes, place.row.stored_bytes) for place in ordered)
    if total > _MAX_METADATA_BYTES:
        raise TrustError(f"{peer.name} offers {total:,} bytes of metadata: more than is taken")
    for place, body in peer.bodies(ordered):
        try:
            raw = codec(place.row.codec).decode(body, (), place.row.raw_bytes)
            yield place.row.ref, verified(place.row.ref, raw)
        except (FormatError, UnknownCodecError) as error:
            peer.blame(place, str(error))
