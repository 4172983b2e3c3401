"""Random families of a few models with several versions, and random choices for them."""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st

from mgit.cascade import Action, Choices, Obstacle, Opaque, Plan, default_updates, make_plan
from mgit.digest import Digest
from mgit.lineage import Lineage
from mgit.objects import Edge, EdgeKind, Node, digest_of

ROLES = ("base", "teacher")
OBSTACLES = (Action.MANUAL, Action.UNTRUSTED, Action.CHANGED, Action.ABSENT)


@dataclass(frozen=True)
class Drawn:
    """All that a plan is made of."""

    lineage: Lineage
    nodes: dict[Digest, Node]
    names: dict[str, Digest]
    updates: dict[Digest, Digest]
    choices: Choices

    def plan(self) -> Plan:
        return make_plan(self.lineage, self.names, self.updates, self.choices)


@st.composite
def families(draw: st.DrawFn) -> Drawn:
    """Draws a family in which most plans have something to do.

    From a seed: drawn piece by piece, nearly every family would be too small to be of interest.
    """
    count, seed = draw(st.integers(1, 24)), draw(st.integers(0, 1 << 32))
    chance = Random(seed)  # noqa: S311
    models: list[list[Digest]] = [[] for _ in range(chance.randint(2, 8))]
    nodes: dict[Digest, Node] = {}
    for i in range(count):
        versions = chance.choice(models)
        made_from = some(nodes, chance, at_most=3)
        edges = {Edge(EdgeKind.PROVENANCE, p, chance.choice(ROLES)) for p in made_from}
        if versions:
            older = chance.choice(versions) if chance.random() < 0.1 else versions[-1]
            edges.add(Edge(EdgeKind.VERSION, older))
        node = Node(Digest.of(bytes([i])), frozenset(edges), None, "import", "")
        nodes[digest_of(node)] = node
        versions.append(digest_of(node))
    names = {
        f"m{i}": chance.choice(versions) if chance.random() < 0.1 else versions[-1]
        for i, versions in enumerate(models)
        if versions and chance.random() < 0.9
    }
    lineage = Lineage(nodes)
    return Drawn(
        lineage, nodes, names, updated(lineage, names, chance), chosen(nodes, names, chance)
    )


def updated(lineage: Lineage, names: dict[str, Digest], chance: Random) -> dict[Digest, Digest]:
    if chance.random() < 0.5:
        return default_updates(lineage, names)
    return default_updates(lineage, names, some(names.values(), chance, at_most=3))


def chosen(nodes: dict[Digest, Node], names: dict[str, Digest], chance: Random) -> Choices:
    def few(among: Iterable[Digest]) -> frozenset[Digest]:
        return some(among, chance, at_most=2) if chance.random() < 0.5 else frozenset()

    live = names.values()
    obstacles = sorted(few(live) | few(nodes))
    return Choices(
        skip=few(nodes),
        stop=few(nodes),
        pinned=few(nodes),
        obstacles={node: Obstacle(chance.choice(OBSTACLES), "why") for node in obstacles},
        opaque=chance.choice(list(Opaque)),
        takes_latest=chance.random() < 0.2,
        groups=dict.fromkeys(sorted(few(live)), "together"),
        estimates={n: chance.uniform(0, 9) for n in sorted(nodes) if chance.random() < 0.8},
    )


def some(items: Iterable[Digest], chance: Random, *, at_most: int) -> frozenset[Digest]:
    known = sorted(set(items))
    return frozenset(chance.sample(known, chance.randint(0, min(at_most, len(known)))))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Draws a plan with several steps: all below one model that has a new version."""
    old = Node(Digest.of(b"old"), frozenset(), None, "import", "")
    new = Node(
        Digest.of(b"new"), frozenset({Edge(EdgeKind.VERSION, digest_of(old))}), None, "import", ""
    )
    nodes = {digest_of(old): old, digest_of(new): new}
    names = {"root": digest_of(new)}
    groups: dict[Digest, int] = {}
    above = [digest_of(old)]
    for i in range(draw(st.integers(2, 9))):
        edges = frozenset(
            Edge(EdgeKind.PROVENANCE, parent, "base")
            for parent in draw(st.sets(st.sampled_from(above), min_size=1, max_size=3))
        )
        size = draw(st.sampled_from((1, 1, 1, 2, 3)))
        made = [Node(Digest.of(bytes([i, j])), edges, None, "import", "") for j in range(size)]
        for j, node in enumerate(made):
            nodes[digest_of(node)] = node
            names[f"m{i}.{j}"] = digest_of(node)
            groups[digest_of(node)] = i
        above.extend(map(digest_of, made))
    steps = sorted(groups)
    choices = Choices(
        obstacles={
            n: Obstacle(Action.UNTRUSTED, "why")
            for n in draw(st.sets(st.sampled_from(steps), max_size=1))
        },
        skip=draw(st.sampled_from((frozenset[Digest](), frozenset(steps[:1])))),
        groups=groups,
        estimates={n: draw(st.integers(0, 9)) for n in steps if draw(st.booleans())},
    )
    return make_plan(Lineage(nodes), names, {digest_of(old): digest_of(new)}, choices)
