"""Which root documents count: the chain of authority from the genesis document on.

Pure functions of sets: the order in which documents arrived plays no part, nor does any clock. Who
signed what is given; no signature is verified here. Refuses to know entries and names.
"""

from collections.abc import Callable, Iterable, Mapping
from graphlib import TopologicalSorter

from mgit.digest import Digest
from mgit.objects import Member, RepositoryRoot, Role

Roots = Mapping[Digest, RepositoryRoot]


def accept_roots(
    genesis: Digest, candidates: Roots, signers: Mapping[Digest, frozenset[bytes]]
) -> dict[Digest, RepositoryRoot]:
    """Returns the root documents that count; none without a genesis signed by its own keys.

    A successor counts if all its predecessors do, enough root keys of its predecessor signed it
    (of the nearest common predecessors, where it names several), its level is not below theirs,
    and it carries a cut for every key that has less than in one of them. That holds step by step,
    hence against all that went before.

    Args:
        genesis: Digest of the genesis payload: the repository id.
        candidates: Root documents by the digest of their payload, in their one form and checked.
        signers: For each of those digests, the keys whose signature of that payload was verified.
    """
    accepted: dict[Digest, RepositoryRoot] = {}
    cited = {digest: set(root.predecessors) for digest, root in candidates.items()}
    for digest in TopologicalSorter(cited).static_order():
        root = candidates.get(digest)
        if root is None or not accepted.keys() >= cited[digest]:
            continue
        signed_by = signers.get(digest, frozenset())
        if root.predecessors:
            is_valid = _is_successor(root, accepted) and _is_signed(root, signed_by, accepted)
        else:
            is_valid = digest == genesis and _has_threshold(root, signed_by)
        if is_valid:
            accepted[digest] = root
    return accepted


def past(digest: Digest, roots: Roots) -> frozenset[Digest]:
    """Returns the root documents that ``digest`` succeeds, itself included."""
    return frozenset(closure([digest], lambda d: roots[d].predecessors))


def heads(roots: Roots) -> frozenset[Digest]:
    """Returns the roots that none of ``roots`` succeeds; several were made concurrently."""
    return frozenset(roots.keys() - {p for root in roots.values() for p in root.predecessors})


def closure(start: Iterable[Digest], step: Callable[[Digest], Iterable[Digest]]) -> set[Digest]:
    """Returns everything reachable from ``start``, itself included."""
    found: set[Digest] = set()
    todo = list(start)
    while todo:
        digest = todo.pop()
        if digest not in found:
            found.add(digest)
            todo.extend(step(digest))
    return found


def _is_successor(root: RepositoryRoot, accepted: Roots) -> bool:
    """Whether ``root`` may follow its predecessors as far as its content goes."""
    cut = {cut.key for cut in root.cuts}
    return all(
        root.level >= old.level
        and all(
            key in cut or not _has_less(member, root.members.get(key))
            for key, member in old.members.items()
        )
        for old in (accepted[digest] for digest in root.predecessors)
    )


def _has_less(before: Member, now: Member | None) -> bool:
    """Whether a role or a pattern is gone; patterns compare as text, but ``*`` covers all."""
    if now is None or not before.roles <= now.roles:
        return True
    return "*" not in now.names and not set(before.names) <= set(now.names)


def _is_signed(root: RepositoryRoot, signed_by: frozenset[bytes], accepted: Roots) -> bool:
    return all(_has_threshold(accepted[d], signed_by) for d in _authorities(root, accepted))


def _has_threshold(authority: RepositoryRoot, signed_by: frozenset[bytes]) -> bool:
    return len(authority.holders(Role.ROOT) & signed_by) >= authority.thresholds[Role.ROOT]


def _authorities(root: RepositoryRoot, accepted: Roots) -> frozenset[Digest]:
    """Returns whose root keys must sign: the predecessor, or the nearest common ones."""
    named = frozenset(root.predecessors)
    if len(named) == 1:
        return named
    pasts = {digest: past(digest, accepted) for digest in named}
    # else naming the genesis beside its successor would hand the decision back to old keys
    newest = {d for d in named if not any(d in pasts[other] for other in named - {d})}
    common = frozenset.intersection(*(pasts[digest] for digest in newest))
    return common - {p for digest in common for p in accepted[digest].predecessors}
