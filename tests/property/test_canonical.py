"""Laws of the canonical form: one value, one byte string, and nothing else is read."""

import math
import struct
import tracemalloc
from collections.abc import Callable

import msgpack
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mgit import canonical
from mgit.canonical import Value
from mgit.errors import FormatError

LIMIT = 1 << 20

LEAVES: st.SearchStrategy[Value] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from([2**bits + d for bits in (5, 7, 8, 15, 16, 31, 32, 63) for d in (-1, 0)])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40)
    | st.binary(max_size=40)
)
VALUES: st.SearchStrategy[Value] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=20).map(tuple)
        | st.dictionaries(st.text(max_size=10), inner, max_size=20)
    ),
    max_leaves=20,
)


def exact(value: object) -> object:
    """The value with everything told apart that Python holds equal: 1, 1.0, True; 0.0 and -0.0."""
    match value:
        case float():
            return (float, struct.pack(">d", value))
        case tuple():
            return tuple(exact(item) for item in value)
        case dict():
            return {key: exact(item) for key, item in value.items()}
        case _:
            return (type(value), value)


def loose(value: object, choose: Callable[[list[bytes]], bytes]) -> bytes:
    """MessagePack of a value where ``choose`` picks one of all its forms at every step."""
    match value:
        case int() if not isinstance(value, bool):
            return choose(_forms_of_int(value))
        case float():
            wide = b"\xcb" + struct.pack(">d", value)
            return choose([wide, *_single(value)])
        case str() | bytes():
            short, tags = (
                ([(0xA0, 31)], b"\xd9\xda\xdb") if isinstance(value, str) else ([], b"\xc4\xc5\xc6")
            )
            content = value.encode() if isinstance(value, str) else value
            return choose(_lengths(content, short, tags)) + content
        case tuple():
            head = choose(_lengths(value, [(0x90, 15)], b"\0\xdc\xdd"))
            return head + b"".join(loose(item, choose) for item in value)
        case dict():
            pairs = [loose(key, choose) + loose(item, choose) for key, item in value.items()]
            head = choose(_lengths(value, [(0x80, 15)], b"\0\xde\xdf"))
            return head + choose([b"".join(pairs), b"".join(pairs[::-1])])
        case _:
            return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]  # type: ignore[index]


def _forms_of_int(value: int) -> list[bytes]:
    forms = [bytes([value & 0xFF])] if -32 <= value < 128 else []
    for tag, form in zip(b"\xcc\xcd\xce\xcf\xd0\xd1\xd2\xd3", "BHIQbhiq", strict=True):
        try:
            forms.append(bytes([tag]) + struct.pack(f">{form}", value))
        except struct.error:
            continue
    return forms


def _single(value: float) -> list[bytes]:
    try:
        packed = struct.pack(">f", value)
    except OverflowError:
        return []
    return [b"\xca" + packed] if struct.unpack(">f", packed)[0] == value else []


def _lengths(
    items: "bytes | tuple[object, ...] | dict[str, object]",
    short: list[tuple[int, int]],
    tags: bytes,
) -> list[bytes]:
    count = len(items)
    forms = [bytes([tag | count]) for tag, most in short if count <= most]
    for tag, form, most in zip(tags, "BHI", (0xFF, 0xFFFF, 0xFFFFFFFF), strict=True):
        if tag and count <= most:
            forms.append(bytes([tag]) + struct.pack(f">{form}", count))
    return forms


@given(VALUES)
@example((1, 1.0, True, 0.0, -0.0, 0, False))
def test_decoding_gives_the_value_back(value: Value) -> None:
    data = canonical.encode(value)

    assert exact(canonical.decode(data, limit_bytes=LIMIT)) == exact(value)


@given(VALUES, st.data())
def test_every_other_way_to_write_a_value_is_refused(value: Value, data: st.DataObject) -> None:
    other = loose(value, lambda forms: data.draw(st.sampled_from(forms)))
    assume(other != canonical.encode(value))

    assert exact(msgpack.unpackb(other, use_list=False)) == exact(value)  # it does say the same
    with pytest.raises(FormatError):
        canonical.decode(other, limit_bytes=LIMIT)


