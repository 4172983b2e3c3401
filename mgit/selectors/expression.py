"""What a selector says, as values, and its canonical text: ``str(expression)``.

Knows neither which functions and prefixes there are nor how text is read.
"""

from dataclasses import dataclass
from types import UnionType
from typing import TypeAlias

Expression: TypeAlias = "Word | Prefixed | Call | And | Or | Not"


@dataclass(frozen=True, slots=True)
class Word:
    """A name, version, side, id, or glob of names, of this repository or (``remote:``) another."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Prefixed:
    """``tag:legal``: the nodes that have this value, or one that the glob matches."""

    prefix: str
    value: str

    def __str__(self) -> str:
        return f"{self.prefix}:{self.value}"


@dataclass(frozen=True, slots=True)
class Call:
    """``ancestors(x, 2)``. ``within`` is the number of generations, or None for all."""

    function: str
    arguments: tuple["Expression", ...] = ()
    within: int | None = None

    def __str__(self) -> str:
        count = () if self.within is None else (self.within,)
        return f"{self.function}({', '.join(str(given) for given in (*self.arguments, *count))})"


@dataclass(frozen=True, slots=True)
class And:
    """The intersection of two or more; flat, so that a long list is not a deep tree."""

    operands: tuple["Expression", ...]

    def __str__(self) -> str:
        return " & ".join(_bracketed(operand, And | Or) for operand in self.operands)


@dataclass(frozen=True, slots=True)
class Or:
    """The union of two or more."""

    operands: tuple["Expression", ...]

    def __str__(self) -> str:
        return " | ".join(_bracketed(operand, Or) for operand in self.operands)


@dataclass(frozen=True, slots=True)
class Not:
    """All nodes but these."""

    operand: "Expression"

    def __str__(self) -> str:
        return f"~{_bracketed(self.operand, And | Or)}"


def _bracketed(operand: Expression, looser: type[And | Or] | UnionType) -> str:
    return f"({operand})" if isinstance(operand, looser) else str(operand)


def is_glob(text: str) -> bool:
    """Returns whether ``text`` is a pattern rather than one name or value."""
    return "*" in text or "?" in text
