"""Who the person at the keyboard is to a repository: ``mgit whoami`` and ``mgit key list``."""

from dataclasses import dataclass

from mgit.digest import Digest
from mgit.errors import TrustError
from mgit.objects import Member
from mgit.repository import History, Home, Identity, Repository
from mgit.signing import fingerprint, key_text


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A person's own key in a repository.

    Attributes:
        label: What its owner calls it.
        key: The public key, as people exchange it.
        fingerprint: Of the public key, in hex.
        called: What the repository calls it; empty where it does not know the key.
        roles: What it may do.
        names: Patterns of the names it may move.
    """

    label: str
    key: str
    fingerprint: str
    called: str = ""
    roles: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Whoami:
    """The person at the keyboard.

    Attributes:
        key: The key that signs.
        repository: The repository in which it was looked up, or None.
    """

    key: OwnKey
    repository: Digest | None


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key of this person.

    Attributes:
        label: What its owner calls it.
        is_in_use: Whether it signs.
        key: The public key, as people exchange it; empty where it cannot be opened.
        fingerprint: Of the public key, in hex; likewise.
        problem: Why it cannot be opened; empty where it can.
    """

    label: str
    is_in_use: bool
    key: str = ""
    fingerprint: str = ""
    problem: str = ""


def whoami(home: Home, repository: Repository | None = None) -> Whoami:
    """Returns the key that signs, and what it may do in a repository.

    Raises:
        NotFoundError: There is no key.
        TrustError: It cannot be opened.
    """
    if repository is None:
        return Whoami(own_key(home.identity()), None)
    history = repository.history()
    return Whoami(own_key(repository.identity(), history), history.repository)


def own_key(identity: Identity, history: History | None = None) -> OwnKey:
    """Returns a key, and what a repository knows of it."""
    public = identity.key.public
    member = _member(history, public) if history else None
    if member is None:
        return OwnKey(identity.label, key_text(public), fingerprint(public))
    roles = tuple(sorted(role.value for role in member.roles))
    return OwnKey(
        identity.label, key_text(public), fingerprint(public), member.label, roles, member.names
    )


def own_keys(home: Home) -> list[KeyRow]:
    """Returns the keys of a person."""
    in_use = home.key_in_use()
    return [_row(home, label, is_in_use=label == in_use) for label in home.labels()]


def _row(home: Home, label: str, *, is_in_use: bool) -> KeyRow:
    try:
        public = home.identity(label).key.public
    except TrustError as error:
        return KeyRow(label, is_in_use, problem=str(error))
    return KeyRow(label, is_in_use, key_text(public), fingerprint(public))


def _member(history: History, key: bytes) -> Member | None:
    """What the newest root documents say of a key: only roles that all of them give it."""
    roots = [history.ledger.roots[head] for head in sorted(history.names.root_heads)]
    members = [root.members[key] for root in roots if key in root.members]
    if not members:
        return None
    given = [root.members[key].roles if key in root.members else frozenset() for root in roots]
    first = members[0]
    return Member(key, first.label, frozenset.intersection(*given), first.names)
