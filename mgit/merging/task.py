"""Which nodes are merged, where the result goes, and which edges it gets."""

from dataclasses import dataclass

from mgit.digest import Digest
from mgit.errors import AbsentError, ConflictError, UsageError
from mgit.objects import Edge, EdgeKind
from mgit.objects.grammar import check_name
from mgit.repository import History, Parts, Repository, now, read_parts, require_complete
from mgit.selection import Selection

_MERGED, _BASE = "merged", "base"  # roles of parents that the result does not replace


@dataclass(frozen=True, slots=True)
class Task:
    """A merge that is to be made.

    Attributes:
        repository: Where.
        history: What it held at the start.
        ours: The one side.
        theirs: The other side.
        base: What both come from.
        name: What the result will be called; empty in a dry run that needs no name.
        targets: What that name pointed to at the start, for the key that signs.
        started: When, RFC 3339.
        verb: What was asked for, in the words of the command line.
    """

    repository: Repository
    history: History
    ours: Digest
    theirs: Digest
    base: Digest
    name: str
    targets: frozenset[Digest]
    started: str
    verb: str

    @property
    def sides(self) -> frozenset[Digest]:
        """Both sides."""
        return frozenset({self.ours, self.theirs})

    def parts(self, node: Digest) -> Parts:
        """Returns what describes a node, without asking for its weights.

        Raises:
            AbsentError: That is not here; the message says why.
        """
        try:
            return read_parts(self.repository, self.history.nodes[node])
        except AbsentError:
            return self.complete_parts(node)

    def complete_parts(self, node: Digest) -> Parts:
        """Returns what describes a node whose weights are here; raises as ``require_complete``."""
        title = Selection(self.repository, self.history).title(node)
        return require_complete(self.repository, title, node, self.history.nodes[node])

    def edges(self) -> frozenset[Edge]:
        """Returns the edges of the result.

        Version edges to what its name pointed to, and to sides that are versions of the same model.
        Any other side is what it was made from: that is not replaced. So is a base that somebody
        chose, unless it is above a side.
        """
        lineage = self.history.lineage
        family = {v for t in self.targets if t in lineage for v in lineage.versions(t)}
        replaced = self.targets | (self.sides & family)
        above = self.sides.union(*(lineage.ancestors(side) for side in self.sides))
        return frozenset(
            {Edge(EdgeKind.VERSION, node) for node in replaced}
            | {Edge(EdgeKind.PROVENANCE, side, _MERGED) for side in self.sides - replaced}
            | {Edge(EdgeKind.PROVENANCE, node, _BASE) for node in {self.base} - above - replaced}
        )

    def existing(self, manifest: Digest) -> Digest | None:
        """Returns the node that is the result already: the name's own, or a newer version of it.

        It has to have everything that is merged above it: else the merge would be forgotten.
        """
        lineage, nodes = self.history.lineage, self.history.nodes
        if len(self.targets) != 1:
            return None
        for node in (*(self.targets & nodes.keys()), self.ours, self.theirs):
            is_newer = self.targets <= {node, *lineage.version_ancestors(node)}
            is_all = self.sides <= {node, *lineage.ancestors(node)}
            if is_newer and is_all and nodes[node].manifest == manifest:
                return node
        return None


def task_of(
    repository: Repository, selectors: tuple[str, str, str], into: str, *, is_dry_run: bool
) -> Task:
    """Returns what a person wants to be merged.

    Args:
        repository: Where.
        selectors: Ours, theirs, and the base; that one may be empty: the lowest common ancestor.
        into: What the result will be called; empty: as ours.
        is_dry_run: Whether nothing will be written: then no key, role or name is needed.

    Raises:
        UsageError: There is no common ancestor, or several; or no name.
        ConflictError: The name is a conflicted one, and these are not its sides.
    """
    started = now()
    history = repository.history()
    selection = Selection(repository, history)
    a, b, chosen = selectors
    ours, theirs = selection.one(a), selection.one(b)
    base = selection.one(chosen) if chosen else _common_ancestor(selection, a, b)
    name = check_name(into) if into else _name_of(history, a)
    targets: frozenset[Digest] = frozenset()
    if not is_dry_run:
        repository.check_writable()
        key = repository.identity().key.public  # a missing key is told before the work
        targets = _targets(history, key, name, {ours, theirs})
    verb = f"merge {a} {b} --into {name}"
    return Task(repository, history, ours, theirs, base, name, targets, started, verb)


def _common_ancestor(selection: Selection, a: str, b: str) -> Digest:
    found = sorted(selection.lineage.fork_point(selection.one(a), selection.one(b)))
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            f"{a} and {b} are unrelated: they have no common ancestor here",
            hint=f"if you know what both come from: mgit merge {a} {b} --base SEL",
        )
    shown = ", ".join(f"{selection.title(node)} ({node.short})" for node in found)
    raise UsageError(
        f"{a} and {b} have {len(found)} lowest common ancestors: {shown}",
        hint=f"choose one: mgit merge {a} {b} --base {found[0].short}",
    )


def _name_of(history: History, a: str) -> str:
    """Returns the name that a side stands for: itself, or the conflicted one that it is a side of.

    Empty if it is none; then only a dry run can do without ``into``.
    """
    if history.names.resolve(a):
        return a
    name, _, _ = a.partition("@")
    return name if name and len(history.names.resolve(name)) > 1 else ""


def _targets(history: History, key: bytes, name: str, sides: set[Digest]) -> frozenset[Digest]:
    if not name:
        raise UsageError("the result needs a name", hint="give it one: --into NAME")
    targets = history.targets_for(key, name)
    if len(targets) > 1 and not targets <= sides:
        raise ConflictError(
            f"{name!r} is a conflicted name, and these are not its sides",
            hint=f"merge its sides, or settle it first: mgit resolve {name} --pick SIDE",
        )
    return targets
