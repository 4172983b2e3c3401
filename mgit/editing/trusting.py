"""Who may do what: successors of the root document."""

import secrets
from collections.abc import Sequence
from dataclasses import replace

from mgit.errors import NotFoundError, TrustError, UsageError
from mgit.objects import LEVEL, Cut, Member, RepositoryRoot, Role
from mgit.objects.grammar import check_label
from mgit.repository import History, Identity, Repository, install_objects, log_operation
from mgit.signing import fingerprint, parse_key

_MIN_FINGERPRINT_DIGITS = 6


def members(repository: Repository) -> list[Member]:
    """Returns the keys that have a role under the newest root documents."""
    return sorted(_members(repository.history()).values(), key=lambda member: member.label)


def trust_add(
    repository: Repository,
    key: str,
    *,
    role_names: Sequence[str],
    label: str = "",
    names: Sequence[str] = ("*",),
) -> Member:
    """Gives a key roles, by a new root document; roles that it has already stay.

    Args:
        repository: Where.
        key: ``ed25519:<hex>``, or the label or fingerprint of a key whose entries are here.
        role_names: ``maintainer``, ``root``.
        label: What the repository calls it; empty: what it calls itself.
        names: Patterns of the names it may move as maintainer.

    Raises:
        TrustError: Your key may not sign root documents.
        UsageError: An unknown role, or a label that another key has.
    """
    roles = frozenset(_role(name) for name in role_names)
    with repository.writing():
        history = repository.history()
        known = _members(history)
        raw = _find_key(history, key)
        old = known.get(raw)
        labels = history.names.labels()
        chosen = check_label(label or (old.label if old else labels.get(raw, "")))
        patterns = tuple(sorted({*names, *(old.names if old else ())}))
        member = Member(raw, chosen, roles | (old.roles if old else frozenset()), patterns)
        if any(m.label == chosen and m.key != raw for m in known.values()):
            raise UsageError(f"another key is called {chosen!r}", hint="choose one with --as LABEL")
        _succeed(repository, history, {**known, raw: member}, ())
        log_operation(repository, f"trust add {chosen}")
    return member


def trust_remove(repository: Repository, key: str) -> Member:
    """Takes all roles from a key; what it wrote until now stays, what it writes later is void.

    Raises:
        NotFoundError: The key has no role.
        TrustError: Your key may not sign root documents, or it is the last one that may.
    """
    with repository.writing():
        history = repository.history()
        known = _members(history)
        raw = _find_key(history, key)
        if raw not in known:
            raise NotFoundError(f"{key!r} has no role here", hint="mgit trust list")
        _require_root_role(repository, history)
        rest = {k: m for k, m in known.items() if k != raw}
        if not any(Role.ROOT in member.roles for member in rest.values()):
            raise TrustError(
                "that is the last key that may change roles",
                hint="give another key the role first: mgit trust add KEY --role root",
            )
        _succeed(repository, history, rest, (Cut(raw, history.names.log_heads(raw)),))
        log_operation(repository, f"trust remove {known[raw].label}")
    return known[raw]


def _members(history: History) -> dict[bytes, Member]:
    """The members of all newest root documents; what one of them removed stays removed."""
    heads = [history.ledger.roots[head] for head in sorted(history.names.root_heads)]
    removed = {cut.key for head in heads for cut in head.cuts if cut.key not in head.members}
    joined: dict[bytes, Member] = {}
    for member in (m for head in heads for m in head.members.values() if m.key not in removed):
        other = joined.get(member.key, member)
        names = tuple(sorted({*other.names, *member.names}))
        joined[member.key] = replace(member, roles=member.roles | other.roles, names=names)
    return joined


def _succeed(
    repository: Repository,
    history: History,
    new_members: dict[bytes, Member],
    cuts: tuple[Cut, ...],
) -> None:
    identity = _require_root_role(repository, history)
    heads = sorted(history.names.root_heads)
    roots = history.ledger.roots
    if any(roots[head].thresholds[Role.ROOT] > 1 for head in heads):
        raise TrustError(
            "this repository asks for the agreement of several root keys",
            hint="this version cannot gather approvals: use a newer mgit",
        )
    carried = {cut for head in heads for cut in roots[head].cuts if cut.key not in new_members}
    successor = RepositoryRoot(
        predecessors=tuple(heads),
        nonce=secrets.token_bytes(16),
        level=LEVEL,
        members=new_members,
        thresholds={role: max(roots[h].thresholds[role] for h in heads) for role in Role},
        cuts=tuple({*carried, *cuts}),
    )
    successor.check()
    payload = successor.payload()
    install_objects(repository, [payload, identity.key.sign(payload)])


def _require_root_role(repository: Repository, history: History) -> Identity:
    """Returns the person's key; TrustError where it may not sign the next root document."""
    identity = repository.identity()
    roots = (history.ledger.roots[head] for head in history.names.root_heads)
    if any(identity.key.public not in root.holders(Role.ROOT) for root in roots):
        raise TrustError(
            f"your key {identity.label!r} may not change roles here",
            hint="a key with the role root has to do it: mgit trust list",
        )
    return identity


def _find_key(history: History, text: str) -> bytes:
    if text.startswith("ed25519:"):
        return parse_key(text)
    word = text.removeprefix("@")
    labels = history.names.labels()
    by_label = [key for key, label in labels.items() if label == word]
    is_long = len(word) >= _MIN_FINGERPRINT_DIGITS
    by_print = [key for key in labels if is_long and fingerprint(key).startswith(word)]
    found = by_label or by_print
    if len(found) > 1:
        shown = ", ".join(fingerprint(key)[:8] for key in found)
        raise UsageError(f"several keys are called {word!r}: {shown}", hint="give a fingerprint")
    if not found:
        raise NotFoundError(
            f"no key {text!r} is known here", hint="ask its owner for it: mgit whoami"
        )
    return found[0]


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError:
        known = ", ".join(role.value for role in Role)
        raise UsageError(f"{name!r} is not a role", hint=f"choose from: {known}") from None
