"""Checked access to the fields of a decoded object, and what every kind of object shares."""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from mgit.canonical import Value
from mgit.digest import SIZE, Digest
from mgit.errors import FormatError

T = TypeVar("T")
Body = Mapping[str, Value]


class Ref(NamedTuple):
    """The address of an object: its kind and its digest within the kind."""

    kind: str
    digest: Digest


def typed(value: object, expected: type[T], what: str) -> T:
    """Returns ``value`` if it is exactly of type ``expected`` (a bool is not an int).

    Raises:
        FormatError: It is of another type.
    """
    if type(value) is not expected:
        raise FormatError(f"{what} is {type(value).__name__}, not {expected.__name__}")
    return value


def text(body: Body, key: str) -> str:
    """Returns the text at ``key``; FormatError where it is absent or another type. So below."""
    return typed(body.get(key), str, key)


def octets(body: Body, key: str) -> bytes:
    """Returns the bytes at ``key``."""
    return typed(body.get(key), bytes, key)


def integer(value: Value, what: str) -> int:
    """Returns a number from 0 up."""
    number = typed(value, int, what)
    if number < 0:
        raise FormatError(f"{what} is negative: {number}")
    return number


def rows(body: Body, key: str) -> tuple[Value, ...]:
    """Returns the sequence at ``key``."""
    return typed(body.get(key), tuple, key)


def table(body: Body, key: str) -> dict[str, Value]:
    """Returns the mapping at ``key``."""
    return typed(body.get(key), dict, key)


def row(value: Value, width: int, what: str) -> tuple[Value, ...]:
    """Returns a sequence of exactly ``width`` items."""
    items = typed(value, tuple, what)
    if len(items) != width:
        raise FormatError(f"{what} has {len(items)} items, not {width}")
    return items


def as_digest(value: Value, what: str) -> Digest:
    """Returns a digest."""
    return Digest(sized(value, SIZE, what))


def as_digests(value: Value, what: str) -> tuple[Digest, ...]:
    """Returns a sequence of digests."""
    return tuple(as_digest(item, what) for item in typed(value, tuple, what))


def digest(body: Body, key: str) -> Digest:
    """Returns the digest at ``key``."""
    return as_digest(body.get(key), key)


def texts(value: Value, what: str) -> tuple[str, ...]:
    """Returns a sequence of texts."""
    return tuple(typed(item, str, what) for item in typed(value, tuple, what))


def sized(value: Value, size: int, what: str) -> bytes:
    """Returns exactly ``size`` bytes."""
    raw = typed(value, bytes, what)
    if len(raw) != size:
        raise FormatError(f"{what} has {len(raw)} bytes, not {size}")
    return raw
