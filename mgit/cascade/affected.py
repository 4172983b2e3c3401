"""Which models a change reaches.

Of two that were each made from an older version of the other, both may be: whether that can be
done is for the order of the steps to say.
"""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass

from mgit.cascade.choices import Action, Choices, Opaque
from mgit.cascade.replacing import StandIns, Unit, stand_ins
from mgit.digest import Digest
from mgit.lineage import Lineage

_STOPPED = frozenset({Action.STOP, Action.PINNED})


@dataclass(frozen=True, slots=True)
class Affected:
    """Which nodes are affected, and what that follows from.

    Attributes:
        nodes: Every node, old ones and kept ones too, of which some parent is to be another one
            than recorded.
        standing: For each node: provenance parent -> who could replace it.
        kept: What keeps its version because somebody wants that.
        units: For each node that is made together with others: all of these.
    """

    nodes: Collection[Digest]
    standing: StandIns
    kept: Mapping[Digest, Action]
    units: Mapping[Digest, Unit]

    def unit(self, node: Digest) -> Unit:
        """Returns what is made together with ``node``, itself included."""
        return self.units.get(node, (node,))

    def is_remade(self, node: Digest) -> bool:
        """Returns whether ``node`` would get a new version, if nothing were in the way."""
        return node in self.nodes and node not in self.kept

    def is_stopped(self, node: Digest) -> bool:
        """Returns whether ``node`` keeps its version and changes nothing below."""
        return self.kept.get(node) in _STOPPED

    def needed_for(self, live: Iterable[Digest]) -> frozenset[Digest]:
        """Returns the affected ones of ``live``, and of what would have to be made for these."""
        found: set[Digest] = set()
        todo = list(live)
        while todo:
            unit = self.unit(todo.pop())
            if unit[0] not in found:
                found.update(unit)
                remade = unit if unit[0] not in self.kept else ()
                todo.extend(above for node in remade for above in self.standing[node].values())
        return frozenset(found.intersection(self.nodes))


def find_affected(
    lineage: Lineage, live: Collection[Digest], updates: Mapping[Digest, Digest], choices: Choices
) -> Affected:
    """Returns which nodes at or above ``live`` are affected by ``updates``.

    Args:
        lineage: The graph.
        live: What names point to.
        updates: Old node -> new node.
        choices: What is wanted, and what is known.
    """
    units = _units(choices.groups)
    standing = stand_ins(lineage, live, updates, units)
    nobody = Affected((), standing, _kept(choices, units), units)
    return Affected(_spread(nobody, updates), standing, nobody.kept, units)


def _units(groups: Mapping[Digest, Hashable]) -> dict[Digest, Unit]:
    members: defaultdict[Hashable, list[Digest]] = defaultdict(list)
    for node in sorted(groups):
        members[groups[node]].append(node)
    return {node: tuple(members[group]) for node, group in groups.items()}


def _kept(choices: Choices, units: Mapping[Digest, Unit]) -> dict[Digest, Action]:
    """Returns what keeps its version; where several choices say so, the one that stops more."""
    opaque = [n for n, o in choices.obstacles.items() if o.action is Action.MANUAL]
    wanted = (
        (Action.STOP, choices.stop),
        (Action.PINNED, choices.pinned),
        (Action.SKIP, choices.skip),
        (Action.SKIP, opaque if choices.opaque is Opaque.KEEP else ()),
    )
    kept: dict[Digest, Action] = {}
    for action, nodes in wanted:
        for node in nodes:
            for member in units.get(node, (node,)):
                kept.setdefault(member, action)
    return kept


def _spread(before: Affected, updates: Mapping[Digest, Digest]) -> set[Digest]:
    """Returns the affected nodes: those with an updated parent, and what these reach.

    A node reaches what would be made from its new version, and, if it is an old version that would
    be out of date itself, what was made from it while its model has a current one.
    """
    todo: list[Digest] = []
    reaches: defaultdict[Digest, list[Digest]] = defaultdict(list)
    for node, parents in before.standing.items():
        for parent, stand_in in parents.items():
            if before.is_stopped(stand_in):
                continue
            if stand_in not in before.kept:
                reaches[stand_in].append(node)
            if stand_in != parent:
                (todo if parent in updates else reaches[parent]).append(node)
    affected: set[Digest] = set()
    while todo:
        unit = before.unit(todo.pop())
        if unit[0] not in affected:
            affected.update(unit)
            todo.extend(node for member in unit for node in reaches[member])
    return affected
