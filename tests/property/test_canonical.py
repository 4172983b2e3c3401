"""Laws of the canonical form: one value, one byte string, and nothing else is read."""

import math
import struct
import tracemalloc

import msgpack
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from mgit import canonical
from mgit.canonical import Value
from mgit.errors import FormatError
from tests.formats.messages import VALUES, loose

LIMIT = 1 << 20
FEWER = settings(max_examples=settings().max_examples // 2)


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


@FEWER
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


@FEWER
@given(VALUES, st.data())
def test_a_truncated_value_is_refused(value: Value, data: st.DataObject) -> None:
    whole = canonical.encode(value)
    part = whole[: data.draw(st.integers(0, len(whole) - 1))]

    with pytest.raises(FormatError):
        canonical.decode(part, limit_bytes=LIMIT)


@FEWER
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
