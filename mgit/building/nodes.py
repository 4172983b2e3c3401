"""A result becomes a node with a signed statement of how it came about."""

from collections.abc import Iterable
from dataclasses import dataclass

from mgit.building.results import Made
from mgit.building.work import Work
from mgit.digest import Digest
from mgit.objects import Edge, EdgeKind, Node, Statement, digest_of
from mgit.provenance import creation_statement
from mgit.source import descriptors


@dataclass(frozen=True, slots=True)
class Model:
    """One of the models that a run made, and what it will be.

    Attributes:
        output: What the recipe calls it; empty if it made one.
        name: The name that will point to it; empty: none.
        replaces: The versions that it replaces.
        type: Kind of model.
    """

    output: str
    name: str
    replaces: frozenset[Digest]
    type: str


def node_of(work: Work, made: Made, model: Model) -> Node:
    """Returns the node of one of the results; every parent has to be a node by then."""
    parents = {Edge(EdgeKind.PROVENANCE, _node(p.node), p.role) for p in work.parents}
    versions = {Edge(EdgeKind.VERSION, replaced) for replaced in model.replaces}
    return Node(
        made.manifests[model.output],
        frozenset(parents | versions),
        digest_of(work.recipe(model.output)),
        work.operation,
        model.type,
    )


def creation_of(work: Work, made: Made, model: Model, key: bytes, message: str) -> Statement:
    """Returns the statement of how a node came about, with the source of its recipe."""
    node = node_of(work, made, model)
    internal: dict[str, object] = {
        "action": work.action.hex(),
        "environment": dict(made.environment),
        "duration_s": made.duration_s,
    }
    external: dict[str, object] = {
        "name": model.name,
        "recipe": work.code.function,
        "arguments": dict(work.code.arguments),
    }
    external |= {"seed": work.code.seed} if work.code.seed is not None else {}
    external |= {"message": message} if message else {}
    return creation_statement(
        model.name,
        digest_of(node),
        node,
        key=key,
        external=external,
        started=made.started,
        finished=made.finished,
        internal=internal | ({"output": model.output} if model.output else {}),
        materials=descriptors(work.source) if work.source else (),
    )


def type_of(types: Iterable[str]) -> str:
    """Returns the type that a model takes over from the first of its parents that has one."""
    return next((found for found in types if found), "")


def _node(node: Digest | None) -> Digest:
    if node is None:
        raise ValueError("a parent that is no node yet")
    return node
