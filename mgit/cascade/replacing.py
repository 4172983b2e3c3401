"""Who stands in for whom: which node replaces a parent, seen from each node that was made from it.

Knows the graph and what the names point to; nothing of choices, actions or people. Every pass is
linear in the edges but one, which takes a bit for each pair it is asked about.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import TypeAlias

from mgit.digest import Digest
from mgit.lineage import Lineage
from mgit.objects import EdgeKind

Unit: TypeAlias = tuple[Digest, ...]  # what is made by one run, usually one node
StandIns: TypeAlias = dict[Digest, dict[Digest, Digest]]

_Upward: TypeAlias = dict[Digest, frozenset[Digest]]  # a node -> its parents; ancestors first
_BLOCK_BITS = 8192  # bounds the memory: at most a kilobyte a node


def default_updates(
    lineage: Lineage, names: Mapping[str, Digest], chosen: Collection[Digest] | None = None
) -> dict[Digest, Digest]:
    """Returns every older version of what names point to -> what replaced it.

    Left out are nodes that a name still points to, and those that several targets replaced: nobody
    can say which of them their children are to follow. Choosing one of these settles it.

    Args:
        lineage: The graph.
        names: What each name points to, conflicted ones left out.
        chosen: Only replacements by these; None: by the target of any name.
    """
    live = frozenset(names.values())
    wanted = live if chosen is None else live.intersection(chosen)
    heirs = _heirs(lineage, _above(lineage, wanted, EdgeKind.VERSION), wanted)
    return {old: new for old, new in heirs.items() if old not in live}


def stand_ins(
    lineage: Lineage,
    live: Collection[Digest],
    updates: Mapping[Digest, Digest],
    units: Mapping[Digest, Unit],
) -> StandIns:
    """Returns for every node at or above ``live``: provenance parent -> who could replace it.

    That is what the parent was updated to; else its current version: the one live node that
    replaced it. Never the node itself, what it is made together with, or what descends from those
    over edges of any kind: then it is the parent. Parents that are not here are left out.

    Args:
        lineage: The graph.
        live: What names point to.
        updates: Old node -> new node.
        units: For each node that is made together with others: all of these, itself included.
    """
    upward = _above(lineage, {*live, *updates.values(), *units})
    heirs = _heirs(lineage, upward, live)
    current = {old: new for old, new in heirs.items() if old not in live}
    options = {parent: _options(parent, updates, current) for parent in upward}
    made_from = {node: lineage.parents(node, EdgeKind.PROVENANCE) for node in upward}
    asked: defaultdict[Unit, set[Digest]] = defaultdict(set)
    for node, parents in made_from.items():
        for parent in parents:
            asked[units.get(node, (node,))].update(options[parent])
    barred = _at_or_below(upward, asked)

    def stand_in(node: Digest, parent: Digest) -> Digest:
        closed = barred.get(units.get(node, (node,)), ())
        return next((option for option in options[parent] if option not in closed), parent)

    return {
        node: {parent: stand_in(node, parent) for parent in parents}
        for node, parents in made_from.items()
    }


def _options(
    parent: Digest, updates: Mapping[Digest, Digest], current: Mapping[Digest, Digest]
) -> tuple[Digest, ...]:
    """Returns what could replace ``parent``, best first."""
    options = (updates.get(parent, parent), current.get(parent, parent))
    return tuple(option for option in dict.fromkeys(options) if option != parent)


def _above(lineage: Lineage, bottom: Iterable[Digest], *kinds: EdgeKind) -> _Upward:
    """Returns the nodes at or above ``bottom``."""
    parents: _Upward = {}
    todo = list(bottom)
    while todo:
        node = todo.pop()
        if node not in parents:
            parents[node] = lineage.parents(node, *kinds)
            todo.extend(parents[node])
    return {node: parents[node] for node in lineage.topological(parents)}


def _heirs(lineage: Lineage, upward: _Upward, live: Collection[Digest]) -> dict[Digest, Digest]:
    """Returns each node that exactly one of ``live`` replaced -> that one."""
    newer: defaultdict[Digest, set[Digest]] = defaultdict(set)
    for node in reversed(upward):
        found = newer[node] | {node} if node in live else newer[node]
        for parent in lineage.parents(node, EdgeKind.VERSION):
            newer[parent].update(islice(found, 2))  # two are enough to know that it is not one
    return {old: next(iter(found)) for old, found in newer.items() if len(found) == 1}


def _at_or_below(
    upward: _Upward, asked: Mapping[Unit, Collection[Digest]]
) -> dict[Unit, frozenset[Digest]]:
    """Returns for each unit which of the nodes asked about belong to it or descend from it.

    One sweep over the graph answers for a block of units: each node carries a bit for every unit
    that it descends from.
    """
    units = [unit for unit, nodes in asked.items() if nodes]
    found: dict[Unit, frozenset[Digest]] = {}
    for start in range(0, len(units), _BLOCK_BITS):
        block = units[start : start + _BLOCK_BITS]
        bits = {member: 1 << i for i, unit in enumerate(block) for member in unit}
        carried = _carried(upward, bits)
        for unit in block:
            bit = bits[unit[0]]
            found[unit] = frozenset(n for n in asked[unit] if carried.get(n, 0) & bit)
    return found


def _carried(upward: _Upward, bits: Mapping[Digest, int]) -> dict[Digest, int]:
    carried: dict[Digest, int] = {}
    for node, parents in upward.items():
        mask = bits.get(node, 0)
        for parent in parents:
            mask |= carried.get(parent, 0)
        if mask:
            carried[node] = mask
    return carried
