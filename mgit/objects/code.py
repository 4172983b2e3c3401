"""What makes a model, and what tests one: a function with all that its result depends on.

A recipe and a check describe; they hold no program. The source of a function travels in
statements, its data lies outside of the repository: here are only their digests. What a gate means
is not known.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Self, TypeVar

from mgit import canonical
from mgit.canonical import Value
from mgit.digest import Digest
from mgit.errors import FormatError, UsageError
from mgit.objects import fields
from mgit.objects.fields import Body, Ref
from mgit.objects.grammar import check_label, check_tag, printable

MAX_NESTING = 8  # of one argument: with what an object puts around it, less than MAX_DEPTH
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_Choice = TypeVar("_Choice", bound=Enum)


class Level(Enum):
    """How far a second run agrees with the first one."""

    BITWISE = "bitwise"
    TOLERANT = "tolerant"  # but for rounding
    STOCHASTIC = "stochastic"


class Severity(Enum):
    """What it means that a check fails."""

    BLOCK = "block"  # the node is not published
    WARN = "warn"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Code:
    """What runs, and what it is given.

    Attributes:
        function: ``module:function``.
        source: Digest of the normalised source; None for a function that mgit ships.
        revision: Of a shipped function, from 1 up; 0 for all others.
        arguments: Values by keyword: None, bool, int, float, str, and tuples and dicts of them.
        seed: From 0 up; None where the function takes none.
        data: What the data is called in the function -> digest of the data.
        level: How far a second run agrees.
    """

    function: str
    source: Digest | None
    revision: int
    arguments: Mapping[str, Value]
    seed: int | None
    data: Mapping[str, Digest]
    level: Level

    def __post_init__(self) -> None:
        if not _FUNCTION.fullmatch(self.function):
            raise FormatError(f"{printable(self.function)!r} is no module:function")
        if (self.source is None) != (self.revision > 0) or self.revision < 0:
            raise FormatError(
                f"{self.function} has {'a' if self.source else 'no'} source and"
                f" revision {self.revision}"
            )
        if self.seed is not None and self.seed < 0:
            raise FormatError(f"the seed is negative: {self.seed}")
        _check_arguments(self.arguments, self.function)
        for name in self.data:
            _check(check_label, name, "data")
        _check_canonical(self.value(), self.function)

    def value(self) -> dict[str, Value]:
        """Returns the fields as values."""
        return {
            "function": self.function,
            "source": self.source,
            "revision": self.revision,
            "arguments": dict(self.arguments),
            "seed": self.seed,
            "data": dict(self.data),
            "level": self.level.value,
        }

    @classmethod
    def parse(cls, value: Value) -> Self:
        """Returns the code with these fields, or raises FormatError."""
        body = fields.typed(value, dict, "code")
        source, seed = body.get("source"), body.get("seed")
        data = fields.table(body, "data")
        return cls(
            fields.text(body, "function"),
            None if source is None else fields.as_digest(source, "source"),
            fields.integer(body.get("revision"), "revision"),
            fields.table(body, "arguments"),
            None if seed is None else fields.integer(seed, "seed"),
            {name: fields.as_digest(digest, "data") for name, digest in data.items()},
            _choice(Level, body, "level"),
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a node is made out of its parents; they stand in the node, under their roles.

    Attributes:
        code: What runs.
        output: Which of the models that the function makes at once, by the grammar of tags; empty
            where it makes one.
    """

    kind: ClassVar[str] = "recipe"
    limit_bytes: ClassVar[int] = 1 << 20
    code: Code
    output: str = ""

    def __post_init__(self) -> None:
        if self.output:
            _check(check_tag, self.output, "output")

    def body(self) -> Body:
        """Returns the fields as values."""
        return {"code": self.code.value(), "output": self.output}

    def keeps(self) -> set[Ref]:
        """Returns what must stay while this object stays: nothing, the data lies elsewhere."""
        return set()

    @classmethod
    def parse(cls, body: Body) -> Self:
        """Returns the object with these fields, or raises FormatError."""
        return cls(Code.parse(body.get("code")), fields.text(body, "output"))


@dataclass(frozen=True, slots=True)
class Gate:
    """A demand on scores, by name: it is evaluated anew whenever somebody looks.

    Attributes:
        name: Which demand: ``no_worse_than``.
        arguments: What it is given, by keyword.
    """

    name: str
    arguments: Mapping[str, Value]

    def __post_init__(self) -> None:
        if not _IDENTIFIER.fullmatch(self.name):
            raise FormatError(f"{printable(self.name)!r} cannot be the name of a gate")
        _check_arguments(self.arguments, self.name)
        _check_canonical(dict(self.arguments), self.name)


@dataclass(frozen=True, slots=True)
class Check:
    """What is run on a node to get scores, and what is demanded of them.

    Attributes:
        code: What runs.
        gates: The demands, in the order in which they are shown.
        severity: What it means that one is not met.
    """

    kind: ClassVar[str] = "check"
    limit_bytes: ClassVar[int] = 1 << 20
    code: Code
    gates: tuple[Gate, ...]
    severity: Severity

    def body(self) -> Body:
        """Returns the fields as values."""
        return {
            "code": self.code.value(),
            "gates": tuple((gate.name, dict(gate.arguments)) for gate in self.gates),
            "severity": self.severity.value,
        }

    def keeps(self) -> set[Ref]:
        """Returns what must stay while this object stays: nothing, the data lies elsewhere."""
        return set()

    @classmethod
    def parse(cls, body: Body) -> Self:
        """Returns the object with these fields, or raises FormatError."""
        return cls(
            Code.parse(body.get("code")),
            tuple(_parse_gate(value) for value in fields.rows(body, "gates")),
            _choice(Severity, body, "severity"),
        )


def _parse_gate(value: Value) -> Gate:
    name, arguments = fields.row(value, 2, "gate")
    return Gate(fields.typed(name, str, "gate"), fields.typed(arguments, dict, "arguments"))


def _choice(kind: type[_Choice], body: Body, key: str) -> _Choice:
    try:
        return kind(fields.text(body, key))
    except ValueError as error:
        raise FormatError(f"unknown {key} {body[key]!r}") from error


def _check(grammar: Callable[[str], str], name: str, what: str) -> None:
    try:
        grammar(name)
    except UsageError as error:
        raise FormatError(f"{what}: {error}") from error


def _check_arguments(arguments: Mapping[str, Value], of: str) -> None:
    for name, value in arguments.items():
        if not _IDENTIFIER.fullmatch(name):
            raise FormatError(f"{printable(name)!r} cannot be the name of an argument of {of}")
        if not _is_plain(value, MAX_NESTING):
            raise FormatError(f"argument {name} of {of} is no plain value, or nested too deep")


def _check_canonical(value: Value, what: str) -> None:
    try:
        canonical.encode(value)
    except ValueError as error:
        raise FormatError(f"{what} is given what has no canonical form: {error}") from error


def _is_plain(value: object, room: int) -> bool:
    """Returns whether JSON has such values, and nothing lies inside more than ``room`` others."""
    match value:
        case _ if room < 0:
            return False
        case None | bool() | int() | float() | str():
            return True
        case tuple():
            return all(_is_plain(item, room - 1) for item in value)
        case dict():
            return all(_is_plain(item, room - 1) for item in value.values())
        case _:
            return False