@given(VALUES, VALUES)
def test_two_values_share_bytes_only_if_they_are_one(left: Value, right: Value) -> None:
    is_same = canonical.encode(left) == canonical.encode(right)

    assert is_same == (exact(left) == exact(right))


@given(st.binary(max_size=64))
def test_any_bytes_are_a_canonical_value_or_refused(data: bytes) -> None:
    try:
        value = canonical.decode(data, limit_bytes=LIMIT)
    except FormatError:
        return

    assert canonical.encode(value) == data


@given(VALUES, st.data())
def test_a_truncated_value_is_refused(value: Value, data: st.DataObject) -> None:
    whole = canonical.encode(value)
    part = whole[: data.draw(st.integers(0, len(whole) - 1))]

    with pytest.raises(FormatError):
        canonical.decode(part, limit_bytes=LIMIT)


@given(VALUES, st.binary(min_size=1, max_size=5))
def test_bytes_behind_a_value_are_refused(value: Value, rest: bytes) -> None:
    with pytest.raises(FormatError):
        canonical.decode(canonical.encode(value) + rest, limit_bytes=LIMIT)


def test_one_and_one_point_nought_and_true_are_three_values() -> None:
    forms = {canonical.encode(value) for value in (1, 1.0, True)}

    assert len(forms) == 3


def test_a_list_is_written_like_a_tuple() -> None:
    assert canonical.encode([1, [2]]) == canonical.encode((1, (2,)))


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        {1: 2},
        {b"a": 1},
        {1},
        object(),
        2**64,
        -(2**63) - 1,
        "\ud800",
        (math.nan,),
    ],
)
def test_what_has_no_canonical_form_is_not_written(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical.encode(value)


def nested(depth: int) -> object:
    value: object = ()
    for _ in range(depth):
        value = (value,)
    return value


def test_nesting_is_bounded_alike_for_writing_and_reading() -> None:
    deepest = canonical.encode(nested(canonical.MAX_DEPTH))

    canonical.decode(deepest, limit_bytes=LIMIT)
    with pytest.raises(ValueError, match="deeper"):
        canonical.encode(nested(canonical.MAX_DEPTH + 1))
    with pytest.raises(FormatError):
        canonical.decode(b"\x91" + deepest, limit_bytes=LIMIT)


def test_a_value_larger_than_allowed_is_refused_unread() -> None:
    with pytest.raises(FormatError, match="at most 3"):
        canonical.decode(b"\xff" * 4, limit_bytes=3)


ENDLESS = b"\xdd\xff\xff\xff\xff"
BOMBS = {
    "arrays a million deep": b"\x91" * 1_000_000,
    "maps a million deep": b"\x81\xa1a" * 300_000,
    "an array of 2^32 - 1": ENDLESS,
    "arrays of 2^32 - 1 in each other": ENDLESS * 1000,
    "arrays as long as the rest in each other": (b"\xdd\0\x01\0\0" * 1000).ljust(70_000, b"\xc0"),
    "a map of 2^32 - 1": b"\xdf\xff\xff\xff\xff",
    "a text of 2^32 - 1 bytes": b"\xdb\xff\xff\xff\xff",
    "an extension of 2^32 - 1 bytes": b"\xc9\xff\xff\xff\xff\x01",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_in_little_memory(bomb: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            canonical.decode(bomb, limit_bytes=LIMIT)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 128 << 20


@pytest.mark.slow
def test_more_than_four_million_arrays_are_refused() -> None:
    count = canonical.MAX_CONTAINERS
    bomb = b"\xdd" + count.to_bytes(4, "big") + b"\x90" * count

    with pytest.raises(FormatError, match="containers"):
        canonical.decode(bomb, limit_bytes=len(bomb))
