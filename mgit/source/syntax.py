"""Python text to syntax tree, whoever wrote the text; nothing of it is run."""

import ast
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from tokenize import TokenError

from mgit.errors import NotFoundError, UsageError
from mgit.objects.grammar import printable
from mgit.source.marks import OPTIONS

_FUNCTION = re.compile(r"([a-z_]\w*(?:\.[a-z_]\w*)*):([a-z_]\w*)", re.ASCII | re.IGNORECASE)


def module_and_name(function: str) -> tuple[str, str]:
    """Returns the two halves of ``module:function``; UsageError where it has another form."""
    match = _FUNCTION.fullmatch(function)
    if match is None:
        raise UsageError(
            f"{printable(function)!r} is no function of a module",
            hint="write module:function, as in train:finetune",
        )
    return match[1], match[2]


def as_python_reads(text: str) -> str:
    r"""Returns source without byte order mark, and with ``\n`` at the end of lines."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def parsed(text: str, path: str) -> ast.Module:
    """Returns the syntax tree of a file.

    Raises:
        UsageError: It is no Python, as this version of Python has it.
    """
    with syntax_errors(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are about code that is not run here
        return ast.parse(as_python_reads(text))


@contextmanager
def syntax_errors(path: str) -> Iterator[None]:
    """Turns what a parser may raise, whatever it is given, into a UsageError."""
    try:
        yield
    except (SyntaxError, TokenError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise UsageError(
            f"{path}{line} cannot be read as Python: {printable(reason) or 'too deeply nested'}",
            hint="mend it, or use the version of Python that it was written for",
        ) from error


def definition(tree: ast.Module, function: str) -> ast.FunctionDef:
    """Returns the definition of ``module:function`` at the top level of its module's tree.

    Raises:
        NotFoundError: There is none; what a module only imports is not defined there.
    """
    module, name = module_and_name(function)
    found = [d for d in tree.body if isinstance(d, ast.FunctionDef) and d.name == name]
    if not found:
        marked = [d.name for d in tree.body if isinstance(d, ast.FunctionDef) and marks(d)]
        shown = f"its recipes and checks: {', '.join(marked)}" if marked else ""
        raise NotFoundError(
            f"{module} has no function {name!r}", hint=shown or "def it at its top level"
        )
    return found[-1]  # the one that is left when the module has been run


def marks(function: ast.FunctionDef) -> list[tuple[str, ast.expr]]:
    """Returns the marks that a function has, each with its decorator."""
    marked = [(_mark(decorator), decorator) for decorator in function.decorator_list]
    return [(mark, decorator) for mark, decorator in marked if mark in OPTIONS]


def _mark(decorator: ast.expr) -> str:
    match decorator.func if isinstance(decorator, ast.Call) else decorator:
        case ast.Name(name) | ast.Attribute(ast.Name("mgit"), name):
            return name
        case _:
            return ""
