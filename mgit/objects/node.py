"""A node of the lineage: one immutable version of one model."""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Self

from mgit.canonical import Value
from mgit.digest import Digest
from mgit.errors import FormatError
from mgit.objects import fields
from mgit.objects.checkpoint import Manifest
from mgit.objects.code import Recipe
from mgit.objects.fields import Body, Ref


class EdgeKind(Enum):
    """Why a node has a parent."""

    PROVENANCE = "provenance"
    VERSION = "version"


@dataclass(frozen=True, slots=True)
class Edge:
    """Child -> parent.

    Attributes:
        kind: ``PROVENANCE``: made from. ``VERSION``: replaces.
        parent: The parent's node id.
        role: What the parent was used as (base, teacher, adapter …); empty on a version edge.
    """

    kind: EdgeKind
    parent: Digest
    role: str = ""

    def __post_init__(self) -> None:
        if (self.kind is EdgeKind.VERSION) != (not self.role):
            raise FormatError(f"a {self.kind.value} edge with role {self.role!r}")


@dataclass(frozen=True, slots=True)
class Node:
    """Only what determines the model and nobody will want to correct; all else is a statement.

    Attributes:
        manifest: Digest of the manifest.
        edges: To its parents.
        recipe: Digest of the recipe that makes it, if it has one.
        operation: How it came about: import, finetune, prune, cast, merge …
        type: Kind of model, so that checks find it; may be empty.
    """

    kind: ClassVar[str] = "node"
    limit_bytes: ClassVar[int] = 4 << 20
    manifest: Digest
    edges: frozenset[Edge]
    recipe: Digest | None
    operation: str
    type: str

    def parents(self, *kinds: EdgeKind) -> tuple[Digest, ...]:
        """Returns the parents over edges of ``kinds`` (none given: of every kind), sorted."""
        return tuple(sorted({e.parent for e in self.edges if not kinds or e.kind in kinds}))

    def body(self) -> Body:
        """Returns the fields as values."""
        return {
            "manifest": self.manifest,
            "edges": tuple(sorted((e.kind.value, e.parent, e.role) for e in self.edges)),
            "recipe": self.recipe,
            "operation": self.operation,
            "type": self.type,
        }

    def keeps(self) -> set[Ref]:
        """Returns what must stay while this object stays."""
        recipe = {Ref(Recipe.kind, self.recipe)} if self.recipe else set()
        return {
            Ref(Manifest.kind, self.manifest),
            *(Ref(Node.kind, e.parent) for e in self.edges),
            *recipe,
        }

    @classmethod
    def parse(cls, body: Body) -> Self:
        """Returns the object with these fields, or raises FormatError."""
        recipe = body.get("recipe")
        return cls(
            fields.digest(body, "manifest"),
            frozenset(_parse_edge(value) for value in fields.rows(body, "edges")),
            None if recipe is None else fields.as_digest(recipe, "recipe"),
            fields.text(body, "operation"),
            fields.text(body, "type"),
        )


def _parse_edge(value: Value) -> Edge:
    kind, parent, role = fields.row(value, 3, "edge")
    try:
        edge_kind = EdgeKind(kind)
    except ValueError as error:
        raise FormatError(f"unknown kind of edge {kind!r}") from error
    return Edge(edge_kind, fields.as_digest(parent, "parent"), fields.typed(role, str, "role"))
