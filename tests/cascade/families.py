"""Small families, written as they are drawn, and plans written as they are read.

    qa@1 <- minilm@1, teacher=bert@2        made from these; the role is ``base`` if none is given
    qa@2 => qa@1 <- minilm@2                replaces qa@1, too

A model's next number replaces the one before, and a name points to its last number.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mgit.cascade import (
    Action,
    Choices,
    Made,
    Obstacle,
    Opaque,
    Plan,
    PlannedStep,
    Recorded,
    default_updates,
    make_plan,
)
from mgit.digest import Digest
from mgit.lineage import Lineage
from mgit.objects import Edge, EdgeKind, Node, digest_of

MANUAL = Obstacle(Action.MANUAL, "it has no recipe")
UNTRUSTED = Obstacle(Action.UNTRUSTED, "nobody trusts train.py")


@dataclass(frozen=True)
class Family:
    """Nodes by label, and the label that each name points to."""

    nodes: Mapping[str, Node]
    ids: Mapping[str, Digest]
    current: Mapping[str, str]

    @cached_property
    def lineage(self) -> Lineage:
        here = {label: self.nodes[label] for label in self.nodes if not label.startswith("!")}
        return Lineage({self.ids[label]: node for label, node in here.items()})

    @property
    def names(self) -> dict[str, Digest]:
        return {name: self.ids[label] for name, label in self.current.items()}

    @cached_property
    def _labels(self) -> dict[Digest, str]:
        return {node: label for label, node in self.ids.items()}

    def label(self, node: Digest) -> str:
        return self._labels[node]

    def id(self, label: str) -> Digest:
        """The node of a label, or what a name points to."""
        return self.ids[self.current.get(label, label)]

    def some(self, labels: str) -> frozenset[Digest]:
        return frozenset(map(self.id, labels.split()))

    def updates(self, chosen: str | None = None) -> dict[str, str]:
        wanted = None if chosen is None else self.some(chosen)
        found = default_updates(self.lineage, self.names, wanted)
        return {self.label(old): self.label(new) for old, new in found.items()}

    def choices(
        self,
        *,
        skip: str = "",
        stop: str = "",
        pinned: str = "",
        obstacles: Mapping[str, Obstacle] | None = None,
        groups: Iterable[str] = (),
        estimates: Mapping[str, float] | None = None,
        opaque: Opaque = Opaque.STOP,
        takes_latest: bool = False,
    ) -> Choices:
        called = {label: name for name, label in sorted(self.current.items(), reverse=True)}
        return Choices(
            skip=self.some(skip),
            stop=self.some(stop),
            pinned=self.some(pinned),
            obstacles={self.id(label): found for label, found in (obstacles or {}).items()},
            opaque=opaque,
            takes_latest=takes_latest,
            groups={node: group for group in groups for node in self.some(group)},
            estimates={self.id(label): s for label, s in (estimates or {}).items()},
            titles={node: called.get(label, label) for label, node in self.ids.items()},
        )

    def plan(
        self,
        updates: Mapping[str, str] | None = None,
        *,
        chosen: str | None = None,
        **choices: Any,
    ) -> Plan:
        """A plan from updates by label; from what names point to, if none are given."""
        wanted = self.updates(chosen) if updates is None else updates
        by_id = {self.ids[old]: self.id(new) for old, new in wanted.items()}
        chosen_otherwise = self.choices(**choices)
        return make_plan(self.lineage, self.names, by_id, chosen_otherwise)

    def read(self, plan: Plan) -> dict[str, str]:
        """Label -> what becomes of it, and what it would be made from."""
        return {self.label(step.node): self.read_step(step) for step in plan.steps}

    def read_step(self, step: PlannedStep) -> str:
        parents = []
        for binding in step.bindings:
            match binding.new:
                case Recorded(node):
                    shown = self.label(node)
                case Made(node):
                    shown = f"new {self.label(node)}"
            parents.append(shown if binding.role == "base" else f"{binding.role}={shown}")
        return f"{step.action.value}: {', '.join(parents)}"

    def order(self, plan: Plan) -> list[str]:
        return [self.label(step.node) for step in plan.steps]

    def labels(self, nodes: Collection[Digest]) -> set[str]:
        return set(map(self.label, nodes))


def family(*lines: str, names: Mapping[str, str] | None = None, nameless: str = "") -> Family:
    """Returns a family.

    Args:
        lines: One node each, parents first; ``!`` before one that is cited and not here.
        names: What names point to, where that is not their last number.
        nameless: Names that were removed.
    """
    nodes: dict[str, Node] = {}
    ids: dict[str, Digest] = {}
    current: dict[str, str] = {}
    for line in lines:
        left, _, made_from = line.partition(" <- ")
        label, *replaced = left.split(" => ")
        name, _, number = label.partition("@")
        before = f"{name}@{int(number) - 1}"
        older = {*replaced, *({before} if before in ids else set())}
        edges = {Edge(EdgeKind.VERSION, ids[old]) for old in older}
        for parent in filter(None, made_from.split(", ")):
            role, _, cited = parent.rpartition("=")
            edges.add(Edge(EdgeKind.PROVENANCE, ids[cited], role or "base"))
        node = Node(Digest.of(label.encode()), frozenset(edges), None, "import", "")
        nodes[label], ids[label.removeprefix("!")] = node, digest_of(node)
        current[name] = label
    current = {name: label for name, label in current.items() if not name.startswith("!")}
    removed = nameless.split()
    kept = {name: label for name, label in current.items() if name not in removed}
    return Family(nodes, ids, {**kept, **(names or {})})
