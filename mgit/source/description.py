"""What the definition of a recipe or check says, read from its syntax tree."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Final

from mgit.canonical import encode
from mgit.errors import NotFoundError, UsageError
from mgit.source.files import Source, module_path, read_source
from mgit.source.marks import OPTIONS
from mgit.source.syntax import definition, marks, module_and_name, parsed

_MGIT = Path(__file__).parents[1]
_MAX_NESTING = 8  # of a value: recipes and checks hold no deeper one
_GIVEN = {"seed", "context"}  # parameters that are no arguments


class Default(Enum):
    """Of a parameter whose default is not a value that can be recorded."""

    REQUIRED = "required"  # there is none
    OPAQUE = "opaque"  # only running the code would tell


REQUIRED: Final = Default.REQUIRED
OPAQUE: Final = Default.OPAQUE


@dataclass(frozen=True, slots=True)
class Call:
    """A call in the options of a mark, ``at_least("mrr", 0.7)``: written down, not carried out.

    Attributes:
        name: The last word of what is called.
        arguments: Those by position; each a value or another call. So below.
        keywords: Those by keyword.
    """

    name: str
    arguments: tuple[object, ...]
    keywords: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Described:
    """What is known of a function without running it.

    Attributes:
        mark: ``recipe`` or ``check``.
        options: What its mark is given by keyword: values (lists are tuples) and calls.
        parameters: What it takes by keyword, in its order, each with its default: a value,
            ``REQUIRED`` or ``OPAQUE``. Its first parameter, ``seed`` and ``context`` are left out.
        takes_seed: Whether it draws.
        takes_context: Whether it wants the context.
        takes_any: Whether it takes further keywords.
        summary: The first line of its docstring, or nothing.
    """

    mark: str
    options: Mapping[str, object]
    parameters: Mapping[str, object]
    takes_seed: bool
    takes_context: bool
    takes_any: bool
    summary: str


def describe(source: Source, function: str) -> Described:
    """Returns what the definition of ``module:function`` says.

    Raises:
        NotFoundError: The source has no such function.
        UsageError: It has no mark or several, or an option that is no literal; it cannot be called
            with one thing and keywords; or its file is not Python.
    """
    module, _ = module_and_name(function)
    path = source.path_of(module)
    if path is None:
        raise NotFoundError(f"the source has no module {module!r}")
    node = definition(parsed(source.files[path], path), function)
    mark, options = _mark(node, function)
    named = {argument.arg for argument in _all_parameters(node)}
    return Described(
        mark=mark,
        options=options,
        parameters=dict(_parameters(node, function)),
        takes_seed="seed" in named,
        takes_context="context" in named,
        takes_any=node.args.kwarg is not None,
        summary=(ast.get_docstring(node) or "").partition("\n")[0],
    )


@cache  # what this process has loaded is what it ships
def shipped(function: str) -> Described:
    """Returns what the definition of a function of mgit itself says; raises as ``describe``.

    What a module only hands on is read where it is defined.
    """
    module, name = module_and_name(function)
    path, text = _own_file(module)
    tree = parsed(text, path)
    is_defined = any(isinstance(node, ast.FunctionDef) and node.name == name for node in tree.body)
    elsewhere = None if is_defined else _elsewhere(tree, name)
    return shipped(elsewhere) if elsewhere else describe(Source({path: text}), function)


def _own_file(module: str) -> tuple[str, str]:
    """The path and text of a module of mgit."""
    for is_package in (True, False):
        path = module_path(module, is_package=is_package)
        if path.startswith("mgit/") and (_MGIT.parent / path).is_file():
            return path, read_source(_MGIT.parent / path, path)
    raise NotFoundError(f"{module!r} is no module of mgit", hint="mgit --version")


def _elsewhere(tree: ast.Module, name: str) -> str | None:
    """The function that a module imports under a name."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found = [alias.name for alias in names if (alias.asname or alias.name) == name]
                if found:
                    return f"{module}:{found[0]}"
            case _:
                continue
    return None


def _mark(node: ast.FunctionDef, function: str) -> tuple[str, dict[str, object]]:
    """The mark of a function, and the options of the mark."""
    found = marks(node)
    if len(found) != 1:
        raise UsageError(
            f"{function} is marked {'twice' if found else 'neither as a recipe nor as a check'}",
            hint="put one of them above its def: @mgit.recipe or @mgit.check",
        )
    [(mark, decorator)] = found
    if not isinstance(decorator, ast.Call):
        return mark, {}
    given = {keyword.arg: keyword.value for keyword in decorator.keywords}
    unknown = [name or "**" for name in given if name not in OPTIONS[mark]]
    if decorator.args or unknown:
        what = unknown[0] if unknown else "an option without a name"
        known = ", ".join(sorted(OPTIONS[mark]))
        raise UsageError(f"@{mark} of {function} has {what}", hint=f"its options: {known}")
    return mark, {name or "": _option(given[name], f"{name}= of {function}") for name in given}


def _option(node: ast.expr, what: str, room: int = _MAX_NESTING) -> object:
    """The value of a literal; calls in it as they are written, lists as tuples."""
    match node:
        case ast.List(items) | ast.Tuple(items) if room:
            return tuple(_option(item, what, room - 1) for item in items)
        case ast.Call(ast.Name(name) | ast.Attribute(_, name), arguments, keywords) if room and all(
            keyword.arg for keyword in keywords
        ):
            return Call(
                name,
                tuple(_option(argument, what, room - 1) for argument in arguments),
                {str(k.arg): _option(k.value, what, room - 1) for k in keywords},
            )
        case _:
            value = _literal(node, room)
    if value is OPAQUE:
        raise UsageError(
            f"{what} must be a literal, it is read without running it",
            hint="write a number, a text, True, False, None, or a list or dict of those",
        )
    return value


def _literal(node: ast.expr, room: int = _MAX_NESTING) -> object:
    """The value of a literal that can be recorded, lists as tuples; else ``OPAQUE``."""
    try:
        value = _plain(ast.literal_eval(node), room)
        encode(value)  # refuses infinities, integers out of range, keys that are no text
    except (ValueError, TypeError, RecursionError, MemoryError):
        return OPAQUE
    return value


def _plain(value: object, room: int) -> object:
    """Returns a value with tuples for lists; ValueError where JSON has nothing like it."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple() if room:
            return tuple(_plain(item, room - 1) for item in value)
        case dict() if room:
            return {key: _plain(item, room - 1) for key, item in value.items()}
        case _:
            raise ValueError(f"{type(value).__name__} is no plain value")


def _all_parameters(node: ast.FunctionDef) -> list[ast.arg]:
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def _parameters(node: ast.FunctionDef, function: str) -> Iterator[tuple[str, object]]:
    """Yields the parameters that are arguments, each with its default."""
    given = node.args
    by_position = [*given.posonlyargs, *given.args]
    if not by_position or by_position[0].arg in _GIVEN:
        raise UsageError(
            f"{function} does not begin with what it is called with",
            hint=f"def {node.name}(parents, *, …) for a recipe, (model, *, …) for a check",
        )
    if given.vararg or len(given.posonlyargs) > 1:
        raise UsageError(
            f"{function} takes more than one thing by position",
            hint="all but the first parameter are given by keyword: put a * before them",
        )
    missing: list[ast.expr | None] = [None] * (len(by_position) - len(given.defaults))
    defaults = [*missing, *given.defaults, *given.kw_defaults]
    for argument, default in list(zip(_all_parameters(node), defaults, strict=True))[1:]:
        if argument.arg not in _GIVEN:
            yield argument.arg, REQUIRED if default is None else _literal(default)
