"""Values, and all the ways in which MessagePack can write one of them."""

import struct
from collections.abc import Callable

from hypothesis import strategies as st

from mgit.canonical import Value

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
