"""Whatever people do, and in whatever order they hear of it: in the end all agree, none loses.

alice (root)   twin (a copy of her folder, same key)   bob (maintainer)   carl (without a role)

Folders, packs, keys and signatures are real; nodes are bare, so that a step takes milliseconds.
"""

import itertools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from mgit import editing, sync
from mgit.digest import Digest
from mgit.errors import MgitError
from mgit.repair import check
from mgit.repository import History, Repository
from mgit.selection import Selection
from mgit.signing import key_text
from tests.family import Person, names, point, trusted

PEERS = st.sampled_from(["alice", "twin", "bob", "carl"])
NAMES = st.sampled_from(["m", "n"])
NUMBERS = st.integers(0, 7)


class Gossip(RuleBasedStateMachine):
    """Four folders that change on their own and hear of each other now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="gossip-"))
        self.labels = map(str, itertools.count())
        alice, bob, carl = (Person(name, self.root) for name in ("alice", "bob", "carl"))
        hers = alice.init()
        point(hers, "m", "first")
        trusted(hers, bob)
        url = str(self.root / "alice")
        self.people = {"alice": alice, "bob": bob, "carl": carl}
        self.peers = {"alice": hers, "bob": bob.clone(url), "carl": carl.clone(url)}
        shutil.copytree(self.root / "alice", self.root / "twin")
        self.peers["twin"] = Repository.open(self.root / "twin", alice.home)
        self.written = {peer: entries(repository) for peer, repository in self.peers.items()}

    def attempt(self, peer: str, step: Callable[[Repository], object]) -> None:
        """Does a step that may be refused; then it must have changed nothing."""
        repository = self.peers[peer]
        before = names(repository)
        try:
            step(repository)
        except MgitError:
            assert names(repository) == before
        self.written[peer] |= entries(repository)

    def some_node(self, peer: str, number: int) -> Digest:
        nodes = sorted(self.peers[peer].history().nodes)
        return nodes[number % len(nodes)]

    # --- alone ---

    @rule(peer=PEERS, name=NAMES)
    def publish(self, peer: str, name: str) -> None:
        label = next(self.labels)
        before = sorted(self.peers[peer].history().names.resolve(name))
        self.attempt(peer, lambda r: point(r, name, label, *before[:1]))

    @rule(peer=PEERS, name=NAMES)
    def remove(self, peer: str, name: str) -> None:
        self.attempt(peer, lambda r: editing.remove(r, name))

    @rule(peer=PEERS)
    def rename(self, peer: str) -> None:
        self.attempt(peer, lambda r: editing.rename(r, "m", "n"))

    @rule(peer=PEERS, name=NAMES, number=NUMBERS)
    def step_back_or_settle(self, peer: str, name: str, number: int) -> None:
        node = self.some_node(peer, number)
        self.attempt(peer, lambda r: editing.pick(r, name, node.hex()))

    @rule(peer=PEERS, name=NAMES)
    def keep_both(self, peer: str, name: str) -> None:
        self.attempt(peer, lambda r: editing.keep_both(r, name))

    @rule(peer=PEERS)
    def undo(self, peer: str) -> None:
        self.attempt(peer, editing.undo)

    @rule(peer=PEERS, number=NUMBERS)
    def tag(self, peer: str, number: int) -> None:
        node = self.some_node(peer, number)
        self.attempt(peer, lambda r: editing.add_tags(r, node.hex(), ["good"]))

    @rule(peer=PEERS, number=NUMBERS)
    def remove_tag(self, peer: str, number: int) -> None:
        node = self.some_node(peer, number)
        self.attempt(peer, lambda r: editing.remove_tags(r, node.hex(), ["good"]))

    @rule(peer=PEERS, whom=st.sampled_from(["bob", "carl"]))
    def trust(self, peer: str, whom: str) -> None:
        key = key_text(self.people[whom].key)
        self.attempt(
            peer, lambda r: editing.trust_add(r, key, role_names=["maintainer"], label=whom)
        )

    @rule(peer=PEERS, whom=st.sampled_from(["bob", "carl"]))
    def distrust(self, peer: str, whom: str) -> None:
        self.attempt(peer, lambda r: editing.trust_remove(r, whom))

    # --- together ---

    @rule(peer=PEERS, other=PEERS)
    def pull(self, peer: str, other: str) -> None:
        if peer != other:
            sync.fetch(self.peers[peer], str(self.root / other))

    @rule(peer=PEERS, other=PEERS)
    def push(self, peer: str, other: str) -> None:
        if peer != other:
            sync.push(self.peers[peer], str(self.root / other), may_conflict=True)

    @rule(peer=PEERS, other=PEERS)
    def push_unless_it_conflicts(self, peer: str, other: str) -> None:
        theirs = self.peers[other]
        before = conflicted(theirs)
        if peer != other:
            self.attempt(peer, lambda r: sync.push(r, str(self.root / other)))
        assert conflicted(theirs) <= before

    @rule()
    def copy_packs_between_the_twins(self) -> None:
        for source, target in (("alice", "twin"), ("twin", "alice")):
            for path in (self.root / source / ".mgit/packs").glob("*.meta"):
                shutil.copy(path, self.root / target / ".mgit/packs")

    @rule(peer=PEERS)
    def remember_a_state(self, peer: str) -> None:
        packs = self.root / peer / ".mgit/packs"
        shutil.copytree(packs, self.root / "old" / peer / "packs", dirs_exist_ok=True)

    @rule(peer=PEERS)
    def hear_an_old_state_again(self, peer: str) -> None:
        if (self.root / "old" / peer).exists():
            before = names(self.peers[peer])
            sync.fetch(self.peers[peer], str(self.root / "old" / peer))
            assert names(self.peers[peer]) == before

    def teardown(self) -> None:
        try:
            for _ in range(2):
                for peer, other in itertools.permutations(self.peers, 2):
                    sync.fetch(self.peers[peer], str(self.root / other))
            self.agree()
        finally:
            shutil.rmtree(self.root, ignore_errors=True)

    def agree(self) -> None:
        first, *rest = self.peers.values()
        for repository in rest:
            assert meaning(repository) == meaning(first)
        for repository in self.peers.values():
            assert entries(repository) == set().union(*self.written.values())
            assert unanswered_and_lost(repository.history()) == []
            assert check(repository).is_clean


def entries(repository: Repository) -> set[Digest]:
    return set(repository.history().ledger.entries)


def conflicted(repository: Repository) -> set[str]:
    return {name for name, targets in names(repository).items() if len(targets) > 1}


def meaning(repository: Repository) -> object:
    history = repository.history()
    roots = set(history.ledger.roots)
    named = history.named_nodes  # what was undone or removed is not handed on unasked
    found = {tag: nodes & named for tag, nodes in Selection(repository, history).tags().items()}
    tags = {tag: nodes for tag, nodes in found.items() if nodes}
    members = editing.members(repository)
    return names(repository), history.names.aside(), named, roots, tags, members


def unanswered_and_lost(history: History) -> list[tuple[str, Digest]]:
    """What somebody with the role said last, no entry answers, and the name does not mean."""
    counting = [history.ledger.entries[digest] for digest in history.names.counting]
    answered = {
        (move.name, old)
        for entry in history.ledger.entries.values()
        for move in entry.moves
        for old in move.supersedes
    }
    said = {
        (move.name, move.target)
        for digest in history.names.counting
        for move in history.ledger.entries[digest].moves
        if move.target and (move.name, digest) not in answered
    }
    assert counting

    def is_meant(name: str, node: Digest) -> bool:
        targets = history.names.resolve(name)
        ancestors = history.lineage.version_ancestors
        return any(node == target or node in ancestors(target) for target in targets)

    return [(name, node) for name, node in sorted(said) if not is_meant(name, node)]


def test_all_agree_in_the_end_and_nothing_that_nobody_answered_is_lost() -> None:
    run_state_machine_as_test(
        Gossip,
        settings=settings(
            max_examples=settings().max_examples // 5,
            stateful_step_count=12,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
