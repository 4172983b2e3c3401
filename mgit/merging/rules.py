"""What a person says about tensors that both sides changed: ``--method``, ``--strategy``."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mgit.combine import METHODS, Choice, Method
from mgit.errors import UsageError

_FORM = "GLOB=METHOD, such as 'head.*=ours' or '*=task_arithmetic:weight=0.5'"


@dataclass(frozen=True, slots=True)
class Strategy:
    """A method for the tensors and files whose names match.

    Attributes:
        glob: Shell pattern; ``*`` also matches dots and slashes.
        method: What is done with them.
    """

    glob: str
    method: Method

    def __str__(self) -> str:
        return f"{self.glob}={self.method}"


@dataclass(frozen=True, slots=True)
class Rules:
    """How to settle what both sides changed.

    Attributes:
        strategies: The first one that matches wins.
        default: For what none of them matches; None: that is a conflict.
    """

    strategies: tuple[Strategy, ...] = ()
    default: Method | None = None

    def strategy(self, name: str) -> Strategy | None:
        """Returns the strategy for a tensor or file."""
        return next((s for s in self.strategies if fnmatchcase(name, s.glob)), None)

    def method(self, name: str) -> Method | None:
        """Returns what is to be done with a tensor or file that both sides changed."""
        found = self.strategy(name)
        return found.method if found else self.default


def parse_rules(method: str, strategies: Sequence[str]) -> Rules:
    """Returns the rules that a person wrote.

    Args:
        method: ``METHOD[:PARAMETER=NUMBER[,…]]``; empty: none.
        strategies: ``GLOB=METHOD…`` texts.

    Raises:
        UsageError: One is malformed, or names what does not exist.
    """
    default = parse_method(method) if method else None
    return Rules(tuple(_parse_strategy(text) for text in strategies), default)


def parse_method(text: str) -> Method:
    """Returns the method that a person wrote; parameters not given have their defaults.

    Raises:
        UsageError: There is no such method or parameter.
    """
    name, _, given = text.partition(":")
    if name not in METHODS:
        raise UsageError(f"there is no method {name!r}", hint=f"choose from: {', '.join(METHODS)}")
    rule = METHODS[name]
    values = {} if isinstance(rule, Choice) else dict(rule.parameters)
    for part in given.split(",") if given else ():
        parameter, _, number = part.partition("=")
        if parameter not in values:
            known = ", ".join(values) or "none"
            raise UsageError(
                f"{name} has no parameter {parameter!r}", hint=f"its parameters: {known}"
            )
        values[parameter] = _number(number, part)
    return Method(name, tuple(sorted(values.items())))


def _number(text: str, part: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(
            f"{part!r} is not PARAMETER=NUMBER", hint="as in: task_arithmetic:weight=0.5"
        )
    return number


def _parse_strategy(text: str) -> Strategy:
    glob, _, method = text.partition("=")
    if not (glob and method):
        raise UsageError(f"{text!r} is not a strategy", hint=f"write it as {_FORM}")
    return Strategy(glob, parse_method(method))
