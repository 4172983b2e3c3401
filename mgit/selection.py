"""Which nodes a person means: the selector language over a repository, and names for people."""

import contextlib
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from functools import cached_property

from mgit import selectors
from mgit.digest import Digest
from mgit.errors import AbsentError, ConflictError, NotFoundError, UsageError
from mgit.lineage import Lineage
from mgit.names import Ledger, Names
from mgit.objects import EdgeKind
from mgit.objects.grammar import printable
from mgit.provenance import Provenance
from mgit.repository import History, Presence, Repository, presence
from mgit.roots import closure
from mgit.signing import fingerprint

_ID_DIGITS = 6
_SHOWN_VERSIONS = 5
_HEX = frozenset("0123456789abcdef")
_VERSION = re.compile(rf"v([0-9]{{1,9}})(?:-([0-9a-f]{{{_ID_DIGITS},}}))?")


class Selection:
    """The facts that selectors ask for, and how a node is called, in one repository."""

    def __init__(
        self,
        repository: Repository,
        history: History,
        *,
        takes_all_sides: bool = False,
        takes_all_versions: bool = False,
    ) -> None:
        """Takes a repository and what it held when its history was read.

        A conflicted name is an error, or stands for all its sides (in a filter of what to fetch). A
        name stands for what it points to now, or for that with all its older versions (in what a
        check is for: it is for a model, and goes on being so when the model changes).
        """
        self._repository = repository
        self._takes_all_sides = takes_all_sides
        self._takes_all_versions = takes_all_versions
        self._history = history
        self.provenance = Provenance(history)

    # --- what a person writes ---

    def nodes(self, text: str) -> frozenset[Digest]:
        """Returns the nodes that a selector stands for.

        Raises:
            UsageError, NotFoundError, AbsentError, ConflictError: See ``selectors.evaluate``.
        """
        return selectors.evaluate(selectors.parse(text), self)

    def one(self, text: str) -> Digest:
        """Returns the one node that a selector stands for.

        Raises:
            NotFoundError: It stands for none.
            UsageError: It stands for several.
        """
        found = sorted(self.nodes(text))
        if not found:
            raise NotFoundError(f"{printable(text)!r} selects nothing", hint="mgit ls")
        if len(found) > 1:
            shown = ", ".join(f"{self.title(node)} ({node.short})" for node in found[:4])
            raise UsageError(
                f"{printable(text)!r} selects {len(found)} nodes: {shown}",
                hint="give a name, name@vN, or an id from: mgit log",
            )
        return found[0]

    def word(self, text: str) -> frozenset[Digest]:
        """Returns what a name, side, version, remote name or id prefix stands for."""
        if text.startswith("@"):
            return self._aside(text)
        if ":" in text and not text.startswith("sha256:"):
            remote, _, name = text.partition(":")
            found = self.names(remote).get(name, frozenset())
            return self._here(found) or self._unknown(text)
        if "@" in text:
            return self._side_or_version(text)
        targets = self._history.names.resolve(text)
        if len(targets) > 1 and not self._takes_all_sides:
            sides = sorted(self.sides(text))
            raise ConflictError(
                f"{text!r} is a conflicted name: {', '.join(sides)}",
                hint=f"say which one, or settle it: mgit resolve {text} --pick {sides[0]}",
            )
        return self._meant(self._here(targets)) or self._by_id(text)

    def _meant(self, targets: frozenset[Digest]) -> frozenset[Digest]:
        here = self._history.nodes.keys()
        return self._line(targets) & here if self._takes_all_versions else targets

    def _here(self, targets: Iterable[Digest]) -> frozenset[Digest]:
        absent = [target for target in targets if target not in self._history.nodes]
        if absent:
            raise AbsentError(f"node {absent[0].short} is not here", hint="mgit fetch")
        return frozenset(targets)

    def _aside(self, text: str) -> frozenset[Digest]:
        label, _, name = text[1:].partition("/")
        found: dict[bytes, frozenset[Digest]] = {}
        for key, names in self._history.names.aside().items():
            is_meant = fingerprint(key).startswith(label) and len(label) >= _ID_DIGITS
            if name in names and (is_meant or self._history.names.label_of(key) == label):
                found[key] = names[name]
        if len(found) > 1:
            options = ", ".join(f"@{fingerprint(key)[:8]}/{name}" for key in found)
            raise UsageError(f"{text!r} is said by several keys", hint=f"write one of {options}")
        return self._here(next(iter(found.values()), frozenset())) or self._unknown(text)

    def _side_or_version(self, text: str) -> frozenset[Digest]:
        name, _, side = text.partition("@")
        version = _VERSION.fullmatch(side)
        if version:
            line = self._here(self._line(self._history.names.resolve(name)))
            number, digits = int(version[1]), version[2] or ""
            found = frozenset(
                v
                for v in line
                if self.lineage.version_number(v) == number and v.hex().startswith(digits)
            )
        else:
            side_target = self.sides(name).get(text)
            found = frozenset({side_target} if side_target else ())
        return found or self._unknown(text)

    def _line(self, targets: Iterable[Digest]) -> frozenset[Digest]:
        """Returns nodes with all their older versions, also those that are cited and not here.

        Versions are counted from the first: where one is not here, no number can be trusted.
        """
        older = (self.lineage.version_ancestors(target) for target in targets)
        return frozenset(targets).union(*older)

    def _by_id(self, text: str) -> frozenset[Digest]:
        digits = text.removeprefix("sha256:")
        if len(digits) < _ID_DIGITS or not _HEX.issuperset(digits):
            return self._unknown(text)
        found = frozenset(n for n in self._history.nodes if n.hex().startswith(digits))
        if len(found) > 1:
            raise UsageError(f"{text!r} begins {len(found)} ids", hint="give more digits")
        return found or self._unknown(text)

    def _unknown(self, text: str) -> frozenset[Digest]:
        raise NotFoundError(f"there is no {printable(text)!r} here", hint=self._advice(text))

    def _advice(self, text: str) -> str:
        if text in selectors.FUNCTIONS:
            return f"it is a function: {selectors.FUNCTIONS[text].usage}"
        if _HEX.issuperset(text) and len(text) < _ID_DIGITS:
            return f"an id needs at least {_ID_DIGITS} digits: mgit log"
        if "@" in text and (held := self._titles_under(text)):
            return f"there is: {', '.join(held)}"
        close = get_close_matches(text, self._history.names.names(), n=1)
        return f"did you mean {close[0]}?" if close else "mgit ls shows the names"

    def _titles_under(self, text: str) -> list[str]:
        """Returns the last versions, or the sides, of the model that a word names one of."""
        name, _, side = text.partition("@")
        if not _VERSION.fullmatch(side):
            return sorted(self.sides(name))
        line = self.lineage.topological(self._line(self._history.names.resolve(name)))
        titles = self._version_titles(name, line)
        return [titles[node] for node in line[-_SHOWN_VERSIONS:]]

    # --- what selectors ask for ---

    @property
    def lineage(self) -> Lineage:
        """The graph of all nodes."""
        return self._history.lineage

    def all(self) -> frozenset[Digest]:
        """Returns every node of this repository."""
        return self._history.own_nodes

    def remotes(self) -> Collection[str]:
        """Returns the names of the remotes."""
        remotes = self._repository.settings().get("remotes")
        return remotes.keys() if isinstance(remotes, dict) else ()

    def names(self, remote: str) -> Mapping[str, frozenset[Digest]]:
        """Returns name -> targets: here, or at a remote when it was last asked."""
        names = self._names_at(remote) if remote else self._history.names
        here = self._history.nodes.keys()
        return {n: self._meant(frozenset(names.resolve(n) & here)) for n in names.names()}

    def _names_at(self, remote: str) -> Names:
        heads: list[Digest] = []
        for fact in self._repository.facts("heads"):
            match fact:
                case {"remote": str(name), "heads": list(texts)} if name == remote:
                    with contextlib.suppress(ValueError):  # a line that makes no sense
                        heads = [Digest.from_text(str(text)) for text in texts]
                case _:
                    continue
        ledger = self._history.ledger
        known = closure(heads, lambda d: ledger.entries[d].previous if d in ledger.entries else ())
        entries = {d: e for d, e in ledger.entries.items() if d in known}
        seen = Ledger(ledger.repository, ledger.roots, entries)
        return Names(seen, self.lineage.version_ancestors)

    def tags(self) -> Mapping[str, frozenset[Digest]]:
        """Returns tag -> nodes."""
        return self._grouped(self.provenance.tags)

    def types(self) -> Mapping[str, frozenset[Digest]]:
        """Returns type -> nodes."""
        return self._grouped(lambda node: (self._history.nodes[node].type,))

    def operations(self) -> Mapping[str, frozenset[Digest]]:
        """Returns operation -> nodes."""
        return self._grouped(lambda node: (self._history.nodes[node].operation,))

    def authors(self) -> Mapping[str, frozenset[Digest]]:
        """Returns label of a maker -> nodes."""
        labels = self._history.names.labels()
        return self._grouped(lambda node: [labels[k] for k in self.provenance.makers(node)])

    def _grouped(self, values: Callable[[Digest], Iterable[str]]) -> dict[str, frozenset[Digest]]:
        groups: defaultdict[str, set[Digest]] = defaultdict(set)
        for node in self._history.nodes:
            for value in values(node):
                groups[value].add(node)
        return {value: frozenset(nodes) for value, nodes in groups.items()}

    def behind(self) -> frozenset[Digest]:
        """Returns the nodes with an ancestor that has a newer version which is in use."""
        return frozenset(node for node in self._history.nodes if self.newer_ancestors(node))

    def newer_ancestors(self, node: Digest) -> dict[Digest, frozenset[Digest]]:
        """Returns ancestor -> its newer versions that are in use, neither above nor below ``node``.

        The node's own versions are left out: being replaced, or being a side of a conflict, is not
        being behind.
        """
        lineage = self.lineage
        above, below = lineage.ancestors(node), lineage.descendants(node)
        newer: dict[Digest, frozenset[Digest]] = {}
        for ancestor in above - lineage.versions(node):
            later = lineage.descendants(ancestor, EdgeKind.VERSION) & self._targets - above - below
            if later:
                newer[ancestor] = frozenset(later)
        return newer

    @cached_property
    def _targets(self) -> frozenset[Digest]:
        names = self._history.names
        return frozenset(target for name in names.names() for target in names.resolve(name))

    def missing(self) -> frozenset[Digest]:
        """Returns the nodes of which something is absent here."""
        nodes = self._history.nodes.items()
        return frozenset(
            d for d, n in nodes if presence(self._repository, n) is not Presence.COMPLETE
        )

    def conflicts(self) -> frozenset[Digest]:
        """Returns the targets of conflicted names."""
        resolved = [self._history.names.resolve(name) for name in self._history.names.names()]
        return frozenset(t for targets in resolved if len(targets) > 1 for t in targets)

    # --- how things are called ---

    def sides(self, name: str) -> dict[str, Digest]:
        """Returns ``name@label`` -> the target that a key of this label holds, for one name.

        Where one label holds several, the first digits of the id are added.
        """
        held: defaultdict[str, set[Digest]] = defaultdict(set)
        for target, keys in self._history.names.sides(name).items():
            for key in keys:
                held[self._history.names.label_of(key)].add(target)
        return {
            title: target
            for label, targets in held.items()
            for target, title in _titled(f"{name}@{label}", targets).items()
        }

    def title(self, node: Digest) -> str:
        """Returns the shortest way to call a node: a name, a side, ``name@vN``, or its short id.

        Versions made apart from each other may have the same number: then the first digits of the
        id are added, as in ``search@v3-9ec2f2``.
        """
        return self._titles.get(node, node.short)

    @cached_property
    def _titles(self) -> dict[Digest, str]:
        titles: dict[Digest, str] = {}
        names = self._history.names
        for key, aside in names.aside().items():
            for name, targets in aside.items():
                titles.update(dict.fromkeys(targets, f"@{names.label_of(key)}/{name}"))
        for name in reversed(names.names()):
            line = self._line(names.resolve(name))
            if line <= self._history.nodes.keys():
                titles.update(self._version_titles(name, line))
        for name in reversed(names.names()):
            titles.update(self._current_titles(name))
        return titles

    def _version_titles(self, name: str, line: Iterable[Digest]) -> dict[Digest, str]:
        numbered: defaultdict[int, set[Digest]] = defaultdict(set)
        for node in line:
            numbered[self.lineage.version_number(node)].add(node)
        titles: dict[Digest, str] = {}
        for number, nodes in numbered.items():
            titles.update(_titled(f"{name}@v{number}", nodes))
        return titles

    def _current_titles(self, name: str) -> dict[Digest, str]:
        targets = self._history.names.resolve(name)
        if len(targets) == 1:
            return dict.fromkeys(targets, name)
        return {target: side for side, target in self.sides(name).items()}


def _titled(title: str, nodes: Collection[Digest]) -> dict[Digest, str]:
    """Returns what nodes of one title are called: several get the first digits of their ids."""
    if len(nodes) == 1:
        return dict.fromkeys(nodes, title)
    return {node: f"{title}-{node.hex()[:_ID_DIGITS]}" for node in sorted(nodes)}
