"""From text to an expression, or to an error that says where and what to write instead.

Refuses to know what a word stands for. Which functions and prefixes there are, it reads in the
tables of ``evaluate``.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from mgit.errors import UsageError
from mgit.objects.grammar import printable
from mgit.selectors.evaluate import FUNCTIONS, PREFIXES
from mgit.selectors.expression import And, Call, Expression, Not, Or, Prefixed, Word, is_glob

MAX_CHARACTERS = 10_000
# Of brackets, calls and complements: at most seven frames each, of the thousand that Python allows.
MAX_DEPTH = 50
SHOWN_CHARACTERS = 40  # of the text, on each side of an error
_WORD = r"[\w@*?][\w@*?./:+-]*"
_TOKEN = re.compile(rf"\s*(?P<token>[&|~(),]|{_WORD}|\S|\Z)")
_COUNT = re.compile(r"[1-9][0-9]{0,5}")
_SPELT = {",": "|", "and": "&", "or": "|", "+": "|", "not": "& ~", "-": "& ~", "!": "& ~"}


class _Token(NamedTuple):
    text: str
    column: int

    @property
    def is_foreign(self) -> bool:
        return not re.fullmatch(rf"[&|~(),]?|{_WORD}", self.text)

    @property
    def quoted(self) -> str:
        return repr(printable(self.text[:SHOWN_CHARACTERS]))


def parse(text: str) -> Expression:
    """Returns the expression written as ``text``; ``parse(str(e)) == e`` for all that it returns.

    Raises:
        UsageError: Not an expression; nested deeper than 50; more than 10,000 characters, where
            space does not count because ``str`` may add some.
    """
    length = len("".join(text.split()))
    if length > MAX_CHARACTERS:
        raise UsageError(
            f"a selector of {length:,} characters, more than {MAX_CHARACTERS:,}",
            hint="write a glob such as team/* for a list of names, or tag the nodes: tag:mine",
        )
    if not length:
        raise UsageError(
            "an empty selector", hint="write all() for every node, or a name such as bert-base"
        )
    return _Parser(text).whole()


class _Parser:
    """Recursive descent, one method a rule of the grammar; the last token is empty."""

    def __init__(self, text: str) -> None:
        self._text = text
        found = _TOKEN.finditer(text)
        self._tokens = [_Token(match["token"], match.start("token") + 1) for match in found]
        self._at = 0

    def whole(self) -> Expression:
        expression = self._union(0)
        if self._token.text:
            raise self._surplus()
        return expression

    @property
    def _token(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._token
        self._at += 1
        return token

    def _accepts(self, sign: str) -> bool:
        found = self._token.text == sign
        self._at += found
        return found

    def _union(self, depth: int) -> Expression:
        return self._chain("|", Or, self._intersection, depth)

    def _intersection(self, depth: int) -> Expression:
        return self._chain("&", And, self._operand, depth)

    def _chain(
        self,
        sign: str,
        join: Callable[[tuple[Expression, ...]], Expression],
        operand: Callable[[int], Expression],
        depth: int,
    ) -> Expression:
        operands = [operand(depth)]
        while self._accepts(sign):
            operands.append(operand(depth))
        return join(tuple(operands)) if len(operands) > 1 else operands[0]

    def _operand(self, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise _error(
                self._token,
                f"more than {MAX_DEPTH} levels of brackets and complements",
                hint="write a | b | c without brackets, and a for ~~a",
            )
        if self._accepts("~"):
            return Not(self._operand(depth + 1))
        token = self._take()
        if token.text == "(":
            inner = self._union(depth + 1)
            self._close(token)
            return inner
        if token.text in {"", ")", "&", "|", ","}:
            where = f"before {token.quoted}" if token.text else "at the end"
            raise _error(
                token,
                f"a name or a function is missing {where}",
                hint="put a name (bert-base), a glob (team/*) or a function (children(x)) there",
            )
        if token.is_foreign:
            raise _foreign(token)
        return self._call(token, depth) if self._token.text == "(" else _word(token)

    def _call(self, name: _Token, depth: int) -> Expression:
        function = FUNCTIONS.get(name.text)
        if function is None:
            known = ", ".join(row.usage for row in FUNCTIONS.values())
            raise _error(name, f"no function {name.quoted}", hint=f"known: {known}")
        call = self._arguments(name.text, depth + 1, has_count=function.has_count)
        if len(call.arguments) not in function.arguments:
            n = "; n is a number from 1 to 999999" if function.has_count else ""
            raise _error(
                name, f"wrong arguments for {name.text}", hint=f"write {function.usage}{n}"
            )
        return call

    def _arguments(self, function: str, depth: int, *, has_count: bool) -> Call:
        opened = self._take()
        if self._accepts(")"):
            return Call(function)
        arguments = [self._union(depth)]
        within = None
        while self._accepts(","):
            if has_count and self._is_last_count():
                within = int(self._take().text)
            else:
                arguments.append(self._union(depth))
        self._close(opened)
        return Call(function, tuple(arguments), within)

    def _is_last_count(self) -> bool:
        return bool(_COUNT.fullmatch(self._token.text)) and self._tokens[self._at + 1].text == ")"

    def _close(self, opened: _Token) -> None:
        if self._accepts(")"):
            return
        if self._token.text:
            raise self._surplus()
        raise _error(opened, "'(' is never closed", hint=self._rewritten(self._token, ")"))

    def _surplus(self) -> UsageError:
        token = self._token
        if token.text == ")":
            return _error(token, "')' closes nothing", hint=self._rewritten(token, ""))
        if token.is_foreign and token.text not in _SPELT:
            return _foreign(token)
        wanted = f" {_SPELT.get(token.text, f'& {token.text}')}"
        problem = f"an operator is missing before {token.quoted}"
        return _error(token, problem, hint=self._rewritten(token, wanted))

    def _rewritten(self, token: _Token, replacement: str) -> str:
        before = self._text[: token.column - 1][-SHOWN_CHARACTERS:]
        after = self._text[token.column - 1 + len(token.text) :][:SHOWN_CHARACTERS]
        return f"write {printable(' '.join(f'{before}{replacement}{after}'.split()))}"


def _word(token: _Token) -> Word | Prefixed:
    head, _, value = token.text.partition(":")
    if token.text.endswith(":"):
        raise _error(
            token, f"nothing follows {token.quoted}", hint="write tag:legal, without a space"
        )
    if head in PREFIXES and value:
        return Prefixed(head, value)
    if is_glob(token.text) and "@" in token.text:
        raise _error(
            token,
            f"{token.quoted} is a glob with an '@'; globs match whole names",
            hint="write versions(bert) for bert@*, and author:alice for *@alice",
        )
    return Word(token.text)


def _foreign(token: _Token) -> UsageError:
    return _error(
        token,
        f"{token.quoted} means nothing here",
        hint="join names with & | ~ and brackets; in a value, write ? for any other character",
    )


def _error(token: _Token, problem: str, *, hint: str) -> UsageError:
    return UsageError(f"selector, column {token.column}: {problem}", hint=hint)
