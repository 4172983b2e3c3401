"""What a user's function returned, checked once: then it is trusted as a `Measured`.

Arrays and tensors are known by what they can do, so that neither numpy nor torch is imported.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from mgit.checks.scores import (
    MAX_BYTES,
    MAX_ITEMS,
    MAX_SCORES,
    Measured,
    Samples,
    check_metric,
    sampled,
)
from mgit.errors import UsageError

_RETURNS = "a check returns {name: number} or mgit.Samples"


def measured_from(returned: object) -> Measured:
    """Returns what a check's function returned, checked.

    Numbers may be Python's, or scalars of numpy and torch; flags and values of items may be lists,
    arrays or tensors. The scores of values are computed from them as float32, so that they are the
    same again after `to_json`.

    Raises:
        UsageError: It is something else, is empty or too large, has other lengths, or holds what
            is no finite number.
    """
    match returned:
        case Samples():
            return _from_samples(returned)
        case Mapping() if returned:
            _check_names(list(returned))
            return Measured({name: _number(score, name) for name, score in returned.items()})
        case Mapping():
            raise UsageError("the check returned no score", hint=_RETURNS)
        case _:
            raise UsageError(f"the check returned {_kind(returned)}", hint=_RETURNS)


def _from_samples(samples: Samples) -> Measured:
    if not isinstance(samples.values, Mapping):
        raise UsageError(
            f"values is {_kind(samples.values)}", hint="Samples(…, values={name: […]})"
        )
    has_flags = samples.correct is not None
    _check_names([*([samples.metric] if has_flags else []), *samples.values])
    correct = _flags(_items(samples.correct, "correct")) if has_flags else None
    values = {name: _column(_items(v, name), name) for name, v in samples.values.items()}
    counts = {name: len(column) // 4 for name, column in values.items()}
    if correct is not None:
        counts = {"correct": len(correct), **counts}
    if len(set(counts.values())) != 1:
        told = ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none at all"
        raise UsageError(f"columns of one length are needed, not {told}", hint=_RETURNS)
    size = len(correct or b"") // 8 + sum(map(len, values.values()))
    if size > MAX_BYTES:
        raise UsageError(
            f"{size:,} bytes of items where at most {MAX_BYTES:,} are kept",
            hint="return fewer columns of values, or only scores: {name: number}",
        )
    return sampled(correct, samples.metric, values)


def _check_names(names: list[object]) -> None:
    if len(names) > MAX_SCORES:
        raise UsageError(f"{len(names):,} scores where at most {MAX_SCORES} are kept")
    for name in names:
        check_metric(name)
    if len(set(names)) < len(names):
        raise UsageError(
            f"the score {names[0]!r} twice: the share of correct items, and a mean of values",
            hint='call one of them otherwise: Samples(…, metric="exact_match")',
        )


def _items(column: Any, name: str) -> list[object]:
    """Returns an array, tensor or sequence of one dimension as a list."""
    dimensions = getattr(column, "ndim", 1)
    if dimensions != 1 or not (isinstance(column, Sequence) or hasattr(column, "tolist")):
        shape = f" of {dimensions} dimensions" if dimensions != 1 else ""
        raise UsageError(f"{name} is {_kind(column)}{shape}", hint="give one entry for each item")
    if not len(column):
        raise UsageError(f"{name} is empty", hint="is there any data?")
    if len(column) > MAX_ITEMS:
        raise UsageError(
            f"{name} has {len(column):,} items where at most {MAX_ITEMS:,} are kept",
            hint="return only scores: {name: number}",
        )
    return list(column.tolist() if hasattr(column, "tolist") else column)


def _flags(items: list[object]) -> bytes:
    flags = [_scalar(item) for item in items]
    wrong = [flag for flag in flags if not isinstance(flag, bool)]
    if wrong:
        raise UsageError(
            f"correct holds {_kind(wrong[0])}, not only bools",
            hint="compare what is predicted with what is expected: predicted == expected",
        )
    return bytes(flag is True for flag in flags)


def _column(items: list[object], name: str) -> bytes:
    numbers = [_number(item, name) for item in items]
    try:
        return struct.pack(f"<{len(numbers)}f", *numbers)
    except OverflowError as error:
        raise UsageError(f"{name} holds a number that is too large for float32") from error


def _number(value: object, name: str) -> float:
    plain = _scalar(value)
    if not isinstance(plain, int | float) or isinstance(plain, bool):
        raise UsageError(f"{name} is {_kind(plain)}, not a number", hint=_RETURNS)
    try:
        number = float(plain)
    except OverflowError as error:
        raise UsageError(f"{name} is too large for a float") from error
    if not math.isfinite(number):
        raise UsageError(f"{name} is {number}", hint="did the model diverge?")
    return number


def _scalar(value: Any) -> object:
    """Returns the Python value of a scalar of numpy or torch; all else as it is."""
    if not hasattr(value, "item"):
        return value
    try:
        return value.item()
    except (TypeError, ValueError, RuntimeError):  # more than one element
        return value


def _kind(value: object) -> str:
    return f"a value of type {type(value).__name__}"
