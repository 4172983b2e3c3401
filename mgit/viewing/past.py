"""How nodes came about, children before parents: the rows of ``mgit log``."""

from collections.abc import Mapping
from dataclasses import dataclass

from mgit.digest import Digest
from mgit.objects import CREATION, EdgeKind
from mgit.repository import Repository
from mgit.roots import closure
from mgit.viewing.view import Person, View


@dataclass(frozen=True, slots=True)
class ParentLink:
    """An edge to a parent.

    Attributes:
        node: The parent.
        title: What it is called here.
        kind: Why it is a parent.
        role: What it was used as; empty on a version edge.
        is_here: Whether the parent's node is in this copy.
    """

    node: Digest
    title: str
    kind: EdgeKind
    role: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class LogRow:
    """One node in the history.

    Attributes:
        node: Its id.
        title: What it is called.
        operation: How it came about.
        type: Kind of model; may be empty.
        parents: Its edges, provenance first.
        tags: Its tags.
        makers: Who made it.
        time: When, as the maker says (RFC 3339); empty if nobody says so. Never an order.
        message: Why, as the maker says.
    """

    node: Digest
    title: str
    operation: str
    type: str
    parents: tuple[ParentLink, ...]
    tags: tuple[str, ...]
    makers: tuple[Person, ...]
    time: str
    message: str


def log(repository: Repository, selector: str = "", *, limit: int | None = None) -> list[LogRow]:
    """Returns the nodes of a selection and all their ancestors here, children before parents.

    Args:
        repository: Where to look.
        selector: Which nodes; empty: all.
        limit: At most so many rows.

    Raises:
        MgitError: See ``Selection.nodes``.
    """
    view = View.of(repository)
    lineage = view.history.lineage
    chosen = closure(view.selection.nodes(selector or "all()"), lineage.parents)
    return [_row(view, node) for node in lineage.topological(chosen)[::-1][:limit]]


def parent_links(view: View, node: Digest) -> tuple[ParentLink, ...]:
    """Returns the edges of a node, provenance first."""
    edges = sorted(
        view.history.nodes[node].edges, key=lambda e: (e.kind.value, e.role, view.title(e.parent))
    )
    here = view.history.nodes
    return tuple(
        ParentLink(e.parent, view.title(e.parent), e.kind, e.role, e.parent in here) for e in edges
    )


def creation_facts(view: View, node: Digest) -> tuple[str, str]:
    """Returns when a node was made and the message, as its first maker states them."""
    for claim in view.selection.provenance.about(node, CREATION):
        predicate = claim.statement.predicate
        finished = _within(predicate, "runDetails", "metadata", "finishedOn")
        return finished, _within(predicate, "buildDefinition", "externalParameters", "message")
    return "", ""


def _within(value: object, *keys: str) -> str:
    """Returns the text at the end of a path of keys; strangers write statements, so maybe none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""


def _row(view: View, node: Digest) -> LogRow:
    time, message = creation_facts(view, node)
    known = view.history.nodes[node]
    return LogRow(
        node=node,
        title=view.title(node),
        operation=known.operation,
        type=known.type,
        parents=parent_links(view, node),
        tags=tuple(sorted(view.selection.provenance.tags(node))),
        makers=view.makers(node),
        time=time,
        message=message,
    )
