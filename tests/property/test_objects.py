"""Laws of objects: one form, a keep list that is what they cite, limits."""

import json
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mgit import canonical
from mgit.canonical import Value
from mgit.digest import Digest
from mgit.errors import FormatError
from mgit.objects import (
    DTYPES,
    KINDS,
    MAX_SUPERSEDED,
    NOTE,
    STATEMENT_TYPE,
    Content,
    Cut,
    Edge,
    EdgeKind,
    Entry,
    FileEntry,
    Layout,
    Manifest,
    Member,
    MetaObject,
    Move,
    Node,
    Payload,
    Ref,
    RepositoryRoot,
    Role,
    Shard,
    Signature,
    Statement,
    Subject,
    TensorEntry,
    Unknown,
    Weights,
    decode,
    digest_of,
    encode,
)
from mgit.objects.dtypes import CHUNK_ELEMENTS, cut, cut_file

digests = st.binary(min_size=32, max_size=32).map(Digest)
digest_sets = st.frozensets(digests, max_size=4)
digest_lists = digest_sets.map(lambda found: tuple(sorted(found)))
texts = st.text(max_size=12)
paths = st.from_regex(r"[a-b]{1,3}(/[a-z.]{0,2}[x-z]){0,2}", fullmatch=True)
names = st.from_regex(r"[a-z0-9]{1,4}(/[a-z0-9][a-z0-9_-]{0,2}){0,2}", fullmatch=True)
labels = st.sampled_from(["alice", "b", "v1x", "ci-7"])
kinds = st.sampled_from([*sorted(KINDS), "recipe", "sketch"])
refs = st.builds(Ref, kinds, digests)
nonces = st.binary(max_size=16)
levels = st.integers(0, 3)


@st.composite
def tensors(draw: st.DrawFn) -> TensorEntry:
    dtype = draw(st.sampled_from(sorted(name for name, found in DTYPES.items() if found.bits >= 8)))
    shape = tuple(draw(st.lists(st.sampled_from([0, 1, 2, 3, 700_000, 1 << 20]), max_size=3)))
    assume(math.prod(shape) < 1 << 24)
    count = sum(1 for _ in cut(DTYPES[dtype], shape))
    chunks = draw(st.lists(digests, min_size=count, max_size=count))
    return TensorEntry(dtype, shape, tuple(chunks), draw(st.none() | texts))


@st.composite
def files(draw: st.DrawFn) -> FileEntry:
    size = draw(st.sampled_from([0, 1, 4 << 20, (4 << 20) + 1, 9 << 20]))
    count = sum(1 for _ in cut_file(size))
    return FileEntry(size, tuple(draw(st.lists(digests, min_size=count, max_size=count))))


file_maps = st.dictionaries(paths, files(), max_size=3)
shards = st.builds(Shard, paths, st.binary(max_size=9), st.lists(texts, max_size=3).map(tuple))
edges = st.builds(
    Edge, st.just(EdgeKind.PROVENANCE), digests, st.sampled_from(["base", "teacher"])
) | st.builds(Edge, st.just(EdgeKind.VERSION), digests)
moves = st.dictionaries(names, st.tuples(st.none() | digests, digest_lists), max_size=3).map(
    lambda found: tuple(Move(name, *found[name]) for name in sorted(found))
)
entries = st.builds(
    Entry, digests, digests, labels, digest_lists, digests, nonces, levels, moves, digest_lists
)
cuts = st.builds(Cut, digests, digest_sets, digest_sets)
json_values: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
statements = st.builds(
    Statement,
    st.lists(st.builds(Subject, refs, texts), min_size=1, max_size=2).map(tuple),
    st.just(NOTE),
    st.dictionaries(texts, json_values, max_size=3),
)


@st.composite
def roots(draw: st.DrawFn) -> RepositoryRoot:
    people = draw(st.dictionaries(digests, st.frozensets(st.sampled_from(Role)), max_size=3))
    people[Digest(bytes(32))] = frozenset(Role)
    patterns = st.lists(texts, max_size=2).map(tuple)
    return RepositoryRoot(
        draw(digest_lists),
        draw(nonces),
        draw(levels),
        {
            key: Member(key, f"label-{number}", roles, draw(patterns))
            for number, (key, roles) in enumerate(people.items())
        },
        dict.fromkeys(Role, 1),
        tuple(
            sorted(
                draw(st.lists(cuts, max_size=2)),
                key=lambda c: (c.key, sorted(c.heads), sorted(c.void)),
            )
        ),
    )


