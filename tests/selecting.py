"""The language of selectors, over this family (``=>`` replaces, ``->`` made from):

base@v1 => base@v2 -> qa
   |
   +--> team/math --> team/math/tiny --+
   |                                   +--> team/merged        rival@alice    rival@bob
   +--> team/code ---------------------+                       (one conflicted name)
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mgit.digest import Digest
from mgit.errors import ConflictError, NotFoundError
from mgit.lineage import Lineage
from mgit.objects import Edge, EdgeKind, Node
from mgit.selectors import (
    Nodes,
    evaluate,
    parse,
)

Index = Mapping[str, Collection[str]]


def node_id(label: str) -> Digest:
    return Digest.of(label.encode())


def ids(labels: Collection[str]) -> Nodes:
    return frozenset(map(node_id, labels))


def made_from(*parents: str) -> frozenset[Edge]:
    return frozenset(Edge(EdgeKind.PROVENANCE, node_id(parent), "base") for parent in parents)


def replaces(parent: str) -> frozenset[Edge]:
    return frozenset({Edge(EdgeKind.VERSION, node_id(parent))})


@dataclass(frozen=True)
class Family:
    """Facts in plain dictionaries; every node also has its own label as a word."""

    edges: Mapping[str, frozenset[Edge]]
    words: Mapping[str, str] = field(default_factory=dict)
    conflicted: Index = field(default_factory=dict)
    tagged: Index = field(default_factory=dict)
    typed: Index = field(default_factory=dict)
    made_by: Index = field(default_factory=dict)
    authored: Index = field(default_factory=dict)
    upstream: Index = field(default_factory=dict)
    overtaken: Collection[str] = ()
    absent: Collection[str] = ()

    @cached_property
    def lineage(self) -> Lineage:
        return Lineage(
            {
                node_id(label): Node(node_id("manifest"), edges, None, "import", "")
                for label, edges in self.edges.items()
            }
        )

    def all(self) -> Nodes:
        return ids(self.edges)

    def word(self, text: str) -> Nodes:
        if text in self.conflicted:
            raise ConflictError(f"{text!r} is conflicted")
        label = self.words.get(text, text)
        if label not in self.edges:
            raise NotFoundError(f"no model {text!r}")
        return ids([label])

    def remotes(self) -> Collection[str]:
        return ("upstream",) if self.upstream else ()

    def names(self, remote: str) -> Mapping[str, Nodes]:
        if remote:
            return indexed(self.upstream)
        sides = {side for sides in self.conflicted.values() for side in sides}
        plain = {label: [label] for label in self.edges if label not in sides}
        return indexed(plain | dict(self.conflicted))

    def tags(self) -> Mapping[str, Nodes]:
        return indexed(self.tagged)

    def types(self) -> Mapping[str, Nodes]:
        return indexed(self.typed)

    def operations(self) -> Mapping[str, Nodes]:
        return indexed(self.made_by)

    def authors(self) -> Mapping[str, Nodes]:
        return indexed(self.authored)

    def behind(self) -> Nodes:
        return ids(self.overtaken)

    def missing(self) -> Nodes:
        return ids(self.absent)

    def conflicts(self) -> Nodes:
        return ids([side for sides in self.conflicted.values() for side in sides])


def indexed(index: Index) -> Mapping[str, Nodes]:
    return {key: ids(labels) for key, labels in index.items()}


FAMILY = Family(
    edges={
        "base@v1": made_from(),
        "base": replaces("base@v1"),
        "qa": made_from("base"),
        "team/math": made_from("base@v1"),
        "team/math/tiny": made_from("team/math"),
        "team/code": made_from("base@v1"),
        "team/merged": made_from("team/math/tiny", "team/code"),
        "rival@alice": made_from(),
        "rival@bob": made_from(),
    },
    words={
        "base@v2": "base",
        "@mallory/qa": "qa",
        "upstream:base": "base@v1",
        str(node_id("qa")): "qa",
        node_id("qa").short: "qa",
    },
    conflicted={"rival": ["rival@alice", "rival@bob"]},
    tagged={"legal": ["qa", "team/code"], "needs review": ["team/math"], "lang:en": ["qa"]},
    typed={"BertForMaskedLM": ["base@v1", "base"], "BertForQA": ["qa"]},
    made_by={"finetune": ["qa", "team/math", "team/code"], "merge": ["team/merged"]},
    authored={"alice": ["rival@alice", "qa"], "bob@example.org": ["rival@bob"]},
    upstream={"base": ["base@v1"], "team/math": ["team/math"]},
    overtaken=["team/math", "team/math/tiny", "team/code", "team/merged"],
    absent=["team/code"],
)


def select(text: str, facts: Family = FAMILY) -> set[str]:
    chosen = evaluate(parse(text), facts)
    return {label for label in facts.edges if node_id(label) in chosen}
