"""What a check found out about a model: scores, and item by item where it says so.

It travels as JSON, and is checked where it arrives. Whoever writes a check imports this, so neither
numpy nor torch is loaded until it is needed. Refuses to know what a good score is.
"""

import base64
import math
import operator
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from mgit.errors import FormatError, UsageError
from mgit.objects.fields import integer, text, typed
from mgit.objects.grammar import printable

MAX_ITEMS = 1_000_000
MAX_SCORES = 100
MAX_BYTES = 3_000_000  # of all items: as base64 they have to fit into one statement
_METRIC = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Array(Protocol):
    """An array or a tensor of one dimension, on whatever device."""

    def __len__(self) -> int:
        """Returns how many items it has."""

    def tolist(self) -> Any:
        """Returns them as a list."""


Flags: TypeAlias = Sequence[bool] | Array
Numbers: TypeAlias = Sequence[float] | Array


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What a check returns that looks at each item of its data, in an order that never changes.

    Two models can then be compared item by item, which tells a loss from chance with far fewer
    items than comparing two averages.

    Attributes:
        correct: Whether the model is right; None where no answer is right or wrong.
        values: Name -> a number for each item; their mean is the score of that name. The more, the
            better: of a loss, return the negative.
        metric: What the share of correct items is called.
    """

    correct: Flags | None
    values: Mapping[str, Numbers] = field(default_factory=dict)
    metric: str = "accuracy"


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of one model after a check.

    Attributes:
        scores: Name -> finite number.
        count: How many items were looked at; 0 where the check returned only scores.
        correct: A byte for each item, 1 where the model is right and 0 where it is wrong.
        metric: Which score is the share of correct items; empty without them.
        values: Score -> a little-endian float32 for each item; the score is their mean.
    """

    scores: Mapping[str, float]
    count: int = 0
    correct: bytes | None = None
    metric: str = ""
    values: Mapping[str, bytes] = field(default_factory=dict)

    def numbers(self, metric: str) -> tuple[float, ...]:
        """Returns the number of each item behind a score of ``values``."""
        return _floats(self.values[metric])


@dataclass(frozen=True, slots=True)
class Flips:
    """How many items changed sides between two models (https://arxiv.org/abs/2011.09161).

    Attributes:
        lost: Were right and are wrong now: negative flips.
        won: Were wrong and are right now.
        count: Of how many items.
    """

    lost: int
    won: int
    count: int


def flips(before: Measured, now: Measured) -> Flips | None:
    """Returns what changed sides, or None where the two were not measured on the same items."""
    old, new = before.correct, now.correct
    if old is None or new is None or before.count != now.count or before.metric != now.metric:
        return None
    lost, won = sum(map(operator.gt, old, new)), sum(map(operator.lt, old, new))
    return Flips(lost, won, now.count)


def check_metric(name: object) -> str:
    """Returns ``name`` if a score may be called that.

    Raises:
        UsageError: It may not.
    """
    if not isinstance(name, str) or not _METRIC.fullmatch(name):
        raise UsageError(
            f"{printable(str(name))[:80]!r} is not the name of a score",
            hint="names are lower case letters, digits, . _ and -, e.g. exact_match",
        )
    return name


# --- as JSON ---


def to_json(measured: Measured) -> dict[str, object]:
    """Returns ``measured`` as JSON; `from_json` gives the same value back.

    Bits of correct items (the first one is the highest bit of the first byte) and little-endian
    float32 of values are base64.
    """
    correct = measured.correct
    return {
        "count": measured.count,
        "scores": dict(measured.scores),
        "metric": measured.metric,
        "correct": None if correct is None else _base64(_packed(correct)),
        "values": {name: _base64(column) for name, column in measured.values.items()},
    }


def from_json(document: object) -> Measured:
    """Returns what `to_json` wrote, as it may have come from a stranger.

    Accepts one form only: ``to_json(from_json(x)) == x``. A score that does not follow from the
    items given with it is refused.

    Raises:
        FormatError: Not of that form.
    """
    body: dict[str, Any] = typed(document, dict, "a measurement")
    count, metric = integer(body.get("count"), "count"), text(body, "metric")
    scores, packed = typed(body.get("scores"), dict, "scores"), body.get("correct")
    columns = typed(body.get("values"), dict, "values")
    if not scores or len(scores) > MAX_SCORES or count > MAX_ITEMS or metric in columns:
        raise FormatError(f"{len(scores):,} scores of {count:,} items, {len(columns):,} columns")
    for name, score in scores.items():
        _check_score(name, score)
    has_items = packed is not None or bool(columns)
    if has_items != (count > 0):
        raise FormatError(f"{count:,} items, of which {'some' if has_items else 'none'} are given")
    correct = None if packed is None else _unpacked(_octets(packed, (count + 7) // 8), count)
    values = {name: _finite(_octets(column, 4 * count)) for name, column in columns.items()}
    measured = sampled(correct, metric, values) if has_items else Measured(scores)
    if to_json(measured) != document:
        raise FormatError("a measurement that does not follow from its items")
    return measured


def sampled(correct: bytes | None, metric: str, values: Mapping[str, bytes]) -> Measured:
    """Returns the measurement with the scores that follow from its items.

    Args:
        correct: As in `Measured`; None only if there are values.
        metric: What the share of correct items is called.
        values: As in `Measured`, columns of one length, at least one item each.
    """
    scores = {name: _mean(_floats(column)) for name, column in values.items()}
    if correct is None:
        return Measured(scores, len(next(iter(values.values()))) // 4, values=values)
    return Measured({metric: _mean(correct), **scores}, len(correct), correct, metric, values)


def _mean(numbers: Sequence[float]) -> float:
    return math.fsum(numbers) / len(numbers)  # rounded once: the same on every machine


def _floats(column: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(column) // 4}f", column)


def _packed(flags: bytes) -> bytes:
    import numpy as np

    return np.packbits(np.frombuffer(flags, np.uint8)).tobytes()


def _unpacked(packed: bytes, count: int) -> bytes:
    import numpy as np

    return np.unpackbits(np.frombuffer(packed, np.uint8), count=count).tobytes()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _octets(encoded: object, size: int) -> bytes:
    try:
        raw = base64.b64decode(typed(encoded, str, "what is given of items"), validate=True)
    except ValueError as error:
        raise FormatError(f"not base64: {error}") from error
    if len(raw) != size:
        raise FormatError(f"{len(raw):,} bytes for items that take {size:,}")
    return raw


def _finite(column: bytes) -> bytes:
    if not all(map(math.isfinite, _floats(column))):
        raise FormatError("a value of an item that is not finite")
    return column


def _check_score(name: object, score: object) -> None:
    try:
        check_metric(name)
    except UsageError as error:
        raise FormatError(str(error)) from error
    if not math.isfinite(typed(score, float, "a score")):
        raise FormatError(f"the score {name} is {score}")
