"""How a function says that it is a recipe or a check.

The options of a mark are read from the source, without running it (``describe``), so they are
literals; at run time nothing comes of them.
"""

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, TypeVar, overload

MARK = "__mgit__"

Function = TypeVar("Function", bound=Callable[..., object])
LevelName: TypeAlias = Literal["bitwise", "tolerant", "stochastic"]
SeverityName: TypeAlias = Literal["block", "warn", "info"]


@overload
def recipe(function: Function, /) -> Function: ...
@overload
def recipe(
    *, level: LevelName = "bitwise", operation: str = "", revision: int = 0
) -> Callable[[Function], Function]: ...
def recipe(
    function: Function | None = None,
    /,
    *,
    level: LevelName = "bitwise",
    operation: str = "",
    revision: int = 0,
) -> Function | Callable[[Function], Function]:
    """Marks a function that makes a model out of others; with or without brackets.

    ``def finetune(parents, *, lr=1e-4, steps=100, seed, context)``

    Args:
        function: The function itself, where there are no brackets.
        level: How far a second run agrees with the first one.
        operation: What the step is called in a lineage; empty: the function's name.
        revision: Of a recipe that mgit ships; others are known by their source.
    """
    del level, operation, revision
    return _marked("recipe") if function is None else _marked("recipe")(function)


@overload
def check(function: Function, /) -> Function: ...
@overload
def check(
    *,
    on: str = "",
    severity: SeverityName = "block",
    level: LevelName = "bitwise",
    gates: Sequence[object] = (),
    revision: int = 0,
) -> Callable[[Function], Function]: ...
def check(
    function: Function | None = None,
    /,
    *,
    on: str = "",
    severity: SeverityName = "block",
    level: LevelName = "bitwise",
    gates: Sequence[object] = (),
    revision: int = 0,
) -> Function | Callable[[Function], Function]:
    """Marks a function that tests a model; with or without brackets.

    ``def accuracy(model, *, batch=32, seed, context)``

    Args:
        function: The function itself, where there are no brackets.
        on: Selector of the models that it is for.
        severity: What it means that it fails.
        level: How far a second run agrees with the first one.
        gates: What is demanded of the scores: ``[mgit.at_least("accuracy", 0.9)]``.
        revision: Of a check that mgit ships; others are known by their source.
    """
    del on, severity, level, gates, revision
    return _marked("check") if function is None else _marked("check")(function)


OPTIONS = {mark.__name__: frozenset(mark.__kwdefaults__ or ()) for mark in (recipe, check)}


def _marked(mark: str) -> Callable[[Function], Function]:
    def marked(function: Function) -> Function:
        setattr(function, MARK, mark)
        return function

    return marked
