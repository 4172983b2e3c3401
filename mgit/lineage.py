"""The lineage as a graph: who came from whom, over which kind of edge.

Reads nodes and nothing else: no names, no store, no time. A parent that is cited but not here is
the boundary of this copy: walks end before it and `absent_parents` lists it. Every walk is a loop,
so that a chain of any length can be walked.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

import networkx as nx

from mgit.digest import Digest
from mgit.errors import DamagedError, NotFoundError
from mgit.objects import EdgeKind, Node


class Lineage:
    """A read-only view of nodes and the edges between them.

    ``kinds`` restricts a method to edges of these kinds; without any, all edges count.
    """

    def __init__(self, nodes: Mapping[Digest, Node]) -> None:
        """Takes nodes by id; their parents need not be among them.

        Raises:
            DamagedError: The edges form a cycle. A digest cannot be made to cite itself, so some
                node is not what its id says.
        """
        self._nodes = dict(nodes)
        self._graphs: dict[frozenset[EdgeKind], nx.DiGraph] = {}
        if not nx.is_directed_acyclic_graph(self._graph()):
            cycle = " -> ".join(parent.short for parent, _ in nx.find_cycle(self._graph()))
            raise DamagedError(
                f"the lineage has a cycle: {cycle}",
                hint="one of these nodes is not what its id says; run: mgit fsck",
            )

    def __contains__(self, node: object) -> bool:
        return node in self._nodes

    def __len__(self) -> int:
        return len(self._nodes)

    def __getitem__(self, node: Digest) -> Node:
        """Returns the node with this id; NotFoundError where it is not here. So below."""
        self._check_here([node])
        return self._nodes[node]

    def parents(self, node: Digest, *kinds: EdgeKind) -> frozenset[Digest]:
        """Returns the parents that are here."""
        self._check_here([node])
        return frozenset(self._graph(*kinds).predecessors(node))

    def children(self, node: Digest, *kinds: EdgeKind) -> frozenset[Digest]:
        """Returns the children."""
        self._check_here([node])
        return frozenset(self._graph(*kinds).successors(node))

    def ancestors(
        self, node: Digest, *kinds: EdgeKind, within: int | None = None
    ) -> frozenset[Digest]:
        """Returns everything above ``node``, without itself; at most ``within`` edges away."""
        self._check_here([node])
        return frozenset(_walk(node, self._graph(*kinds).predecessors, within) - {node})

    def descendants(
        self, node: Digest, *kinds: EdgeKind, within: int | None = None
    ) -> frozenset[Digest]:
        """Returns everything below ``node``, without itself; at most ``within`` edges away."""
        self._check_here([node])
        return frozenset(_walk(node, self._graph(*kinds).successors, within) - {node})

    def versions(self, node: Digest) -> frozenset[Digest]:
        """Returns all versions of the same model: the family over version edges."""
        return self.family(node, EdgeKind.VERSION)

    def family(self, node: Digest, *kinds: EdgeKind) -> frozenset[Digest]:
        """Returns what edges, in either direction, connect ``node`` with, itself included."""
        self._check_here([node])
        graph = self._graph(*kinds)
        return frozenset(_walk(node, lambda n: nx.all_neighbors(graph, n)))

    def roots(self, *kinds: EdgeKind) -> frozenset[Digest]:
        """Returns the nodes that have no parent here."""
        return frozenset(node for node, degree in self._graph(*kinds).in_degree() if not degree)

    def heads(self, *kinds: EdgeKind) -> frozenset[Digest]:
        """Returns the nodes that have no child here."""
        return frozenset(node for node, degree in self._graph(*kinds).out_degree() if not degree)

    def fork_point(self, left: Digest, right: Digest, *kinds: EdgeKind) -> frozenset[Digest]:
        """Returns the lowest common ancestors: those that have no other common ancestor below them.

        A node counts as its own ancestor here: the fork point of a node and its descendant is that
        node. Several where the two sides were merged crosswise, none where they have nothing in
        common.
        """
        self._check_here([left, right])
        graph = self._graph(*kinds)
        common = _walk(left, graph.predecessors) & _walk(right, graph.predecessors)
        # what lies between two common ancestors is one too, so a look at the children is enough
        return frozenset(node for node in common if common.isdisjoint(graph.successors(node)))

    def topological(self, subset: Iterable[Digest]) -> list[Digest]:
        """Returns ``subset`` with ancestors first, also where what lies between is left out.

        The same for the same lineage, whatever the order of ``subset``: of the nodes whose parents
        came already, the smallest digest is next.
        """
        chosen = set(subset)
        self._check_here(chosen)
        return sorted(chosen, key=self._ranks.__getitem__)

    def version_number(self, node: Digest) -> int:
        """Returns 1 + the largest number of its version parents here, for people to read."""
        self._check_here([node])
        return self._version_numbers[node]

    def version_ancestors(self, node: Digest) -> frozenset[Digest]:
        """Returns the ids above ``node`` over version edges, cited ones that are not here included.

        Empty if ``node`` itself is not here. What `names` asks: which targets of a name are older
        versions of another one must not depend on whether the older node has arrived.
        """
        found: set[Digest] = set()
        todo = [node]
        while todo:
            known = self._nodes.get(todo.pop())
            fresh = set(known.parents(EdgeKind.VERSION)) - found if known else ()
            found.update(fresh)
            todo.extend(fresh)
        return frozenset(found)

    def absent_parents(self, *kinds: EdgeKind) -> frozenset[Digest]:
        """Returns the ids that nodes here cite as parents and that are not here."""
        cited = {p for node in self._nodes.values() for p in node.parents(*kinds)}
        return frozenset(cited - self._nodes.keys())

    def _graph(self, *kinds: EdgeKind) -> nx.DiGraph:
        """Parent -> child, so that networkx means by an ancestor what we mean."""
        chosen = frozenset(kinds or EdgeKind)
        if chosen not in self._graphs:
            graph = nx.DiGraph()
            graph.add_nodes_from(self._nodes)
            graph.add_edges_from(
                (edge.parent, child)
                for child, node in self._nodes.items()
                for edge in node.edges
                if edge.kind in chosen and edge.parent in self._nodes
            )
            self._graphs[chosen] = graph
        return self._graphs[chosen]

    @cached_property
    def _ranks(self) -> dict[Digest, int]:
        order = nx.lexicographical_topological_sort(self._graph())
        return {node: rank for rank, node in enumerate(order)}

    @cached_property
    def _version_numbers(self) -> dict[Digest, int]:
        graph = self._graph(EdgeKind.VERSION)
        numbers: dict[Digest, int] = {}
        for node in nx.topological_sort(graph):
            numbers[node] = 1 + max((numbers[p] for p in graph.predecessors(node)), default=0)
        return numbers

    def _check_here(self, nodes: Iterable[Digest]) -> None:
        for node in nodes:
            if node not in self._nodes:
                raise NotFoundError(f"no node {node.short} in this lineage", hint="fetch it first")


def _walk(
    start: Digest, step: Callable[[Digest], Iterable[Digest]], within: int | None = None
) -> set[Digest]:
    """Returns what at most ``within`` steps reach (None: any number), ``start`` included."""
    found = {start}
    edge = [start]
    while edge and within != 0:
        edge = list({n for node in edge for n in step(node)} - found)
        found.update(edge)
        within = None if within is None else within - 1
    return found
