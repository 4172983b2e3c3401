"""What a name means: the law of names.

A repository never stores the value of a name. It stores signed entries and root documents, and
only ever adds to those sets; what a name resolves to is a pure function of them and of the version
edges. So copies that hold the same sets agree, in whatever order, how often and from whomever they
received them, and an old state that is served again changes nothing. Time plays no part.

Refuses to know signatures (verified before), files, and how names are written for people.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache, cached_property
from graphlib import TopologicalSorter

from mgit.digest import Digest
from mgit.errors import NotFoundError
from mgit.objects import LEVEL, Entry, Move, RepositoryRoot, Role
from mgit.roots import closure, heads, past

VersionAncestors = Callable[[Digest], AbstractSet[Digest]]
Moves = Mapping[Digest, Move]  # the moves of one name, by entry


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that a copy holds of one repository, and perhaps of others.

    Attributes:
        repository: Digest of the genesis payload.
        roots: The accepted root documents (`accept_roots`), by payload digest.
        entries: Entries whose signature was verified, by payload digest. Those of other
            repositories, and those that name a root document which was not accepted, never count
            and hide nothing.
    """

    repository: Digest
    roots: Mapping[Digest, RepositoryRoot]
    entries: Mapping[Digest, Entry]


class Names:
    """What the names of a repository mean, given a ledger; computed when asked and kept.

    An entry that moves a name under a maintainer threshold above 1 needs approvals, which this
    version cannot count: it does not count, and is shown like an entry without the role (`aside`).
    """

    def __init__(self, ledger: Ledger, version_ancestors: VersionAncestors) -> None:
        """Takes a ledger that does not change any more.

        Args:
            ledger: Entries and accepted roots.
            version_ancestors: Returns all nodes above a node over version edges, without itself;
                empty for a node that is not here. It must know the nodes that live moves point to
                and their version ancestors, which is why those always travel with the entries.
        """
        self._roots = ledger.roots
        self._own = {d: e for d, e in ledger.entries.items() if e.repository == ledger.repository}
        self._version_ancestors = cache(version_ancestors)
        self._past = cache(lambda root: past(root, ledger.roots))
        self._live: dict[str, Moves] = {}
        self._resolved: dict[str, frozenset[Digest]] = {}

    # --- which entries count ---

    @cached_property
    def root_heads(self) -> frozenset[Digest]:
        """The accepted roots that no accepted root succeeds; several were made concurrently."""
        return heads(self._roots)

    @cached_property
    def counting(self) -> frozenset[Digest]:
        """The entries that count: sound, and allowed by their root and by all heads beside it."""
        return frozenset(d for d, entry in self._sound.items() if self._is_allowed(entry))

    @cached_property
    def _sound(self) -> dict[Digest, Entry]:
        """Entries under an accepted root, of a known level that was not lowered, and not cut."""
        return {
            digest: entry
            for digest, entry in self._own.items()
            if entry.root in self._roots
            and self._highest_levels[digest] == entry.level <= LEVEL
            and not self._is_cut(digest, entry)
        }

    @cached_property
    def _highest_levels(self) -> dict[Digest, int]:
        """For each entry the highest level in its own ``previous`` closure, its own included."""
        previous = {d: set(self._previous(d)) & self._own.keys() for d in self._own}
        highest: dict[Digest, int] = {}
        for digest in TopologicalSorter(previous).static_order():
            before = [highest[p] for p in previous[digest]]
            highest[digest] = max([self._own[digest].level, *before])
        return highest

    def _is_cut(self, digest: Digest, entry: Entry) -> bool:
        """Whether a root that it names neither itself nor by a successor does not keep it."""
        return any(
            digest not in kept and root not in self._past(entry.root)
            for root, kept in self._cuts.get(entry.key, ())
        )

    @cached_property
    def _cuts(self) -> dict[bytes, list[tuple[Digest, AbstractSet[Digest]]]]:
        """For each key that was cut: the roots that cut it, and which entries each keeps."""
        kept = cache(lambda cut: closure(cut.heads, self._previous) - cut.void)
        cuts = defaultdict(list)
        for digest, root in self._roots.items():
            for cut in root.cuts:
                cuts[cut.key].append((digest, kept(cut)))
        return cuts

    def _is_allowed(self, entry: Entry) -> bool:
        concurrent = (h for h in self.root_heads if entry.root not in self._past(h))
        return all(_allows(self._roots[d], entry) for d in (entry.root, *concurrent))

    def _previous(self, digest: Digest) -> tuple[Digest, ...]:
        return self._own[digest].previous if digest in self._own else ()

    # --- what a name means ---

    def live_moves(self, name: str) -> Moves:
        """Returns the moves of ``name`` that count and that nobody replaced, by entry.

        Several mean that the name was moved independently. What a counting entry replaced stays
        replaced even where the replacement in between was cut: else revoking a key would bring
        back what an honest person had deleted.
        """
        if name not in self._live:
            self._live[name] = _live(self._moves.get(name, {}), self.counting)
        return self._live[name]

    def is_rewind(self, move: Move) -> bool:
        """Returns whether it replaced something not below the new target: a decision, not a lag."""
        return _is_rewind(move, self._moves.get(move.name, {}), self._version_ancestors)

    def resolve(self, name: str) -> frozenset[Digest]:
        """Returns the nodes ``name`` points to: none, one, or several (a conflicted name).

        A target that is an older version of another target is dropped: that is a fast-forward.
        Only version edges count. A rewind is never dropped, so going back while somebody else goes
        forward is a conflict. A move beats a concurrent deletion. A node need not be here.
        """
        if name not in self._resolved:
            self._resolved[name] = _targets(
                self.live_moves(name), self._moves.get(name, {}), self._version_ancestors
            )
        return self._resolved[name]

    def names(self) -> tuple[str, ...]:
        """Returns the shared names that point somewhere, sorted."""
        return tuple(name for name in sorted(self._moves) if self.resolve(name))

    def sides(self, name: str) -> dict[Digest, frozenset[bytes]]:
        """Returns, for each target of ``name``, the keys that hold it there."""
        live = self.live_moves(name)
        return {
            target: frozenset(self._own[d].key for d, m in live.items() if m.target == target)
            for target in sorted(self.resolve(name))
        }

    def aside(self) -> dict[bytes, dict[str, frozenset[Digest]]]:
        """Returns what keys say without the role for it: key to name to targets.

        Moves no shared name: for each key the law is applied to nothing but those of its entries
        that are sound and not allowed. What was cut, lowered its level, or names a root that is
        not accepted, is shown nowhere.
        """
        entries: defaultdict[bytes, dict[Digest, Entry]] = defaultdict(dict)
        for digest in self._sound.keys() - self.counting:
            entries[self._own[digest].key][digest] = self._own[digest]
        shown = {key: self._targets_of(entries[key]) for key in sorted(entries)}
        return {key: names for key, names in shown.items() if names}

    def replaced_by(self, key: bytes, name: str) -> frozenset[Digest]:
        """Returns the entries that a new move of ``name`` by ``key`` replaces.

        The live moves, and what the key itself said of the name without the role for it.
        """
        beside = self._sound.keys() - self.counting
        own = {d: m for d, m in self._moves.get(name, {}).items() if self._own[d].key == key}
        return frozenset(self.live_moves(name)) | _live(own, own.keys() & beside).keys()

    def _targets_of(self, entries: Mapping[Digest, Entry]) -> dict[str, frozenset[Digest]]:
        """The law for a set of entries that all count and that have no others beside them."""
        by_name = _by_name(entries)
        resolved = {
            name: _targets(_live(moves, entries.keys()), moves, self._version_ancestors)
            for name, moves in sorted(by_name.items())
        }
        return {name: targets for name, targets in resolved.items() if targets}

    @cached_property
    def _moves(self) -> Mapping[str, Moves]:
        return _by_name(self._own)

    # --- keys ---

    def log_heads(self, key: bytes) -> frozenset[Digest]:
        """Returns the last entries of ``key``, counting or not: its next entry follows them."""
        log = self._logs.get(key, {})
        return frozenset(log.keys() - {p for entry in log.values() for p in entry.previous})

    def label_of(self, key: bytes) -> str:
        """Returns what a key is called: by a root head, else by itself in its last entry.

        Where several say so, the one with the smallest digest wins. Two keys may call themselves
        the same: show a fingerprint beside it.

        Raises:
            NotFoundError: No root head and no entry has this key.
        """
        for digest in sorted(self.root_heads):
            if key in self._roots[digest].members:
                return self._roots[digest].members[key].label
        if key not in self._logs:
            raise NotFoundError(f"no member and no writer has the key {key.hex()}")
        return self._own[min(self.log_heads(key))].label

    def labels(self) -> dict[bytes, str]:
        """Returns the label of every key that a root head or an entry has."""
        members = {key for digest in self.root_heads for key in self._roots[digest].members}
        return {key: self.label_of(key) for key in sorted(members | self._logs.keys())}

    @cached_property
    def _logs(self) -> Mapping[bytes, Mapping[Digest, Entry]]:
        logs: defaultdict[bytes, dict[Digest, Entry]] = defaultdict(dict)
        for digest, entry in self._own.items():
            logs[entry.key][digest] = entry
        return logs