OBJECTS: dict[str, st.SearchStrategy[MetaObject]] = {
    "weights": st.builds(Weights, st.dictionaries(texts, tensors(), max_size=3)),
    "content": st.builds(Content, digests, file_maps),
    "layout": st.builds(Layout, st.lists(shards, max_size=2).map(tuple), file_maps),
    "manifest": st.builds(Manifest, digests, file_maps, digests),
    "node": st.builds(
        Node, digests, st.frozensets(edges, max_size=3), st.none() | digests, texts, texts
    ),
    "entry": entries.map(Entry.payload),
    "root": roots().map(RepositoryRoot.payload),
    "statement": statements.map(Statement.payload),
    "other payload": st.builds(
        Payload, texts, st.binary(max_size=9), st.frozensets(refs, max_size=3)
    ),
    "signature": st.builds(Signature, digests, digests, st.binary(min_size=64, max_size=64)),
    "unknown": st.builds(
        Unknown,
        st.just("sketch"),
        st.frozensets(refs, max_size=3),
        st.just(()) | st.text() | st.just({"a": 1.0}),
    ),
}
any_object = st.one_of(*OBJECTS.values())
typed_object = st.one_of(
    *(found for name, found in OBJECTS.items() if name not in {"other payload", "unknown"})
)
FEWER = settings(max_examples=settings().max_examples // 2)  # for each of the kinds


def edited(obj: MetaObject, change: Callable[[list[Value]], object]) -> bytes:
    """The bytes of an object after a change to ``[kind, keeps, fields]``."""
    value = canonical.decode(encode(obj), limit_bytes=1 << 20)
    assert isinstance(value, tuple)
    parts = list(value)
    change(parts)
    return canonical.encode(parts)


@pytest.mark.parametrize("generated", OBJECTS.values(), ids=OBJECTS)
@FEWER
@given(data=st.data())
def test_an_object_comes_back_from_its_bytes(
    generated: st.SearchStrategy[MetaObject], data: st.DataObject
) -> None:
    obj = data.draw(generated)

    assert decode(encode(obj)) == obj


@given(typed_object, st.data())
def test_a_keep_list_with_one_more_or_one_less_is_refused(
    obj: MetaObject, data: st.DataObject
) -> None:
    other = data.draw(st.sampled_from([*sorted(obj.keeps()), Ref("node", Digest.of(b"another"))]))
    changed = sorted(obj.keeps() ^ {other})

    with pytest.raises(FormatError):
        decode(edited(obj, lambda parts: parts.__setitem__(1, tuple(changed))))


@given(any_object, st.data())
def test_a_keep_list_out_of_order_or_with_a_repetition_is_refused(
    obj: MetaObject, data: st.DataObject
) -> None:
    kept = sorted(obj.keeps())
    assume(kept)
    changed = data.draw(st.permutations(kept) | st.just([kept[0], *kept]))
    assume(changed != kept)

    with pytest.raises(FormatError):
        decode(edited(obj, lambda parts: parts.__setitem__(1, tuple(changed))))


@given(typed_object, st.data())
def test_a_field_too_many_or_too_few_is_refused(obj: MetaObject, data: st.DataObject) -> None:
    body = obj.body()
    assert isinstance(body, dict)
    name = data.draw(st.sampled_from(["another", *sorted(body)]))
    changed = {key: value for key, value in body.items() if key != name} or {name: None}
    if name not in body:
        changed[name] = None

    with pytest.raises(FormatError):
        decode(edited(obj, lambda parts: parts.__setitem__(2, changed)))


@given(any_object, st.data())
def test_a_flipped_bit_is_refused_or_gives_another_object(
    obj: MetaObject, data: st.DataObject
) -> None:
    octets = bytearray(encode(obj))
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = decode(bytes(octets))
    except FormatError:
        return

    assert encode(found) == octets


@given(st.text(min_size=1, max_size=16), st.frozensets(refs, max_size=3), json_values)
def test_an_unknown_kind_is_kept_byte_for_byte(
    kind: str, kept: frozenset[Ref], fields: object
) -> None:
    assume(kind not in KINDS)
    octets = canonical.encode((kind, tuple(sorted(kept)), fields))

    obj = decode(octets)

    assert isinstance(obj, Unknown)
    assert (obj.kind, obj.keeps(), encode(obj)) == (kind, set(kept), octets)


ZERO = Digest(bytes(32))
ENTRY = Entry(ZERO, ZERO, "alice", (), ZERO, b"", 1, (), ())
ROOT = RepositoryRoot(
    (), b"", 1, {ZERO: Member(ZERO, "alice", frozenset(Role))}, dict.fromkeys(Role, 1)
)


def of_file(path: str, size: int, chunks: int) -> Content:
    return Content(ZERO, {path: FileEntry(size, (ZERO,) * chunks)})


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
        pytest.param(
            lambda n: Layout((Shard("s", bytes(n), ()),), {}), 64 << 20, marks=pytest.mark.slow
        ),
    ],
    ids=["payload", "unknown", "node", "layout"],
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
