"""The normal form of source: what stays of a text when only its program counts.

Comments, docstrings, blank lines and trailing space are cut out of the text by position. It is
never printed from the syntax tree: each version of Python prints in its own way. What stands inside
of other strings stays byte for byte. Two texts of one normal form are one program.
"""

import ast
import io
import re
import token
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from tokenize import TokenInfo, generate_tokens
from typing import NamedTuple

from mgit.source.syntax import as_python_reads, parsed, syntax_errors

_STRING = "\0"  # stands for a string while lines are looked at; no Python source has one
_BLANK = " \t\f"
_END_OF_DOCSTRING = re.compile(r"(?:[ \t\f]|\\\n)*(?:;(?:[ \t\f]|\\\n)*)?")
# One token until Python 3.11, since then a start, an end, and tokens in between (PEP 701, 750).
_OPENING = {getattr(token, name, None) for name in ("FSTRING_START", "TSTRING_START")}
_CLOSING = {getattr(token, name, None) for name in ("FSTRING_END", "TSTRING_END")}


class _Span(NamedTuple):
    """A stretch of a text, by offsets: a string that stays as it is, or what is cut out."""

    start: int
    end: int
    is_string: bool


@lru_cache(maxsize=256)
def normal_text(text: str, path: str) -> str:
    """Returns the normal form of a file.

    Raises:
        UsageError: It is no Python, as this version of Python has it.
    """
    plain = as_python_reads(text)
    tree = parsed(plain, path)
    with syntax_errors(path):
        spans = sorted([*_docstrings(plain, tree), *_strings_and_comments(plain)], key=_start)
    rest, strings = _apart(plain, spans)
    between = _without_blank_lines(rest).split(_STRING)
    return "".join(a + b for a, b in zip(between, [*strings, ""], strict=True))


def _start(span: _Span) -> int:
    return span.start


def _docstrings(plain: str, tree: ast.Module) -> Iterator[_Span]:
    """The statements that are docstrings, each with the semicolon that may follow."""
    lines = plain.split("\n")
    starts = _starts(lines)

    def offset(line: int, column_bytes: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column_bytes].decode())

    for node in ast.walk(tree):
        match node:
            case (
                ast.Module(body=[ast.Expr(ast.Constant(str())) as first, *_])
                | ast.ClassDef(body=[ast.Expr(ast.Constant(str())) as first, *_])
                | ast.FunctionDef(body=[ast.Expr(ast.Constant(str())) as first, *_])
                | ast.AsyncFunctionDef(body=[ast.Expr(ast.Constant(str())) as first, *_])
            ):
                end = offset(first.end_lineno or 0, first.end_col_offset or 0)
                rest = _END_OF_DOCSTRING.match(plain, end)
                start = offset(first.lineno, first.col_offset)
                yield _Span(start, rest.end() if rest else end, is_string=False)
            case _:
                continue


def _strings_and_comments(plain: str) -> Iterator[_Span]:
    starts = _starts(plain.split("\n"))

    def span(first: TokenInfo, last: TokenInfo) -> _Span:
        (line, column), (end_line, end_column) = first.start, last.end
        start, end = starts[line - 1] + column, starts[end_line - 1] + end_column
        return _Span(start, end, is_string=first.type != token.COMMENT)

    opened: list[TokenInfo] = []
    for found in generate_tokens(io.StringIO(plain).readline):
        if found.type in _OPENING:
            opened.append(found)
        elif found.type in _CLOSING:
            first = opened.pop()
            if not opened:
                yield span(first, found)
        elif found.type in {token.STRING, token.COMMENT} and not opened:
            yield span(found, found)


def _starts(lines: list[str]) -> list[int]:
    return list(accumulate((len(line) + 1 for line in lines), initial=0))


def _apart(plain: str, spans: list[_Span]) -> tuple[str, list[str]]:
    """Returns the text with a sign for every string and without what is cut; and the strings."""
    rest: list[str] = []
    strings: list[str] = []
    position = 0
    for start, end, is_string in spans:
        if start < position:
            continue  # in a docstring, which begins before all that it is made of
        rest.append(plain[position:start] + (_STRING if is_string else ""))
        strings += [plain[start:end]] if is_string else []
        position = end
    return "".join([*rest, plain[position:]]), strings


def _without_blank_lines(text: str) -> str:
    kept = []
    is_continued = False
    for line in text.split("\n"):
        shown = line.rstrip(_BLANK)
        if shown or is_continued:  # after a backslash, a blank line ends the statement
            kept.append(f"{shown}\n")
        is_continued = shown.endswith("\\")
    return "".join(kept)
