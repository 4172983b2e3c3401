"""Root documents for tests: a genesis of five people, and what follows it.

admin, second: root keys, one is enough    alice, bob: every name    carol: bert*
"""

from collections.abc import Iterable, Mapping
from itertools import count

from mgit.digest import Digest
from mgit.objects import LEVEL, Cut, Entry, Member, RepositoryRoot, Role, digest_of
from mgit.roots import accept_roots

NONCES = count()


def key(label: str) -> bytes:
    return Digest.of(label.encode())


def root_key(label: str) -> Member:
    return Member(key(label), label, frozenset({Role.ROOT}))


def maintainer(label: str, *names: str) -> Member:
    return Member(key(label), label, frozenset({Role.MAINTAINER}), names or ("*",))


ADMIN, SECOND = root_key("admin"), root_key("second")
ALICE, BOB, CAROL = maintainer("alice"), maintainer("bob"), maintainer("carol", "bert*")
EVERYBODY = (ADMIN, SECOND, ALICE, BOB, CAROL)


def document(
    *predecessors: RepositoryRoot,
    members: Iterable[Member] = EVERYBODY,
    cuts: Iterable[Cut] = (),
    thresholds: Mapping[Role, int] | None = None,
    level: int = LEVEL,
) -> RepositoryRoot:
    return RepositoryRoot(
        tuple(sorted(map(id_of, predecessors))),
        next(NONCES).to_bytes(8, "big"),
        level,
        {member.key: member for member in members},
        dict.fromkeys(Role, 1) | dict(thresholds or {}),
        tuple(cuts),
    )


def without(label: str, *kept: Digest) -> tuple[list[Member], tuple[Cut]]:
    """Members but one, and the cut that this asks for."""
    return [m for m in EVERYBODY if m.label != label], (Cut(key(label), frozenset(kept)),)


def id_of(value: RepositoryRoot | Entry) -> Digest:
    return digest_of(value.payload())


GENESIS = document()


def accepted(
    *documents: RepositoryRoot, signers: Mapping[Digest, set[str]] | None = None
) -> dict[Digest, RepositoryRoot]:
    """Accepts from ``GENESIS`` on; ``admin`` signed what ``signers`` does not mention."""
    given = {id_of(root): root for root in (GENESIS, *documents)}
    signed_by = {digest: frozenset({key("admin")}) for digest in given}
    signed_by |= {d: frozenset(map(key, labels)) for d, labels in (signers or {}).items()}
    return accept_roots(id_of(GENESIS), given, signed_by)
