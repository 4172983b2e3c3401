"""Configuration files that both sides edited: joined by their top-level keys. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Joined:
    """What both sides say together, as a file."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Clashing:
    """Keys that both sides changed, each in its own way; none: a version is no JSON object."""

    keys: tuple[str, ...]


def is_config(path: str) -> bool:
    """Returns whether a file is a configuration: ``config.json``, ``generation_config.json``.

    A tokenizer is not: its keys depend on each other.
    """
    return path.endswith("config.json")


def join(base: bytes, ours: bytes, theirs: bytes) -> Joined | Clashing:
    """Returns the three-way merge of three JSON objects by top-level key.

    If that says the same as one side, it is that side's bytes. Else keys stand in the order of the
    base, then new ones sorted: so it is the same whichever side is ours.
    """
    versions = tuple(map(_parse, (base, ours, theirs)))
    before, left, right = versions
    if before is None or left is None or right is None:
        return Clashing(())
    joined: dict[str, str] = {}
    clashing = []
    for key in (*before, *sorted((left.keys() | right.keys()) - before.keys())):
        old, mine, other = before.get(key), left.get(key), right.get(key)
        if mine != other and old not in {mine, other}:
            clashing.append(key)
        value = other if mine == old else mine
        if value is not None:
            joined[key] = value
    if clashing:
        return Clashing(tuple(clashing))
    same = next((raw for raw, keys in ((ours, left), (theirs, right)) if keys == joined), None)
    return Joined(same or _written(joined))


def _parse(raw: bytes) -> Mapping[str, str] | None:
    """Key -> its value as JSON text, which tells 1 from 1.0 and from true; None: no JSON object."""
    try:
        parsed = json.loads(raw, object_pairs_hook=_unique)
        texts = {key: json.dumps(value) for key, value in parsed.items()}
    except (ValueError, RecursionError, AttributeError):
        return None
    return texts


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _written(joined: Mapping[str, str]) -> bytes:
    values = {key: json.loads(text) for key, text in joined.items()}
    return (json.dumps(values, indent=2) + "\n").encode()
