"""What 500 names of 5,000 entries mean: ten versions each, written by one key."""

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from measuring import Row, seconds, shown

from mgit import editing
from mgit.digest import Digest
from mgit.names import Names
from mgit.objects import (
    LEVEL,
    Entry,
    MetaObject,
    Move,
    PackKind,
    Payload,
    Ref,
    Signature,
    digest_of,
    encode,
)
from mgit.repository import History, Home, Repository
from mgit.signing import SigningKey

NAMES, VERSIONS = 500, 10


def measure(root: Path, repeats: int) -> Iterator[Row]:
    """Yields the time to resolve every name, and to read all of it from the disk before."""
    repository = editing.init(
        root / "names", Home(root / "n-home", root / "n-cache"), label="alice"
    )
    _write(repository, _entries(repository))
    opened = Repository.at(repository.folder, repository.home)
    reading = seconds(lambda: opened.history().ledger)
    yield Row(f"reading and verifying {NAMES * VERSIONS:,} entries", shown(reading))
    known = opened.history()
    taken = seconds(lambda: _resolve(known), repeats)
    yield Row(f"resolving {NAMES} names of {NAMES * VERSIONS:,} entries", shown(taken))


def _resolve(known: History) -> None:
    names = Names(known.ledger, known.lineage.version_ancestors)  # a new one remembers nothing
    if len(names.names()) != NAMES:
        raise AssertionError(f"{len(names.names())} names, not {NAMES}")


def _entries(repository: Repository) -> Mapping[Digest, MetaObject]:
    key: SigningKey = repository.identity().key
    found: dict[Digest, MetaObject] = {}
    last: dict[str, tuple[Digest, ...]] = {}
    previous: tuple[Digest, ...] = ()
    for number in range(NAMES * VERSIONS):
        name = f"model-{number % NAMES}"
        move = Move(name, Digest(secrets.token_bytes(32)), last.get(name, ()))
        entry = Entry(
            repository=repository.id,
            key=key.public,
            label="alice",
            previous=previous,
            root=repository.id,
            nonce=secrets.token_bytes(16),
            level=LEVEL,
            moves=(move,),
            claims=(),
        )
        payload: Payload = entry.payload()
        signature: Signature = key.sign(payload)
        digest = digest_of(payload)
        found |= {digest: payload, digest_of(signature): signature}
        last[name] = previous = (digest,)
    return found


def _write(repository: Repository, objects: Mapping[Digest, MetaObject]) -> None:
    with repository.store.writer(PackKind.META) as writer:
        for digest, obj in objects.items():
            data = encode(obj)
            writer.add(Ref(obj.kind, digest), data, raw_bytes=len(data))
        repository.store.install(writer.finish())
