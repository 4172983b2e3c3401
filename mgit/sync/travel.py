"""What travels with a selection of nodes, and what does not. Pure: histories in, digests out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mgit.digest import Digest
from mgit.intake import admissible
from mgit.objects import CHUNK, KINDS, Check, MetaObject, Node, Recipe, Ref, digest_of
from mgit.repository import History
from mgit.store import Catalog, Cost, Place


@dataclass(frozen=True, slots=True)
class Travel:
    """Metadata that travels.

    Attributes:
        nodes: Selected nodes: their manifests travel too, and weights if those are wanted.
        objects: Entries, roots, statements with their signatures, nodes, and the recipes and checks
            that those cite; what is cited first.
    """

    nodes: tuple[Digest, ...]
    objects: dict[Ref, MetaObject]


def travelling(history: History, selected: Iterable[Digest]) -> Travel:
    """Returns what travels with ``selected``.

    Always: every entry and root of this repository, the nodes of the selection and of all its
    ancestors with the statements about them, and the bare nodes of whatever names point to and of
    their version ancestors, because names cannot be resolved without them. And what keys say about
    checks, because whoever rebuilds a model has to know what is demanded of it.
    """
    lineage, names = history.lineage, history.names
    chosen = frozenset(selected) & history.nodes.keys()
    related = chosen.union(*(lineage.ancestors(node) for node in chosen))
    targets = {t for name in names.names() for t in names.resolve(name)}
    for aside in names.aside().values():
        targets.update(*aside.values())
    bare = targets.union(*(lineage.version_ancestors(t) for t in targets)) & history.nodes.keys()
    steps = admissible(history)
    payloads = {
        digest
        for digest, statement in history.statements.items()
        if any(subject.ref.digest in related for subject in statement.subjects)
        and history.signers(digest)
    }
    objects: dict[Ref, MetaObject] = {}
    for node in lineage.topological(related | bare):
        objects[Ref(Node.kind, node)] = history.nodes[node]
    objects.update(_signed(history, steps | payloads | _about_checks(history, steps)))
    return Travel(tuple(lineage.topological(chosen)), _described(history, objects) | objects)


def _about_checks(history: History, steps: Iterable[Digest]) -> set[Digest]:
    """Returns the statements about checks that a key made in one of these steps of its own."""
    entries = history.ledger.entries
    claimed = {(entries[d].key, said) for d in steps if d in entries for said in entries[d].claims}
    return {
        said
        for key, said in claimed
        if said in history.statements
        and any(subject.ref.kind == Check.kind for subject in history.statements[said].subjects)
        and key in history.signers(said)
    }


def _described(history: History, objects: Mapping[Ref, MetaObject]) -> dict[Ref, MetaObject]:
    """Returns the recipes and checks that ``objects`` cite, as far as they are here."""
    kinds = {Recipe.kind, Check.kind}
    cited = {ref for obj in objects.values() for ref in obj.keeps() if ref.kind in kinds}
    found = {ref: history.objects.get(ref.digest) for ref in sorted(cited)}
    return {ref: obj for ref, obj in found.items() if obj and obj.kind == ref.kind}


def _signed(history: History, payloads: Iterable[Digest]) -> Iterator[tuple[Ref, MetaObject]]:
    for digest in sorted(payloads):
        payload = history.payloads[digest]
        yield Ref(payload.kind, digest), payload
        for signature in history.genuine_signatures(digest):
            yield Ref(signature.kind, digest_of(signature)), signature


def with_unknown_kinds(
    objects: Mapping[Ref, MetaObject], read: Callable[[Iterable[Ref]], Mapping[Ref, MetaObject]]
) -> dict[Ref, MetaObject]:
    """Returns ``objects`` with whatever they cite of kinds that this version does not know."""
    found = dict(objects)
    fresh: Mapping[Ref, MetaObject] = objects
    while fresh:
        cited = {ref for obj in fresh.values() for ref in obj.keeps() if ref.kind not in KINDS}
        fresh = read(sorted(cited - found.keys()))
        found.update(fresh)
    return found


@dataclass(frozen=True, slots=True)
class Route:
    """How chunks get from one set of packs to another.

    Attributes:
        places: Rows to be copied as they are stored, bases before children, near ones together.
        recoded: Chunks that are stored anew, because their bases may not travel; as stored here.
        lacking: Chunks that the source cannot decode.
    """

    places: list[Place]
    recoded: list[Place]
    lacking: list[Digest]


def route_with_bases(chunks: Iterable[Digest], source: Catalog, here: Catalog) -> Route:
    """Returns how to fetch ``chunks``: with every base that is not here either."""
    chosen: dict[Digest, Place] = {}
    lacking = []
    todo = [chunk for chunk in dict.fromkeys(chunks) if Ref(CHUNK, chunk) not in here]
    while todo:
        chunk = todo.pop()
        if chunk in chosen:
            continue
        choices = source.choices(chunk)
        if not choices:
            lacking.append(chunk)
            continue
        chosen[chunk] = choices[0]
        todo += [base for base in choices[0].row.bases if Ref(CHUNK, base) not in here]
    depth = {chunk: cost.depth for chunk in chosen if (cost := source.cost(chunk))}
    ordered = sorted(chosen.values(), key=lambda p: (depth[p.row.ref.digest], p.pack, p.row.offset))
    return Route(ordered, [], lacking)


def route_within(chunks: Iterable[Digest], source: Catalog, there: Catalog) -> Route:
    """Returns how to push ``chunks``: nothing else travels, and ``there`` keeps its bounds.

    A row is copied as it is if its bases are at the destination or among ``chunks``, and if it is
    not too deep there; otherwise the chunk is recoded.
    """
    wanted = [chunk for chunk in dict.fromkeys(chunks) if Ref(CHUNK, chunk) not in there]
    costs: dict[Digest, Cost] = {}
    route = Route([], [], [])
    for chunk in sorted(wanted, key=lambda c: _depth(source, c)):
        choices = source.choices(chunk)
        fitting = [(place, cost) for place in choices if (cost := _fitting(place, costs, there))]
        if not choices:
            route.lacking.append(chunk)
        elif fitting:
            copied, costs[chunk] = fitting[0]
            route.places.append(copied)
        else:
            costs[chunk] = Cost(choices[0].row.raw_bytes, 0)
            route.recoded.append(choices[0])
    return route


def _depth(source: Catalog, chunk: Digest) -> int:
    cost = source.cost(chunk)
    return cost.depth if cost else 0


def _fitting(place: Place, costs: dict[Digest, Cost], there: Catalog) -> Cost | None:
    """Returns what a row costs at the destination, if its bases are there and it is not too deep.

    Args:
        place: The row.
        costs: Of what is sent before it.
        there: What the destination holds.
    """
    bases = [costs.get(base) or there.cost(base) for base in place.row.bases]
    known = [base for base in bases if base is not None]
    cost = Cost.over(place.row.raw_bytes, known)
    is_kept = cost.may_be_written(place.row.raw_bytes, place.row.stored_bytes)
    return cost if is_kept and len(known) == len(bases) else None
