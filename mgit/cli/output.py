"""The renderer: a page becomes text or one JSON document. Nothing else writes to stdout.

Names, labels and messages come from strangers: what could drive a terminal is taken out here, for
every cell of every command.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import TextIO, assert_never

from mgit.cli.page import Block, Cell, Line, Page, Styled, Table
from mgit.cli.session import Session
from mgit.digest import Digest

STYLES = {
    "name": "1",
    "id": "33",
    "heading": "2",
    "good": "32",
    "bad": "31",
    "faint": "2",
    "number": "",
}
_IN_ASCII = str.maketrans("│┊├┤┬┴┼╭╮╰╯─●…", "|:+++++++++-*.")


@dataclass(frozen=True, slots=True)
class Look:
    """How text is shown.

    Attributes:
        is_colored: With colours and weights.
        is_verbose: Ids whole.
        is_ascii: What draws lines is replaced by ASCII.
    """

    is_colored: bool = False
    is_verbose: bool = False
    is_ascii: bool = False

    @classmethod
    def of(cls, stream: TextIO, session: Session) -> "Look":
        """Returns how a stream can show text, and how the person wants it."""
        environment = session.environment
        is_unwanted = session.is_colorless or environment.get("NO_COLOR")
        is_able = stream.isatty() and environment.get("TERM") != "dumb"
        is_ascii = not _can_show("│●", _encoding(stream))
        return cls(bool(is_able and not is_unwanted), session.is_verbose, is_ascii)


def write(page: Page, command: str, session: Session, stdout: TextIO) -> None:
    """Writes a page: the document with ``--json``, else the text.

    Args:
        page: What to write.
        command: Words of the command, joined by ``-``: part of the schema's name.
        session: How it is wanted.
        stdout: Where to.
    """
    if session.is_json:
        document = {"schema": f"mgit.{command}/v1", **_as_mapping(page.document)}
        stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        blocks = page.answer if session.is_quiet else (*page.answer, *page.done)
        lines = rendered(blocks, Look.of(stdout, session))
        stdout.writelines(_encodable(text, stdout) + "\n" for text in lines)
    stdout.flush()
    if page.advice and not session.is_quiet and not session.is_json:
        for text in page.advice:
            session.stderr.write(clean(text) + "\n")


def rendered(blocks: Iterable[Block], look: Look) -> Iterator[str]:
    """Yields the lines of some blocks."""
    for block in blocks:
        match block:
            case Line(cells):
                yield "".join(_shown(cell, look) for cell in cells).rstrip()
            case Table() as table:
                yield from (table.indent + text for text in _table(table, look))
            case _:
                assert_never(block)


def clean(text: str) -> str:
    """Returns one line without anything that could drive a terminal."""
    from mgit.objects.grammar import printable

    return " ".join(printable(text).split("\n"))


def as_json(value: object) -> object:
    """Returns a value of mgit as JSON values: ids as ``sha256:<hex>``, sets sorted."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            return {str(as_json(key)): as_json(item) for key, item in value.items()}
        case AbstractSet():
            return sorted((as_json(item) for item in value), key=str)
        case list() | tuple():
            return [as_json(item) for item in value]
        case _:
            return _other_as_json(value)


def _other_as_json(value: object) -> object:
    if isinstance(value, Enum):
        return as_json(value.value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
    return str(value)  # a digest, a path


def _as_mapping(document: object) -> Mapping[str, object]:
    converted = as_json(document)
    if not isinstance(converted, dict):
        raise TypeError(f"a document is a mapping, not a {type(document).__name__}")
    return converted


def _table(table: Table, look: Look) -> Iterator[str]:
    rows, headings = table.rows, table.headings
    if not rows:
        return
    columns = [n for n in range(len(rows[0])) if any(_text(row[n], look) for row in rows)]
    body: list[list[Cell]] = [[row[n] for n in columns] for row in rows]
    shown = list(body)
    if headings:
        shown.insert(0, [Styled(headings[n].upper(), "heading") for n in columns])
    widths = [max(len(_text(row[n], look)) for row in shown) for n in range(len(columns))]
    is_number = [_is_number(cell) for cell in body[0]]
    for row in shown:
        cells = [
            _padded(cell, width, look, is_right=right)
            for cell, width, right in zip(row, widths, is_number, strict=True)
        ]
        yield "  ".join(cells).rstrip()


def _padded(cell: Cell, width: int, look: Look, *, is_right: bool) -> str:
    space = " " * (width - len(_text(cell, look)))
    return space + _shown(cell, look) if is_right else _shown(cell, look) + space


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int) or (isinstance(cell, Styled) and cell.style == "number")


def _text(cell: Cell, look: Look) -> str:
    match cell:
        case Digest():
            return cell.hex() if look.is_verbose else cell.short
        case Styled(text):
            return _text(text, look)
        case int():
            return f"{cell:,}"
        case str():
            plain = clean(cell)
            return plain.translate(_IN_ASCII) if look.is_ascii else plain
        case _:
            assert_never(cell)


def _shown(cell: Cell, look: Look) -> str:
    text = _text(cell, look)
    if not look.is_colored or not text:
        return text
    match cell:
        case Styled(_, style) if STYLES[style]:
            return f"\x1b[{STYLES[style]}m{text}\x1b[0m"
        case Digest():
            return f"\x1b[{STYLES['id']}m{text}\x1b[0m"
        case _:
            return text


def _can_show(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _encodable(text: str, stream: TextIO) -> str:
    """Returns text that a stream takes: a message in Greek is no reason to fail."""
    encoding = _encoding(stream)
    return text.encode(encoding, "replace").decode(encoding)


def _encoding(stream: TextIO) -> str:
    return getattr(stream, "encoding", None) or "utf-8"
