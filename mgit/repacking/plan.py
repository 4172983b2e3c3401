"""Which packs hold too much that nobody needs, and which of their rows go into new ones.

Pure: catalogs in, a plan out. Of several rows of one chunk the cheapest to decode is kept, so that
nothing that is kept gets deeper, or loses a base: the cheapest rows rest on each other without
cycles. Rows of condemned packs count only where there is no other: whoever condemned them knew of
better ones. What cannot be decoded stays as it is, because it may be healed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mgit.digest import Digest
from mgit.objects import CHUNK, PackId, Ref
from mgit.repacking.reaching import Kept
from mgit.store import Catalog, PackIndex, Place

_LOOSE_SHARE = 4  # a pack is rewritten when at least the fourth part of it is not needed


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with the packs.

    Attributes:
        copied: Rows that go into new packs, as they are stored, in the order of first use.
        condemned: Packs that are not needed then, and were not condemned yet.
        pardoned: Condemned packs of which most is needed again.
        garbage_bytes: Bodies that nobody needs in packs that stay.
        unreadable_bytes: Bodies that are kept, and cannot be decoded now.
    """

    copied: tuple[Place, ...]
    condemned: frozenset[PackId]
    pardoned: frozenset[PackId]
    garbage_bytes: int
    unreadable_bytes: int

    @property
    def copied_bytes(self) -> int:
        """Bytes of the bodies that are written anew."""
        return sum(place.row.stored_bytes for place in self.copied)


def plan_for(catalog: Catalog, kept: Kept, ages: Mapping[PackId, float]) -> Plan:
    """Returns what to do so that little is left that is not kept.

    Args:
        catalog: What is here, and what is condemned already.
        kept: What is kept.
        ages: When each pack was written: the rows of older ones come first.
    """
    rows = _Rows(catalog)
    useful = _choose(rows, kept, frozenset()).useful_bytes
    loose = {p for p, index in catalog.packs.items() if _is_loose(index, useful.get(p, 0))}
    chosen = _choose(rows, kept, frozenset(loose))
    live = _by_pack(chosen.places)
    copied: list[Place] = []
    emptied, garbage_bytes = set(), 0
    for pack in sorted(catalog.packs, key=lambda pack: (ages.get(pack, 0.0), pack)):
        index, places = catalog.packs[pack], live.get(pack, [])
        live_bytes = sum(place.row.stored_bytes for place in places)
        if pack in chosen.pinned or not _is_loose(index, live_bytes):
            garbage_bytes += index.bodies_bytes - live_bytes - chosen.pinned.get(pack, 0)
            continue
        emptied.add(pack)
        copied += sorted(places, key=lambda place: place.row.offset)
    return Plan(
        copied=tuple(copied),
        condemned=frozenset(emptied - catalog.condemned),
        pardoned=frozenset(catalog.packs.keys() & catalog.condemned) - emptied,
        garbage_bytes=garbage_bytes,
        unreadable_bytes=sum(chosen.pinned.values()),
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    """One row for everything that is needed.

    Attributes:
        places: Those rows.
        useful_bytes: For each pack, of rows that could be chosen: another pack may have the same.
        pinned: Packs that stay because something in them cannot be decoded, with what that takes.
    """

    places: Mapping[Ref, Place]
    useful_bytes: Mapping[PackId, int]
    pinned: Mapping[PackId, int]


class _Rows:
    """The rows to choose from, found once."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        condemned = catalog.packs.keys() & catalog.condemned
        self._lasting = without(catalog, condemned) if condemned else catalog
        self._found: dict[Digest, list[Place]] = {}

    def cheapest(self, chunk: Digest) -> list[Place]:
        """Returns the rows from which a chunk can be decoded at the least cost."""
        if chunk not in self._found:
            found = _cheapest(self._lasting, chunk)
            self._found[chunk] = found or _cheapest(self.catalog, chunk)
        return self._found[chunk]


def _cheapest(catalog: Catalog, chunk: Digest) -> list[Place]:
    choices = catalog.choices(chunk)
    if len(choices) < 2:
        return choices
    least = catalog.row_cost(choices[0].row)
    return [place for place in choices if catalog.row_cost(place.row) == least]


def _choose(rows: _Rows, kept: Kept, loose: frozenset[PackId]) -> _Choice:
    """Returns the row to keep of everything that is kept, and of all that those rows rest on."""
    catalog = rows.catalog

    def rank(place: Place) -> tuple[bool, bool, int, PackId]:
        pack = place.pack
        return pack in catalog.condemned, pack in loose, -len(catalog.packs[pack]), pack

    equal = {ref: catalog.places(ref) for ref in kept.objects}
    pinned: Counter[PackId] = Counter()
    todo = sorted(kept.chunks)
    seen: set[Digest] = set()
    while todo:
        chunk = todo.pop()
        if chunk in seen:
            continue
        seen.add(chunk)
        ref = Ref(CHUNK, chunk)
        cheapest = rows.cheapest(chunk)
        if cheapest:
            equal[ref] = cheapest
            todo += min(cheapest, key=rank).row.bases
        else:
            bad = catalog.all_places(ref)
            pinned.update({place.pack: place.row.stored_bytes for place in bad})
            todo += catalog.all_bases(chunk)
    useful_bytes: Counter[PackId] = Counter()
    for place in (place for places in equal.values() for place in places):
        useful_bytes[place.pack] += place.row.stored_bytes
    places = {ref: min(found, key=rank) for ref, found in equal.items()}
    return _Choice(places, useful_bytes, pinned)


def _by_pack(places: Mapping[Ref, Place]) -> dict[PackId, list[Place]]:
    found: defaultdict[PackId, list[Place]] = defaultdict(list)
    for place in places.values():
        found[place.pack].append(place)
    return found


def _is_loose(index: PackIndex, live_bytes: int) -> bool:
    garbage_bytes = index.bodies_bytes - live_bytes
    return not live_bytes or garbage_bytes * _LOOSE_SHARE >= index.bodies_bytes


def without(catalog: Catalog, packs: Iterable[PackId]) -> Catalog:
    """Returns the catalog as it will be when these packs are gone."""
    gone = {(pack, row.ref.digest) for pack in packs for row in catalog.packs[pack].rows()}
    return Catalog(catalog.packs, catalog.damaged | gone, catalog.merged)
