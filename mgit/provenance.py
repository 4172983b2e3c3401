"""What is claimed about a node, and whose claims count.

A statement counts if the key that signed it claimed it in an entry that counts. What others claim
is kept and shown as such.
"""

import re
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter

from mgit.digest import Digest
from mgit.objects import (
    ADOPTION,
    CREATION,
    NOTE,
    TAG,
    TEST_RESULT,
    WITHDRAWAL,
    Node,
    Ref,
    Statement,
    Subject,
)
from mgit.objects.statement import Json, descriptor
from mgit.repository import History
from mgit.signing import key_text

_HEX = re.compile(r"[0-9a-f]{64}")
PINNED = "pinned"  # the tag of a node that no cascade replaces
_BUILD_TYPE = "https://pypi.org/project/mgit-models/creation/v1"


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement with its place in a key's log.

    Attributes:
        payload: Digest of the statement's payload.
        statement: What is claimed.
        key: Who claims it: the entry's writer, who also signed the statement.
        is_trusted: Whether the entry counts under the repository's root.
    """

    payload: Digest
    statement: Statement
    key: bytes
    is_trusted: bool


@dataclass(frozen=True, slots=True)
class Origin:
    """One step on the way from a node up to its roots.

    Attributes:
        node: The node.
        creations: Creation statements about it, trusted ones first; empty if nobody signed it.
        adoptions: Statements of keys that take the word of its maker for it.
    """

    node: Digest
    creations: tuple[Claim, ...]
    adoptions: tuple[Claim, ...]

    @property
    def is_verified(self) -> bool:
        """Whether a key with a role signed how this node came about, or stands in for who did."""
        is_made = any(claim.is_trusted for claim in self.creations)
        return is_made or (bool(self.creations) and bool(self.adopters))

    @property
    def adopters(self) -> frozenset[bytes]:
        """The keys with a role that stand in for its maker."""
        return frozenset(claim.key for claim in self.adoptions if claim.is_trusted)


class Provenance:
    """The claims in a history, by what they are about."""

    def __init__(self, history: History) -> None:
        """Takes the history to look at, and keeps it for others to look at too."""
        self.history = history

    @cached_property
    def _claims(self) -> Mapping[Digest, list[Claim]]:
        """Node -> what is claimed about it, of each key in the order of its log."""
        history, claims = self.history, defaultdict(list)
        entries = sorted(history.ledger.entries.items())
        log = TopologicalSorter({digest: entry.previous for digest, entry in entries})
        for digest in log.static_order():
            entry = history.ledger.entries.get(digest)
            if entry is None or entry.repository != history.repository:
                continue
            for payload in entry.claims:
                statement = history.statements.get(payload)
                if statement is None or entry.key not in history.signers(payload):
                    continue
                is_trusted = digest in history.names.counting
                claim = Claim(payload, statement, entry.key, is_trusted)
                for subject in statement.subjects:
                    claims[subject.ref.digest].append(claim)
        return claims

    @cached_property
    def _withdrawals(self) -> Mapping[tuple[bytes, Digest], set[Digest]]:
        """(Key, payload) -> the statements in which that key takes that payload back."""
        found: defaultdict[tuple[bytes, Digest], set[Digest]] = defaultdict(set)
        for claim in (claim for claims in self._claims.values() for claim in claims):
            if claim.statement.predicate_type == WITHDRAWAL:
                for payload in _withdrawn_payloads(claim.statement.predicate):
                    found[claim.key, payload].add(claim.payload)
        return found

    @cached_property
    def _withdrawn(self) -> frozenset[tuple[bytes, Digest]]:
        """What keys took back and did not claim again; a statement can only cite earlier ones."""
        by = {(key, p): {(key, w) for w in found} for (key, p), found in self._withdrawals.items()}
        withdrawn: set[tuple[bytes, Digest]] = set()
        for said in TopologicalSorter(by).static_order():
            if by.get(said, set()) - withdrawn:
                withdrawn.add(said)
        return frozenset(withdrawn)

    def about(self, node: Digest, predicate_type: str) -> list[Claim]:
        """Returns the claims of one type about a node that nobody took back, trusted ones first.

        Of the results that one key signed for one check, only the newest.
        """
        found = {
            _place(claim): claim
            for claim in sorted(self._claims.get(node, ()), key=lambda claim: claim.is_trusted)
            if claim.statement.predicate_type == predicate_type
            and (claim.key, claim.payload) not in self._withdrawn
        }
        return sorted(found.values(), key=lambda claim: (not claim.is_trusted, claim.payload))

    def claims(self, predicate_type: str) -> list[Claim]:
        """Returns every claim of one type that counts and that nobody took back, each once."""
        found = {
            claim.payload: claim
            for claims in self._claims.values()
            for claim in claims
            if claim.is_trusted
            and claim.statement.predicate_type == predicate_type
            and (claim.key, claim.payload) not in self._withdrawn
        }
        return [found[payload] for payload in sorted(found)]

    def tags(self, node: Digest) -> dict[str, list[Claim]]:
        """Returns the trusted tags of a node, each with the claims that give it."""
        tags: dict[str, list[Claim]] = {}
        for claim in self.about(node, TAG):
            tag = claim.statement.predicate.get("tag")
            if claim.is_trusted and isinstance(tag, str):
                tags.setdefault(tag, []).append(claim)
        return tags

    def makers(self, node: Digest) -> frozenset[bytes]:
        """Returns the keys that state, with a role, that they made a node."""
        return frozenset(c.key for c in self.about(node, CREATION) if c.is_trusted)

    def trail(self, node: Digest) -> list[Origin]:
        """Returns who made a node and every ancestor of it that is here, parents first."""
        lineage = self.history.lineage
        order = lineage.topological({node, *lineage.ancestors(node)})
        return [
            Origin(step, tuple(self.about(step, CREATION)), tuple(self.about(step, ADOPTION)))
            for step in order
        ]


def checked_in(statement: Statement) -> Digest | None:
    """Returns the check whose result a statement is; None if it is no result of one check."""
    if statement.predicate_type == TEST_RESULT:
        match statement.predicate:
            case {"configuration": [{"digest": {"sha256": str(text)}}]} if _HEX.fullmatch(text):
                return Digest.from_text(text)
    return None


def _place(claim: Claim) -> tuple[object, ...]:
    """What is claimed later in the same place stands instead of what was claimed before."""
    check = checked_in(claim.statement)
    return (claim.key, check) if check else (claim.payload,)


def creation_statement(
    name: str,
    node_id: Digest,
    node: Node,
    *,
    key: bytes,
    external: Json,
    started: str,
    finished: str,
    internal: Json | None = None,
    materials: Sequence[Json] = (),
) -> Statement:
    """Returns the statement of how a node came about (SLSA Provenance v1).

    Args:
        name: What the node went by when it was made.
        node_id: The node's id.
        node: The node: its parents become resolved dependencies.
        key: Public key of the builder.
        external: What the maker chose: operation, arguments, a message.
        started: Start of the run, RFC 3339.
        finished: Its end.
        internal: What the builder adds about the run: action, environment, duration.
        materials: Descriptors of what else went into it: the files of a recipe's source.
    """
    edges = sorted(node.edges, key=lambda e: (e.kind.value, e.role, e.parent))
    dependencies = [
        descriptor(Subject(Ref(Node.kind, e.parent), e.role or e.kind.value)) for e in edges
    ]
    parameters: Json = {"operation": node.operation} | dict(external)
    predicate: Json = {
        "buildDefinition": {
            "buildType": _BUILD_TYPE,
            "externalParameters": parameters,
            "resolvedDependencies": [*dependencies, *materials],
        }
        | ({"internalParameters": dict(internal)} if internal else {}),
        "runDetails": {
            "builder": {"id": f"{_BUILD_TYPE}/{key_text(key)}"},
            "metadata": {"startedOn": started, "finishedOn": finished},
        },
    }
    return Statement((Subject(Ref(Node.kind, node_id), name),), CREATION, predicate)


def tag_statement(name: str, node: Digest, tag: str) -> Statement:
    """Returns the statement that gives a node a tag."""
    return Statement((Subject(Ref(Node.kind, node), name),), TAG, {"tag": tag, "nonce": _nonce()})


def note_statement(name: str, node: Digest, text: str, *, written: str) -> Statement:
    """Returns the statement that a note says something about a node."""
    predicate = {"text": text, "written": written, "nonce": _nonce()}
    return Statement((Subject(Ref(Node.kind, node), name),), NOTE, predicate)


def adoption_statement(name: str, node: Digest) -> Statement:
    """Returns the statement that its key takes over what another key made."""
    return Statement((Subject(Ref(Node.kind, node), name),), ADOPTION, {"nonce": _nonce()})


def result_statement(name: str, node: Digest, result: Json) -> Statement:
    """Returns the statement of what became of a check of a node (in-toto Test Result)."""
    predicate = {**result, "nonce": _nonce()}
    return Statement((Subject(Ref(Node.kind, node), name),), TEST_RESULT, predicate)


def withdrawal(statements: Mapping[Digest, Statement]) -> Statement:
    """Returns the statement that its key takes back these of its own, given by payload digest."""
    found = {subject for statement in statements.values() for subject in statement.subjects}
    subjects = sorted(found, key=lambda subject: subject.ref.digest)
    withdrawn = sorted(payload.hex() for payload in statements)
    return Statement(tuple(subjects), WITHDRAWAL, {"withdraws": withdrawn, "nonce": _nonce()})


def _nonce() -> str:
    """Makes saying the same again a new statement: the old one may have been taken back."""
    return secrets.token_hex(8)


def _withdrawn_payloads(predicate: Json) -> list[Digest]:
    listed = predicate.get("withdraws")
    texts = [text for text in listed if isinstance(text, str)] if isinstance(listed, list) else []
    return [Digest.from_text(text) for text in texts if _HEX.fullmatch(text)]
