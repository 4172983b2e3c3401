"""Somebody with a role who turned against us: all is signed, and the content is bad.

alice: base@v1 <- base, and then something evil        bob: a copy of it, who fetches again
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mgit import canonical, sync
from mgit.adding import export
from mgit.canonical import Value
from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError
from mgit.objects import (
    CHUNK,
    PackId,
    PackKind,
    digest_of,
    encode,
)
from mgit.provenance import Provenance
from mgit.repair import check
from mgit.repository import Repository, Step, read_parts, record
from mgit.store import Row
from tests.family import Person, add, bare_node, names, tuned, weights
from tests.sync.attacks import BOMB, Planted, X, plant

BASE = weights("base")
CLAIMED = Digest.of(b"claimed")


@pytest.fixture
def alice(tmp_path: Path) -> Repository:
    repository = Person("alice", tmp_path).init()
    add(repository, "base", BASE)
    add(repository, "base", tuned(BASE, "next"))
    return repository


@pytest.fixture
def bob(alice: Repository, tmp_path: Path) -> Repository:
    return Person("bob", tmp_path).clone(str(alice.folder.parent))


def resized(value: Value) -> Value:
    match value:
        case dict():
            return {key: resized(item) for key, item in value.items()}
        case tuple():
            return tuple(resized(item) for item in value)
        case 64:
            return 1 << 60
        case _:
            return value


def test_a_tensor_of_more_elements_than_bytes_is_refused(
    alice: Repository, bob: Repository
) -> None:
    (current,) = names(alice)["base"]
    node = alice.history().nodes[current]
    parts = read_parts(alice, node)
    huge = canonical.encode(resized(canonical.decode(encode(parts.weights), limit_bytes=1 << 20)))
    plant(alice, Planted("weights", huge))
    content = replace(parts.content, weights=Digest.of(huge))
    manifest = replace(parts.manifest, content=digest_of(content))
    evil = replace(node, manifest=digest_of(manifest))
    with alice.writing():
        step = Step("x", {"evil": digest_of(evil)}, [content, manifest, evil])
        record(alice, alice.history(), step)
    meant = names(bob)

    with pytest.raises(DamagedError, match="origin: weights"):
        sync.fetch(bob)

    assert names(bob) == meant


def replanted(alice: Repository, make: Callable[[list[Row]], list[Planted]]) -> None:
    """Adds a model whose chunks are in one new pack, and stores that pack otherwise."""
    before = set((alice.folder / "packs").glob("*.chunks"))
    add(alice, "anew", weights("anew"))
    (path,) = set((alice.folder / "packs").glob("*.chunks")) - before
    alice.store.refresh()
    rows = list(alice.store.catalog.packs[PackId(Digest.from_text(path.stem))].rows())
    path.unlink()
    plant(alice, *make(rows), kind=PackKind.CHUNKS)


def bombs(rows: list[Row]) -> list[Planted]:
    return [Planted(CHUNK, BOMB, r.ref.digest, codec=1, raw_bytes=r.raw_bytes) for r in rows]


def noise(rows: list[Row]) -> list[Planted]:
    return [Planted(CHUNK, bytes(r.raw_bytes), r.ref.digest) for r in rows]


def cycle(rows: list[Row]) -> list[Planted]:
    digests = [row.ref.digest for row in rows]
    bases = [*digests[1:], digests[0]]
    return [
        Planted(CHUNK, X, d, codec=2, bases=(b,), raw_bytes=256)
        for d, b in zip(digests, bases, strict=True)
    ]


def without_base(rows: list[Row]) -> list[Planted]:
    return [Planted(CHUNK, X, r.ref.digest, 2, (CLAIMED,), 256) for r in rows]


def too_deep(rows: list[Row]) -> list[Planted]:
    chain = [Planted(CHUNK, bytes(256), Digest.of(b"0"))]
    for number in range(1, 40):
        base = (Digest.of(b"%d" % (number - 1)),)
        chain.append(Planted(CHUNK, X, Digest.of(b"%d" % number), 2, base, 256))
    last = (Digest.of(b"39"),)
    return [*chain, *(Planted(CHUNK, X, r.ref.digest, 2, last, 256) for r in rows)]


@pytest.mark.parametrize("make", [bombs, noise])
def test_chunks_that_are_not_what_they_claim_are_refused_before_names_move(
    alice: Repository, bob: Repository, make: Callable[[list[Row]], list[Planted]]
) -> None:
    replanted(alice, make)
    meant = names(bob)

    with pytest.raises(DamagedError, match=r"first origin: chunk .* is not what its id says"):
        sync.fetch(bob)

    assert names(bob) == meant
    assert check(bob).is_clean


@pytest.mark.parametrize("make", [cycle, without_base, too_deep])
def test_chunks_that_cannot_be_decoded_are_not_even_read(
    alice: Repository, bob: Repository, make: Callable[[list[Row]], list[Planted]]
) -> None:
    replanted(alice, make)

    fetched = sync.fetch(bob)

    assert fetched.received_bytes == 0
    assert check(bob).is_clean  # they count as withheld
    with pytest.raises(AbsentError, match="origin did not have it"):
        export(bob, "anew", bob.folder.parent / "out")


def test_a_false_parent_is_another_node_and_nobody_signed_it(
    alice: Repository, bob: Repository
) -> None:
    (current,) = names(alice)["base"]
    node = alice.history().nodes[current]
    with alice.writing():
        liar = replace(node, edges=bare_node("x", current).edges)
        record(alice, alice.history(), Step("x", {"liar": digest_of(liar)}, [liar]))
    sync.fetch(bob)

    trail = Provenance(bob.history()).trail(digest_of(liar))
    assert [step.is_verified for step in trail][-1] is False
    assert all(step.is_verified for step in trail[:-1])