def _allows(root: RepositoryRoot, entry: Entry) -> bool:
    """Whether ``root`` lets the writer do all that the entry does; any role may make claims."""
    member = root.members.get(entry.key)
    if member is None:
        return False
    if not entry.moves:
        return bool(member.roles)
    if root.thresholds[Role.MAINTAINER] > 1:
        return False
    return all(member.may_move(move.name) for move in entry.moves)


def _by_name(entries: Mapping[Digest, Entry]) -> Mapping[str, dict[Digest, Move]]:
    moves: defaultdict[str, dict[Digest, Move]] = defaultdict(dict)
    for digest, entry in entries.items():
        for move in entry.moves:
            moves[move.name][digest] = move
    return moves


def _live(moves: Moves, counting: AbstractSet[Digest]) -> Moves:
    def replaced_by(digest: Digest) -> Iterable[Digest]:
        return moves[digest].supersedes if digest in moves else ()

    counted = {d: move for d, move in moves.items() if d in counting}
    dead = closure((old for move in counted.values() for old in move.supersedes), replaced_by)
    return {d: move for d, move in counted.items() if d not in dead}


def _is_rewind(move: Move, moves: Moves, version_ancestors: VersionAncestors) -> bool:
    if move.target is None:
        return False
    replaced = {moves[old].target for old in move.supersedes if old in moves} - {None, move.target}
    return bool(replaced) and not replaced <= version_ancestors(move.target)


def _targets(live: Moves, moves: Moves, version_ancestors: VersionAncestors) -> frozenset[Digest]:
    targets = {move.target for move in live.values() if move.target is not None}
    if len(targets) < 2:  # nearly every name; the walks below cost more than all else here
        return frozenset(targets)
    decided = {m.target for m in live.values() if _is_rewind(m, moves, version_ancestors)}
    older: set[Digest] = set()
    older.update(*(version_ancestors(target) for target in targets))
    return frozenset(target for target in targets if target in decided or target not in older)
