"""Who signed each step from a node up to its roots, and whether they may: ``mgit verify``."""

from dataclasses import dataclass

from mgit.digest import Digest
from mgit.provenance import Origin
from mgit.repository import Repository
from mgit.viewing.past import creation_facts
from mgit.viewing.view import Person, View


@dataclass(frozen=True, slots=True)
class TrailStep:
    """One node on the way.

    Attributes:
        title: What it is called.
        node: Its id.
        operation: How it came about; empty where the node is not here.
        makers: Who signed for it.
        time: When, as the maker says.
        is_verified: Whether a key with a role signed how it came about.
        reason: Why not, or who took over what a key without a role made.
    """

    title: str
    node: Digest
    operation: str
    makers: tuple[Person, ...]
    time: str
    is_verified: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Trail:
    """A node and everything it was made from.

    Attributes:
        title: What it is called.
        node: Its id.
        steps: Roots first, the node itself last.
    """

    title: str
    node: Digest
    steps: tuple[TrailStep, ...]

    @property
    def is_verified(self) -> bool:
        """Whether every step is."""
        return all(step.is_verified for step in self.steps)


def verify(repository: Repository, selector: str) -> Trail:
    """Returns who signed for a node and for each of its ancestors.

    Raises:
        MgitError: See ``Selection.one``.
    """
    view = View.of(repository)
    node = view.selection.one(selector)
    origins = view.selection.provenance.trail(node)
    here = view.history.nodes
    cited = {parent for origin in origins for parent in here[origin.node].parents()}
    absent = [_absent_step(view, parent) for parent in sorted(cited - here.keys())]
    steps = [_step(view, origin) for origin in origins]
    return Trail(view.title(node), node, (*absent, *steps))


def _step(view: View, origin: Origin) -> TrailStep:
    time, _ = creation_facts(view, origin.node)
    reason = "" if origin.is_verified else "signed by a key without a role"
    labels = view.history.names.labels()
    adopters = ", ".join(sorted(labels[key] for key in origin.adopters))
    if adopters and not any(claim.is_trusted for claim in origin.creations):
        reason = f"taken over by {adopters}"
    return TrailStep(
        title=view.title(origin.node),
        node=origin.node,
        operation=view.history.nodes[origin.node].operation,
        makers=view.makers(origin.node),
        time=time,
        is_verified=origin.is_verified,
        reason=reason if origin.creations else "nobody signed how it came about",
    )


def _absent_step(view: View, node: Digest) -> TrailStep:
    return TrailStep(view.title(node), node, "", (), "", is_verified=False, reason="not here")
