"""What a command has to say, as a value: a document for programs and text for people."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeAlias

from mgit.digest import Digest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, slots=True)
class Styled:
    """Text that a terminal with colours shows in a style: a key of ``output.STYLES``.

    The style ``number`` also puts it to the right of a column.
    """

    text: str
    style: str


Cell: TypeAlias = str | Digest | Styled | int


@dataclass(frozen=True, slots=True)
class Line:
    """Cells one after the other, nothing between them."""

    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows whose cells are aligned; numbers to the right. Empty columns are left out."""

    rows: Sequence[Sequence[Cell]]
    headings: Sequence[str] = ()
    indent: str = ""


Block: TypeAlias = Line | Table


@dataclass(frozen=True, slots=True)
class Page:
    """The outcome of a command.

    Attributes:
        document: For ``--json``: a dataclass or a mapping.
        answer: For people: what was asked for, or what was found.
        done: For people: what the command did; left out with ``-q``.
        advice: For people, on stderr: what they may want to do next; left out with ``-q``.
        exit_code: 0, or 1 where the answer is "no", or that of a finding.
    """

    document: object
    answer: tuple[Block, ...] = ()
    done: tuple[Block, ...] = ()
    advice: tuple[str, ...] = ()
    exit_code: int = 0


def record(value: "DataclassInstance", **more: object) -> dict[str, object]:
    """Returns the fields of a dataclass as a document; ``more`` are added, or replace them."""
    return {field.name: getattr(value, field.name) for field in fields(value)} | more


def line(*cells: Cell) -> Line:
    """Returns a line of cells."""
    return Line(cells)


def is_blank(cell: Cell) -> bool:
    """Returns whether nothing is shown for a cell."""
    return not (cell.text if isinstance(cell, Styled) else cell != "")


def titled(title: str) -> Styled:
    """Returns what a model is called, as it is shown everywhere."""
    return Styled(title, "name")


def listed(heading: str, rows: Sequence[Sequence[Cell]]) -> Iterator[Block]:
    """Yields a heading with rows below it, or nothing where there are none."""
    if rows:
        yield line(Styled(f"{heading}:", "heading"))
        yield Table(rows, indent="  ")


def number(text: str) -> Styled:
    """Returns a number with its unit, for a column of such."""
    return Styled(text, "number")


def size(count: int) -> str:
    """Returns a number of bytes for people; 1 MB is a million bytes."""
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 999.95:
            break
        amount, unit = amount / 1000, larger
    return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"


def ratio(raw_bytes: int, stored_bytes: int) -> str:
    """Returns how many times smaller something is stored, or nothing where nothing is."""
    return f"{raw_bytes / stored_bytes:.2f}x" if stored_bytes else ""


def counted(count: int, noun: str, plural: str = "") -> str:
    """Returns ``1 node`` or ``2 nodes``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
