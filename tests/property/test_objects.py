"""Laws of objects: one form, a keep list that is what they cite, limits."""

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
    ENTRY_TYPE,
    KINDS,
    NOTE,
    ROOT_TYPE,
    Check,
    Code,
    Content,
    Cut,
    Edge,
    EdgeKind,
    Entry,
    FileEntry,
    Gate,
    Layout,
    Level,
    Manifest,
    Member,
    MetaObject,
    Move,
    Node,
    Payload,
    Recipe,
    Ref,
    RepositoryRoot,
    Role,
    Severity,
    Shard,
    Signature,
    Statement,
    Subject,
    TensorEntry,
    Unknown,
    Weights,
    decode,
    encode,
)
from mgit.objects.dtypes import cut, cut_file
from tests.formats.make_golden import (
    CHECK,
    CONTENT,
    ENTRY,
    LAYOUT,
    MANIFEST,
    NODE,
    RECIPE,
    ROOT,
    WEIGHTS,
)
from tests.formats.messages import VALUES, loose

digests = st.binary(min_size=32, max_size=32).map(Digest)
digest_sets = st.frozensets(digests, max_size=4)
digest_lists = digest_sets.map(lambda found: tuple(sorted(found)))
texts = st.text(max_size=12)
paths = st.from_regex(r"[a-b]{1,3}(/[a-z.]{0,2}[x-z]){0,2}", fullmatch=True)
names = st.from_regex(r"[a-z0-9]{1,4}(/[a-z0-9][a-z0-9_-]{0,2}){0,2}", fullmatch=True)
labels = st.sampled_from(["alice", "b", "v1x", "ci-7"])
kinds = st.sampled_from([*sorted(KINDS), "sketch"])
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


identifiers = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,4}", fullmatch=True)
plain_values: st.SearchStrategy[Value] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=6,
).filter(lambda value: depth_of(value) <= 8)
arguments = st.dictionaries(identifiers, plain_values, max_size=3)
seeds = st.none() | st.integers(0, 2**64 - 1)


def depth_of(value: Value) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
    return max((1 + depth_of(item) for item in inner), default=0)


@st.composite
def codes(draw: st.DrawFn) -> Code:
    modules = st.lists(identifiers, min_size=1, max_size=3).map(".".join)
    source, revision = draw(
        st.tuples(digests, st.just(0)) | st.tuples(st.none(), st.integers(1, 2**64 - 1))
    )
    return Code(
        f"{draw(modules)}:{draw(identifiers)}",
        source,
        revision,
        draw(arguments),
        draw(seeds),
        draw(st.dictionaries(labels, digests, max_size=2)),
        draw(st.sampled_from(Level)),
    )


gates = st.lists(st.builds(Gate, identifiers, arguments), max_size=2).map(tuple)

OBJECTS: dict[str, st.SearchStrategy[MetaObject]] = {
    "weights": st.builds(Weights, st.dictionaries(texts, tensors(), max_size=3)),
    "content": st.builds(Content, digests, file_maps),
    "layout": st.builds(Layout, st.lists(shards, max_size=2).map(tuple), file_maps),
    "manifest": st.builds(Manifest, digests, file_maps, digests),
    "recipe": st.builds(Recipe, codes(), st.sampled_from(["", "student", "task_1.b-2"])),
    "check": st.builds(Check, codes(), gates, st.sampled_from(Severity)),
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
FEWER = settings(max_examples=settings().max_examples // 2)


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


@given(any_object, st.data())
def test_every_other_way_to_write_an_object_is_refused(
    obj: MetaObject, data: st.DataObject
) -> None:
    value = canonical.decode(encode(obj), limit_bytes=1 << 20)
    other = loose(value, lambda forms: data.draw(st.sampled_from(forms)))
    assume(other != encode(obj))

    with pytest.raises(FormatError):
        decode(other)


PAYLOADS = {ENTRY_TYPE: ENTRY.payload(), ROOT_TYPE: ROOT.payload()}
DESCRIBED = (NODE, CONTENT, LAYOUT, MANIFEST, WEIGHTS, RECIPE, CHECK)
FIELDS = {found.kind: sorted(found.body()) for found in DESCRIBED}


@FEWER
@given(st.data())
def test_fields_of_any_sort_are_an_object_or_refused(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(FIELDS)))
    fields = data.draw(
        VALUES | st.fixed_dictionaries(dict.fromkeys(FIELDS[kind], VALUES | digests))
    )
    octets = canonical.encode((kind, (), fields))
    try:
        found = decode(octets)
    except FormatError:
        return

    assert encode(found) == octets


@given(st.data(), st.sampled_from([RECIPE, CHECK]))
def test_code_of_any_sort_is_code_or_refused(data: st.DataObject, obj: Recipe | Check) -> None:
    known = obj.code.value()
    changed = {**known, data.draw(st.sampled_from(sorted(known))): data.draw(VALUES | arguments)}
    octets = canonical.encode((obj.kind, (), {**obj.body(), "code": changed}))
    try:
        found = decode(octets)
    except FormatError:
        return

    assert encode(found) == octets


@given(codes(), st.integers())
def test_what_can_be_made_can_be_read_again(code: Code, number: int) -> None:
    for change in ({"seed": number}, {"revision": number}, {"arguments": {"a": number}}):
        try:
            recipe = Recipe(replace(code, **change))
        except FormatError:
            continue

        assert decode(encode(recipe)) == recipe


@FEWER
@given(st.data(), st.sampled_from([ENTRY_TYPE, ROOT_TYPE]))
def test_a_signed_payload_of_any_sort_is_refused_unless_it_is_one(
    data: st.DataObject, kind: str
) -> None:
    known = canonical.decode(PAYLOADS[kind].content, limit_bytes=1 << 20)
    assert isinstance(known, dict)
    name = data.draw(st.sampled_from(sorted(known)))
    changed = {**known, name: data.draw(VALUES)}
    assume(canonical.encode(changed) != canonical.encode(known))

    for form in (canonical.encode(changed), loose(known, max)):
        try:
            found = decode(encode(replace(PAYLOADS[kind], content=form)))
        except FormatError:
            continue
        assert isinstance(found, Payload)
        assert found.content == canonical.encode(changed)
