"""One value, one byte string: the canonical form of everything that is hashed or signed.

The only module that knows msgpack. Values are None, bool, int (-2**63 to 2**64-1), finite float,
str, bytes, tuple (lists are taken) and dict with text keys. 1 and 1.0 are different values, -0.0 is
kept, keys are sorted by code point. Refuses to know what the values mean.
"""

import math
from typing import TypeAlias

import msgpack

from mgit.errors import FormatError

Value: TypeAlias = "bool | int | float | str | bytes | tuple[Value, ...] | dict[str, Value] | None"

MAX_DEPTH = 16
MAX_CONTAINERS = 1 << 22  # bounds the memory that a few bytes of nested empty containers can cost


def encode(value: object) -> bytes:
    """Returns the canonical bytes of ``value``.

    Raises:
        ValueError: The value has no canonical form (NaN, a set, a non-text key, nested too deep).
    """
    try:
        return bytes(msgpack.packb(_ordered(value, depth=0), use_bin_type=True))
    except OverflowError as error:
        raise ValueError(f"an integer out of range in {value!r}") from error


def decode(data: bytes, *, limit_bytes: int) -> Value:
    """Returns the value whose canonical form is ``data``; ``encode(decode(x)) == x``.

    Raises:
        FormatError: More than ``limit_bytes``, not msgpack, or not the canonical form of any value.
    """
    value = parse(data, limit_bytes=limit_bytes)
    try:
        canonical = encode(value)
    except ValueError as error:
        raise FormatError(f"not a canonical value: {error}") from error
    if canonical != data:
        raise FormatError("not in canonical form")
    return value


def parse(data: bytes, *, limit_bytes: int) -> Value:
    """Returns the value in ``data`` in whatever form; the caller encodes again and compares.

    Raises:
        FormatError: More than ``limit_bytes``, or not msgpack.
    """
    if len(data) > limit_bytes:
        raise FormatError(f"{len(data):,} bytes where at most {limit_bytes:,} are allowed")
    try:
        return _unpack(data)
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
        raise FormatError(f"not a canonical value: {error}") from error


def _unpack(data: bytes) -> Value:
    containers = 0

    def count(container: object) -> object:
        nonlocal containers
        containers += 1
        if containers > MAX_CONTAINERS:
            raise ValueError(f"more than {MAX_CONTAINERS:,} containers")
        return container

    def pairs(items: list[tuple[str, Value]]) -> object:
        return count(
            dict(items)
        )  # a duplicate key is lost here and shows when the bytes are compared

    value: Value = msgpack.unpackb(
        data,
        raw=False,
        use_list=False,
        strict_map_key=True,
        object_pairs_hook=pairs,
        list_hook=lambda items: count(tuple(items)),
        ext_hook=_refuse_extension,
    )
    return value


def _refuse_extension(code: int, data: bytes) -> object:
    raise ValueError(f"extension type {code} with {len(data)} bytes")


def _ordered(value: object, *, depth: int) -> object:
    """Returns ``value`` with sorted keys; ValueError where it has no canonical form."""
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    match value:
        case None | bool() | int() | str() | bytes():
            return value
        case float() if math.isfinite(value):
            return value
        case list() | tuple():
            return [_ordered(item, depth=depth + 1) for item in value]
        case dict() if all(isinstance(key, str) for key in value):
            return {key: _ordered(value[key], depth=depth + 1) for key in sorted(value)}
        case _:
            raise ValueError(f"{type(value).__name__} {value!r:.40} has no canonical form")
