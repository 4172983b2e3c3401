"""Objects that no correct writer makes: each is refused with one typed error."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from mgit.digest import Digest
from mgit.errors import FormatError
from mgit.objects import (
    MAX_SUPERSEDED,
    NOTE,
    STATEMENT_TYPE,
    Check,
    Code,
    Content,
    Edge,
    EdgeKind,
    FileEntry,
    Layout,
    Level,
    Member,
    MetaObject,
    Move,
    Node,
    Payload,
    Recipe,
    Role,
    Severity,
    Shard,
    Signature,
    Statement,
    TensorEntry,
    Unknown,
    Weights,
    decode,
    digest_of,
    encode,
)
from mgit.objects.dtypes import CHUNK_ELEMENTS
from tests.formats.make_golden import ENTRY, ROOT

ZERO = Digest(bytes(32))


def of_file(path: str, size: int, chunks: int) -> Content:
    return Content(ZERO, {path: FileEntry(size, (ZERO,) * chunks)})


def given(argument: str) -> Code:
    return Code("a:b", None, 1, {"a": argument}, None, {}, Level.BITWISE)


def of_tensor(dtype: str, shape: tuple[int, ...], chunks: int) -> Weights:
    return Weights({"t": TensorEntry(dtype, shape, (ZERO,) * chunks)})


REFUSED: dict[str, MetaObject] = {
    "a type that does not exist": of_tensor("F7", (1,), 1),
    "a chunk too few": of_tensor("F32", (CHUNK_ELEMENTS + 1,), 1),
    "a chunk too many": of_tensor("F32", (CHUNK_ELEMENTS,), 2),
    "2^60 elements": of_tensor("F32", (1 << 60,), 1),
    "2^64 - 1 rows of nothing and a chunk": of_tensor("F32", (2**64 - 1, 0), 1),
    "a shape whose product overflows": of_tensor("U8", (1 << 32, 1 << 32), 0),
    "65 dimensions": of_tensor("F32", (1,) * 65, 1),
    "half a byte": of_tensor("F4", (3,), 1),
    "a file with a chunk too few": of_file("a", (4 << 20) + 1, 1),
    "an empty file with a chunk": of_file("a", 0, 1),
    "a file of 2^63 bytes": of_file("a", 1 << 63, 1),
    "an absolute path": of_file("/etc/passwd", 0, 0),
    "a path upwards": of_file("a/../b", 0, 0),
    "a path with a NUL": of_file("a\0b", 0, 0),
    "a path with a backslash": of_file("a\\b", 0, 0),
    "a device": of_file("sub/CON.txt", 0, 0),
    "a path that turns its direction": of_file("a\u202eb", 0, 0),
    "a path that ends in a dot": of_file("a.", 0, 0),
    "a shard outside": Layout((Shard("../x", b"", ()),), {}),
    "a name in capitals": replace(ENTRY, moves=(Move("Bert", None, ()),)).payload(),
    "a name twice": replace(ENTRY, moves=(Move("a", None, ()), Move("a", ZERO, ()))).payload(),
    "names out of order": replace(
        ENTRY, moves=(Move("b", None, ()), Move("a", None, ()))
    ).payload(),
    "a label that is a version": replace(ENTRY, label="v2").payload(),
    "a short key": replace(ENTRY, key=b"short").payload(),
    "a level below nothing": replace(ENTRY, level=-1).payload(),
    "too much superseded": replace(
        ENTRY,
        moves=(Move("a", None, tuple(Digest.of(b"%d" % i) for i in range(MAX_SUPERSEDED + 1))),),
    ).payload(),
    "a threshold of nobody": replace(ROOT, thresholds=dict.fromkeys(Role, 0)).payload(),
    "a threshold of too many": replace(ROOT, thresholds=dict.fromkeys(Role, 2)).payload(),
    "a role without threshold": replace(ROOT, thresholds={Role.ROOT: 1}).payload(),
    "no root key": replace(
        ROOT, members={ZERO: Member(ZERO, "a", frozenset({Role.MAINTAINER}))}
    ).payload(),
    "one label for two keys": replace(
        ROOT, members={key: Member(key, "a", frozenset(Role)) for key in (ZERO, Digest.of(b""))}
    ).payload(),
    "a statement about nothing": Statement((), NOTE, {}).payload(),
    "a short signature": Signature(ZERO, ZERO, bytes(63)),
}


@pytest.mark.parametrize("obj", REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused(obj: MetaObject) -> None:
    with pytest.raises(FormatError):
        decode(encode(obj))


def test_an_edge_has_a_role_exactly_if_it_is_not_a_version() -> None:
    for kind, role in ((EdgeKind.VERSION, "base"), (EdgeKind.PROVENANCE, "")):
        with pytest.raises(FormatError):
            Edge(kind, ZERO, role)


@pytest.mark.parametrize(
    "document",
    [
        b"[]",
        b"{",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        b"\xff",
        json.dumps({"_type": "https://in-toto.io/Statement/v0.1"}).encode(),
    ],
)
def test_a_statement_that_is_no_statement_is_refused(document: bytes) -> None:
    with pytest.raises(FormatError):
        decode(encode(Payload(STATEMENT_TYPE, document, frozenset())))


@pytest.mark.parametrize(
    ("small", "large"),
    [
        (lambda n: Payload("x", bytes(n), frozenset()), 4 << 20),
        (lambda n: Unknown("sketch", frozenset(), bytes(n)), 4 << 20),
        (lambda n: Node(ZERO, frozenset(), None, "o" * n, ""), 4 << 20),
        (lambda n: Recipe(given("o" * n)), 1 << 20),
        (lambda n: Check(given("o" * n), (), Severity.INFO), 1 << 20),
        pytest.param(
            lambda n: Layout((Shard("s", bytes(n), ()),), {}), 64 << 20, marks=pytest.mark.slow
        ),
    ],
    ids=["payload", "unknown", "node", "recipe", "check", "layout"],
)
def test_an_object_may_be_as_large_as_its_limit(
    small: Callable[[int], MetaObject], large: int
) -> None:
    room = large - len(encode(small(large - 1000))) + large - 1000

    assert len(encode(small(room))) == large
    decode(encode(small(room)))
    with pytest.raises(FormatError):
        decode(encode(small(room + 1)))


def test_kind_is_part_of_the_address_because_two_kinds_may_share_a_form() -> None:
    assert digest_of(Unknown("a", frozenset(), None)) != digest_of(Unknown("b", frozenset(), None))
