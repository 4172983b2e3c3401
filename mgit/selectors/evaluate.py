"""From an expression and the facts of one repository to a set of nodes.

The two tables at the end are the vocabulary: a new function or prefix is one line there. Refuses to
know where facts come from.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, assert_never

from mgit.digest import Digest
from mgit.errors import UsageError
from mgit.lineage import Lineage
from mgit.selectors.expression import And, Call, Expression, Not, Or, Prefixed, Word, is_glob

Nodes: TypeAlias = frozenset[Digest]
SHOWN_CHARACTERS = 80  # of what an error quotes


class Facts(Protocol):
    """What an upper layer knows of one repository. Every node it returns is one of ``all()``."""

    @property
    def lineage(self) -> Lineage:
        """The graph of all nodes."""

    def all(self) -> Nodes:
        """Returns every node."""

    def word(self, text: str, /) -> Nodes:
        """Returns what a word that is not a glob stands for, in any form that the grammar has.

        Raises:
            NotFoundError: It stands for nothing.
            ConflictError: It is a conflicted name without a side.
            UsageError: It is malformed, or an id prefix that is too short or ambiguous.
        """

    def remotes(self) -> Collection[str]:
        """Returns the names of the remotes."""

    def names(self, remote: str, /) -> Mapping[str, Nodes]:
        """Returns name -> all its targets, at ``remote`` or, if that is empty, here.

        Plain names only: no sides, and no entries of keys without the role.
        """

    def tags(self) -> Mapping[str, Nodes]:
        """Returns tag -> nodes that bear it."""

    def types(self) -> Mapping[str, Nodes]:
        """Returns type -> nodes of it."""

    def operations(self) -> Mapping[str, Nodes]:
        """Returns operation -> nodes made by it."""

    def authors(self) -> Mapping[str, Nodes]:
        """Returns label -> nodes whose makers bear it."""

    def behind(self) -> Nodes:
        """Returns the nodes with an ancestor that has a newer version."""

    def missing(self) -> Nodes:
        """Returns the nodes of which something is absent here."""

    def conflicts(self) -> Nodes:
        """Returns the targets of conflicted names."""


@dataclass(frozen=True, slots=True)
class Function:
    """A row of FUNCTIONS.

    Attributes:
        usage: How to write it.
        arguments: How many selectors it may be given.
        apply: Returns its value.
        has_count: It takes a number as well.
    """

    usage: str
    arguments: range
    apply: Callable[[Facts, Call], Nodes]
    has_count: bool = False


def evaluate(expression: Expression, facts: Facts) -> Nodes:
    """Returns the nodes that ``expression`` stands for.

    Raises:
        UsageError: ``x:`` where x is neither a prefix nor a remote; ``forkpoint`` of sets that are
            not one node each.
        MgitError: Whatever ``facts.word`` raises.
    """
    match expression:
        case Word(text):
            return _resolved(text, facts)
        case Prefixed(prefix, value):
            return _matching(value, PREFIXES[prefix](facts))
        case Call(function):
            return FUNCTIONS[function].apply(facts, expression)
        case And(operands):
            return frozenset.intersection(*(evaluate(operand, facts) for operand in operands))
        case Or(operands):
            return frozenset().union(*(evaluate(operand, facts) for operand in operands))
        case Not(operand):
            return facts.all() - evaluate(operand, facts)
        case _:
            assert_never(expression)


def _resolved(text: str, facts: Facts) -> Nodes:
    remote, _, name = text.rpartition(":")
    if remote == "sha256":
        return facts.word(text)
    if remote and remote not in facts.remotes():
        prefixes = ", ".join(f"{prefix}:" for prefix in PREFIXES)
        remotes = ", ".join(f"{remote}:" for remote in sorted(facts.remotes()))
        raise UsageError(
            f"'{remote[:SHOWN_CHARACTERS]}:' is neither a prefix nor a remote",
            hint=f"known prefixes: {prefixes}; known remotes: {remotes or 'none'}",
        )
    return _matching(name, facts.names(remote)) if is_glob(name) else facts.word(text)


def _matching(glob: str, index: Mapping[str, Nodes]) -> Nodes:
    if not is_glob(glob):
        return index.get(glob, frozenset())
    matches = _matcher(glob)
    return frozenset().union(*(nodes for text, nodes in index.items() if matches(text)))


def _matcher(glob: str) -> Callable[[str], bool]:
    """Returns a test of whole texts that is linear in their length, whatever the glob.

    Names come from strangers, and a regular expression would try every way to share a name among
    the stars. Bit i of ``alive`` says that what was read can be the first i characters of the glob,
    stars not counted (shift-and: Baeza-Yates and Gonnet, A New Approach to Text Searching, 1992); a
    star lets its bit stay.
    """
    literals: dict[str, int] = {}
    any_one = star = double_star = 0
    end = 1
    for piece in re.findall(r"\*\*|.", glob):
        match piece:
            case "**":
                double_star |= end
            case "*":
                star |= end
            case "?":
                any_one |= end
                end <<= 1
            case _:
                literals[piece] = literals.get(piece, 0) | end
                end <<= 1

    def matches(text: str) -> bool:
        alive = 1
        for character in text:
            free = 0 if character == "/" else -1
            moved = (alive & (literals.get(character, 0) | (any_one & free))) << 1
            alive = moved | (alive & (double_star | (star & free)))
        return bool(alive & end)

    return matches


def _first(call: Call, facts: Facts) -> Nodes:
    return evaluate(call.arguments[0], facts) if call.arguments else facts.all()


def _reached(
    start: Nodes, step: Callable[[Digest], Iterable[Digest]], *, within: int | None = None
) -> Nodes:
    found: set[Digest] = set()
    frontier = start  # all at once, so that a node is expanded at most twice, however many begin
    while frontier and within != 0:
        frontier = frozenset(there for here in frontier for there in step(here)) - found
        found |= frontier
        within = None if within is None else within - 1
    return frozenset(found)


def _connected(start: Nodes, component: Callable[[Digest], Iterable[Digest]]) -> Nodes:
    found: set[Digest] = set()
    for node in start:
        if node not in found:
            found.update(component(node))
    return frozenset(found)


def _ancestors(facts: Facts, call: Call) -> Nodes:
    return _reached(_first(call, facts), facts.lineage.parents, within=call.within)


def _descendants(facts: Facts, call: Call) -> Nodes:
    return _reached(_first(call, facts), facts.lineage.children, within=call.within)


def _parents(facts: Facts, call: Call) -> Nodes:
    return _reached(_first(call, facts), facts.lineage.parents, within=1)


def _children(facts: Facts, call: Call) -> Nodes:
    return _reached(_first(call, facts), facts.lineage.children, within=1)


def _versions(facts: Facts, call: Call) -> Nodes:
    return _connected(_first(call, facts), facts.lineage.versions)


def _family(facts: Facts, call: Call) -> Nodes:
    return _connected(_first(call, facts), facts.lineage.family)


def _heads(facts: Facts, call: Call) -> Nodes:
    nodes = _first(call, facts)
    return nodes - _reached(nodes, facts.lineage.parents)


def _roots(facts: Facts, call: Call) -> Nodes:
    nodes = _first(call, facts)
    return nodes - _reached(nodes, facts.lineage.children)


def _fork_point(facts: Facts, call: Call) -> Nodes:
    left, right = (_one(argument, facts) for argument in call.arguments)
    return facts.lineage.fork_point(left, right)


def _one(argument: Expression, facts: Facts) -> Digest:
    nodes = evaluate(argument, facts)
    if len(nodes) != 1:
        raise UsageError(
            f"forkpoint takes one node on each side; {str(argument)[:SHOWN_CHARACTERS]!r} is "
            f"{len(nodes)}",
            hint="write a name, version or id on each side, e.g. forkpoint(bert@v2, qa)",
        )
    return next(iter(nodes))


_NONE, _ONE, _ANY, _TWO = range(1), range(1, 2), range(2), range(2, 3)
FUNCTIONS: Mapping[str, Function] = {
    "all": Function("all()", _NONE, lambda facts, _: facts.all()),
    "ancestors": Function("ancestors(x[, n])", _ONE, _ancestors, has_count=True),
    "behind": Function("behind()", _NONE, lambda facts, _: facts.behind()),
    "children": Function("children(x)", _ONE, _children),
    "conflicts": Function("conflicts()", _NONE, lambda facts, _: facts.conflicts()),
    "descendants": Function("descendants(x[, n])", _ONE, _descendants, has_count=True),
    "family": Function("family(x)", _ONE, _family),
    "forkpoint": Function("forkpoint(x, y)", _TWO, _fork_point),
    "heads": Function("heads([x])", _ANY, _heads),
    "missing": Function("missing()", _NONE, lambda facts, _: facts.missing()),
    "parents": Function("parents(x)", _ONE, _parents),
    "roots": Function("roots([x])", _ANY, _roots),
    "versions": Function("versions(x)", _ONE, _versions),
}
PREFIXES: Mapping[str, Callable[[Facts], Mapping[str, Nodes]]] = {
    "author": lambda facts: facts.authors(),
    "op": lambda facts: facts.operations(),
    "tag": lambda facts: facts.tags(),
    "type": lambda facts: facts.types(),
}
