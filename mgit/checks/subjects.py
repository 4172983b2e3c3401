"""What a check looks at: a model, what it replaces and comes from. Not only nodes are tested."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mgit.checks.registering import Registered
from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError, MgitError
from mgit.objects import EdgeKind, Node
from mgit.repository import History, Repository
from mgit.selection import Selection


@dataclass(frozen=True, slots=True)
class Weighed:
    """A model as a check is given it.

    Attributes:
        title: What it is called.
        manifest: Digest of its manifest; the id of a node that is not in this copy.
        content: Its content id; None where that is not in this copy.
    """

    title: str
    manifest: Digest
    content: Digest | None


@dataclass(frozen=True, slots=True)
class Subject:
    """A model that is tested, and what it is compared with.

    Attributes:
        model: The model.
        node: Its node; None for one that is not published.
        type: Kind of model.
        ancestors: All nodes above it, itself included if it is a node.
        previous: The versions that it replaces.
        parents: What it was made from.
    """

    model: Weighed
    node: Digest | None
    type: str
    ancestors: frozenset[Digest]
    previous: tuple[Weighed, ...]
    parents: tuple[Weighed, ...]

    @property
    def baselines(self) -> Mapping[str, tuple[Weighed, ...]]:
        """What gates compare with, by their word for it: a key of ``VERSUS``."""
        return {"previous": self.previous, "parent": self.parents}


@dataclass(slots=True)
class Subjects:
    """The models of one repository as subjects, and which checks are for them.

    Attributes:
        repository: Where they are.
        history: What it holds.
        selection: What a person means by a selector.
        models: The same, but that a name stands for all versions of the model.
    """

    repository: Repository
    history: History
    selection: Selection
    models: Selection
    _selected: dict[str, frozenset[Digest]] = field(default_factory=dict)

    def of_node(self, node: Digest) -> Subject:
        """Returns a node as a subject."""
        return self.candidate(self.history.nodes[node], self.selection.title(node), node)

    def candidate(self, node: Node, title: str, published: Digest | None = None) -> Subject:
        """Returns a node that may not be part of the repository yet as a subject.

        Args:
            node: The node; of its parents' ancestors those that are here count.
            title: What it is called.
            published: Its id, if it is part of the repository.
        """
        here = self.history.nodes
        lineage = self.history.lineage
        parents = {edge.parent for edge in node.edges} & here.keys()
        above = parents.union(*(lineage.ancestors(parent) for parent in parents))
        return Subject(
            self._weighed(title, node),
            published,
            node.type,
            frozenset(above | ({published} if published else set())),
            self.weighed(node.parents(EdgeKind.VERSION)),
            self.weighed(node.parents(EdgeKind.PROVENANCE)),
        )

    def is_for(self, check: Registered, subject: Subject) -> bool:
        """Returns whether a check is for a model.

        It is if its selector selects the model, or an ancestor of the same type.
        """
        chosen = self.selected(check) & subject.ancestors
        return any(self.history.nodes[node].type == subject.type for node in chosen)

    def selected(self, check: Registered) -> frozenset[Digest]:
        """Returns what a check's selector selects now; nothing where it makes no sense any more."""
        if check.on not in self._selected:
            try:
                self._selected[check.on] = self.models.nodes(check.on)
            except MgitError:  # a name that is gone: shown by ``mgit check list``
                self._selected[check.on] = frozenset()
        return self._selected[check.on]

    def weighed(self, nodes: Iterable[Digest]) -> tuple[Weighed, ...]:
        """Returns nodes as models to compare with; one that is not here is one without content."""
        here = self.history.nodes
        titled = ((node, self.selection.title(node)) for node in nodes)
        return tuple(
            self._weighed(title, here[node]) if node in here else Weighed(title, node, None)
            for node, title in titled
        )

    def _weighed(self, title: str, node: Node) -> Weighed:
        try:
            content = self.repository.content_of(node.manifest)
        except (AbsentError, DamagedError):
            content = None
        return Weighed(title, node.manifest, content)


def subjects(repository: Repository, history: History) -> Subjects:
    """Returns the subjects of a repository as its history stands."""
    models = Selection(repository, history, takes_all_sides=True, takes_all_versions=True)
    return Subjects(repository, history, Selection(repository, history), models)
