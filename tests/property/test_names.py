"""Laws of names, over real entries, root documents and nodes; signatures are taken as verified.

    a, b, key0 … key3    maintainers of every name          admin    the root key

Each peer holds sets that only grow. Receiving is union, so what a peer is told, and when, may only
change what it knows, never what the same sets mean.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mgit.digest import Digest
from mgit.lineage import Lineage
from mgit.names import Ledger, Names
from mgit.objects import (
    LEVEL,
    Cut,
    Edge,
    EdgeKind,
    Entry,
    Member,
    Move,
    Node,
    RepositoryRoot,
    Role,
    digest_of,
)
from mgit.roots import accept_roots, heads

MAINTAINERS = ("a", "b", "key0", "key1", "key2", "key3")
STOLEN = "key0"


def key_of(label: str) -> bytes:
    return Digest.of(label.encode())


def member(label: str, role: Role = Role.MAINTAINER) -> Member:
    return Member(key_of(label), label, frozenset({role}))


def document(
    nonce: str, members: Iterable[Member], follows: Iterable[Digest] = (), cuts: Iterable[Cut] = ()
) -> RepositoryRoot:
    by_key, one = {m.key: m for m in members}, dict.fromkeys(Role, 1)
    return RepositoryRoot(tuple(follows), nonce.encode(), LEVEL, by_key, one, tuple(cuts))


EVERYBODY = [member("admin", Role.ROOT), *(member(label) for label in MAINTAINERS)]


@dataclass
class Peer:
    """A copy of a repository, and the key that writes in it."""

    label: str
    nonce: str = "R"  # of the genesis document: another nonce is another repository
    nonces: Iterator[int] = field(default_factory=count)  # not random: failures must replay
    nodes: dict[Digest, Node] = field(default_factory=dict)
    entries: dict[Digest, Entry] = field(default_factory=dict)
    roots: dict[Digest, RepositoryRoot] = field(default_factory=dict)
    seen: tuple[int, ...] = ()
    last: Names | None = None

    def __post_init__(self) -> None:
        self.repository = self.add_root(document(self.nonce, EVERYBODY))

    def copied(self) -> "Peer":
        """A backup: the same key, writing on its own from here on."""
        return replace(
            self, nodes=dict(self.nodes), entries=dict(self.entries), roots=dict(self.roots)
        )

    @property
    def names(self) -> Names:
        """Made anew when a set has grown; they do nothing else."""
        sizes = len(self.nodes), len(self.entries), len(self.roots)
        if self.last is None or sizes != self.seen:
            ledger = Ledger(self.repository, self.accepted(), self.entries)
            self.last = Names(ledger, self.lineage().version_ancestors)
            self.seen = sizes
        return self.last

    def accepted(self) -> dict[Digest, RepositoryRoot]:
        signers = dict.fromkeys(self.roots, frozenset({key_of("admin")}))
        return accept_roots(self.repository, self.roots, signers)

    def lineage(self) -> Lineage:
        return Lineage(self.nodes)

    def resolve(self, name: str) -> frozenset[Digest]:
        return self.names.resolve(name)

    def log_heads(self) -> frozenset[Digest]:
        return self.names.log_heads(key_of(self.label))

    def add_node(self, version_parents: Iterable[Digest], payload: object) -> Digest:
        edges = frozenset(Edge(EdgeKind.VERSION, parent) for parent in version_parents)
        node = Node(Digest.of(repr(payload).encode()), edges, None, "import", "")
        self.nodes[digest_of(node)] = node
        return digest_of(node)

    def add_root(self, root: RepositoryRoot) -> Digest:
        self.roots[digest_of(root.payload())] = root
        return digest_of(root.payload())

    def add_entry(self, entry: Entry) -> Digest:
        self.entries[digest_of(entry.payload())] = entry
        return digest_of(entry.payload())

    def write(self, *targets: tuple[str, Digest | None]) -> Digest:
        moves = (
            Move(name, target, tuple(sorted(self.names.live_moves(name))))
            for name, target in sorted(targets, key=lambda pair: pair[0])
        )
        return self.add_entry(replace(self.made(*moves), previous=tuple(sorted(self.log_heads()))))

    def made(self, *moves: Move) -> Entry:
        """An entry that knows nothing of what this key wrote before."""
        key, nonce = key_of(self.label), str(next(self.nonces)).encode()
        root = min(self.names.root_heads)
        return Entry(self.repository, key, self.label, (), root, nonce, LEVEL, moves, ())

    def revoke(self, label: str, kept: Iterable[Digest], void: Iterable[Digest] = ()) -> None:
        cut = Cut(key_of(label), frozenset(kept), frozenset(void))
        self.succeed([m for m in self.members() if m.label != label], cut)

    def members(self) -> list[Member]:
        accepted = self.accepted()
        return [m for d in heads(accepted) for m in accepted[d].members.values()]

    def succeed(self, members: Iterable[Member], *cuts: Cut) -> None:
        self.add_root(document(str(next(self.nonces)), members, heads(self.accepted()), cuts))

    def receive(self, other: "Peer") -> None:
        """Union. Never removes, never replaces: replay and rollback have nothing to act on."""
        self.nodes |= other.nodes
        self.entries |= other.entries
        self.roots |= other.roots


def two_peers() -> tuple[Peer, Peer, Digest]:
    a, b = Peer("a"), Peer("b")
    v1 = a.add_node([], "v1")
    a.write(("bert", v1))
    b.receive(a)
    return a, b, v1


def test_concurrent_moves_keep_both_sides() -> None:
    a, b, v1 = two_peers()
    left, right = a.add_node([v1], "left"), b.add_node([v1], "right")
    a.write(("bert", left))
    b.write(("bert", right))

    a.receive(b)

    assert a.resolve("bert") == {left, right}
    assert a.names.sides("bert") == {left: {key_of("a")}, right: {key_of("b")}}


def test_a_newer_version_is_a_fast_forward() -> None:
    a, b, v1 = two_peers()
    b.write(("bert", v1))
    v2 = a.add_node([v1], "v2")
    a.write(("bert", v2))

    a.receive(b)

    assert a.names.sides("bert") == {v2: {key_of("a")}}


def test_a_step_forward_beside_a_longer_one_is_a_fast_forward() -> None:
    a, b, v1 = two_peers()
    v2 = a.add_node([v1], "v2")
    b.receive(a)
    a.write(("bert", v2))
    v3 = b.add_node([v2], "v3")
    b.write(("bert", v3))

    a.receive(b)

    assert a.resolve("bert") == {v3}


def test_a_step_back_beside_a_step_forward_is_a_conflict() -> None:
    a, b, v1 = two_peers()
    v2 = a.add_node([v1], "v2")
    a.write(("bert", v2))
    b.receive(a)
    a.write(("bert", v1))
    v3 = b.add_node([v2], "v3")
    b.write(("bert", v3))

    a.receive(b)

    assert a.resolve("bert") == {v1, v3}


def test_a_move_beats_a_concurrent_deletion() -> None:
    a, b, v1 = two_peers()
    a.write(("bert", None))
    v2 = b.add_node([v1], "v2")
    b.write(("bert", v2))

    a.receive(b)

    assert a.resolve("bert") == {v2}


def test_a_rename_is_one_entry_and_cannot_be_torn() -> None:
    a, b, v1 = two_peers()

    entry = a.write(("bert", None), ("bert-base", v1))
    b.receive(a)

    assert {move.name for move in b.entries[entry].moves} == {"bert", "bert-base"}
    assert b.resolve("bert-base") == {v1}
    assert b.names.names() == ("bert-base",)


def test_saying_the_same_again_is_a_new_decision() -> None:
    a = Peer("a")
    v1, other = a.add_node([], 1), a.add_node([], 2)
    backup = a.copied()
    a.write(("bert", v1))
    a.write(("bert", other))
    backup.write(("bert", v1))

    a.receive(backup)

    assert v1 in a.resolve("bert")


def test_entries_of_another_repository_do_not_count() -> None:
    other, mine = Peer("a", nonce="X"), Peer("b", nonce="Y")
    other.write(("bert", other.add_node([], 1)))

    mine.receive(other)

    assert mine.resolve("bert") == frozenset()


def test_entries_of_another_repository_hide_nothing_either() -> None:
    a, b, v1 = two_peers()
    foreign = Peer("a", nonce="X")
    b.add_entry(foreign.made(Move("bert", foreign.add_node([], 1), tuple(a.entries))))

    assert b.resolve("bert") == {v1}


def test_what_a_revoked_key_wrote_after_the_cut_disappears_and_the_rest_stays() -> None:
    a, b, v1 = two_peers()
    kept = a.log_heads()
    a.write(("bert", a.add_node([v1], "evil")))
    b.receive(a)

    b.revoke("a", kept)

    assert b.resolve("bert") == {v1}


def test_an_honest_deletion_survives_the_cut_of_the_key_it_answered() -> None:
    a, b, v1 = two_peers()
    kept = a.log_heads()
    a.write(("bert", a.add_node([v1], "evil")))
    b.receive(a)
    b.write(("bert", None))

    b.revoke("a", kept)

    assert b.resolve("bert") == frozenset()


def test_honest_work_on_top_of_a_thief_of_the_same_key_can_be_kept() -> None:
    a, b, v1 = two_peers()
    thief = a.copied()
    stolen = thief.write(("bert", thief.add_node([v1], "evil")))
    a.receive(thief)
    good = a.write(("gpt", a.add_node([], "good")))
    b.receive(a)

    b.revoke("a", [good], void=[stolen])

    assert b.resolve("bert") == {v1}
    assert len(b.resolve("gpt")) == 1


PEERS = st.integers(0, 3)
NAME = ("bert", "gpt")
NAMES = st.sampled_from(NAME)


class Gossip(RuleBasedStateMachine):
    """Four peers, a copy of one key that writes on its own, relays that serve old states, cuts."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = count()
        self.peers = [Peer(f"key{i}", nonces=self.numbers) for i in range(4)]
        self.written: set[Digest] = set()  # by keys that are never revoked
        self.old: list[Peer] = []

    def fresh(self, i: int, parents: frozenset[Digest]) -> Digest:
        return self.peers[i].add_node(parents, next(self.numbers))

    def write(self, i: int, *targets: tuple[str, Digest | None]) -> None:
        entry = self.peers[i].write(*targets)
        if self.peers[i].label != STOLEN:
            self.written.add(entry)

    @rule(i=PEERS, name=NAMES)
    def publish(self, i: int, name: str) -> None:
        self.write(i, (name, self.fresh(i, self.peers[i].resolve(name))))

    @rule(i=PEERS, name=NAMES)
    def delete(self, i: int, name: str) -> None:
        if self.peers[i].resolve(name):
            self.write(i, (name, None))

    @rule(i=PEERS)
    def rename(self, i: int) -> None:
        here = sorted(self.peers[i].resolve("bert"))
        if here:
            self.write(i, ("bert", None), ("gpt", here[0]))

    @rule(i=PEERS, name=NAMES, data=st.data())
    def step_back(self, i: int, name: str, data: st.DataObject) -> None:
        peer = self.peers[i]
        ancestors = peer.lineage().version_ancestors
        older = sorted({node for target in peer.resolve(name) for node in ancestors(target)})
        if older:
            self.write(i, (name, data.draw(st.sampled_from(older))))

    @rule(i=PEERS, name=NAMES)
    def same_key_elsewhere(self, i: int, name: str) -> None:
        thief = replace(self.peers[i], label=STOLEN)  # writes into the sets of this peer
        thief.add_entry(thief.made(Move(name, self.fresh(i, frozenset()), ())))

    @rule(i=PEERS, data=st.data())
    def revoke(self, i: int, data: st.DataObject) -> None:
        peer = self.peers[i]
        theirs = sorted(d for d, e in peer.entries.items() if e.key == key_of(STOLEN))
        if theirs:
            peer.revoke(STOLEN, data.draw(st.lists(st.sampled_from(theirs), max_size=3)))

    @rule(i=PEERS)
    def readmit(self, i: int) -> None:
        self.peers[i].succeed([*self.peers[i].members(), member(STOLEN)])

    @rule(i=PEERS, j=PEERS)
    def pull(self, i: int, j: int) -> None:
        self.peers[i].receive(self.peers[j])

    @rule(i=PEERS)
    def remember(self, i: int) -> None:
        self.old.append(self.peers[i].copied())

    @rule(i=PEERS, data=st.data())
    def serve_an_old_state(self, i: int, data: st.DataObject) -> None:
        if self.old:
            before = dict(self.peers[i].entries)
            self.peers[i].receive(data.draw(st.sampled_from(self.old)))
            assert before.items() <= self.peers[i].entries.items()

    @invariant()
    def names_never_dangle(self) -> None:
        for peer in self.peers:
            assert all(peer.resolve(name) <= peer.nodes.keys() for name in NAME)

    def teardown(self) -> None:
        for a in [*self.peers, *self.peers]:
            for b in self.peers:
                a.receive(b)
        for peer in self.peers:
            assert {n: peer.resolve(n) for n in NAME} == {n: self.peers[0].resolve(n) for n in NAME}
            assert peer.names.aside() == self.peers[0].names.aside()
        for digest in self.written:
            self.check_that_nothing_is_lost(digest)

    def check_that_nothing_is_lost(self, digest: Digest) -> None:
        """A move lives on unless somebody saw and replaced it, or went on from it."""
        peer = self.peers[0]
        ancestors = peer.lineage().version_ancestors
        assert digest in peer.names.counting
        for move in peer.entries[digest].moves:
            here = peer.resolve(move.name)
            on_from_it = set(here).union(*(ancestors(target) for target in here))
            kept = move.target in (here if peer.names.is_rewind(move) else on_from_it)
            moves = (m for e in peer.entries.values() for m in e.moves if m.name == move.name)
            assert move.target is None or kept or any(digest in m.supersedes for m in moves)


TestGossip = Gossip.TestCase
TestGossip.settings = settings(stateful_step_count=40, suppress_health_check=list(HealthCheck))
