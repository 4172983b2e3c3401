"""A history drawn beside its rows: one column for each parent that is still to come. Pure.

A lane runs down from a child to a parent. Children come before parents, so a lane ends in the row
of its parent. Lanes are solid for provenance and dotted for versions; a lane that another one
already is (same parent, same kind) is joined, so that forty children of one model need one column.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

NODE = "●"
SOLID, DOTTED = "│", "┊"
_ACROSS = "─"
# Which sides of a cell a line leaves it by: up, down, left, right.
_CORNERS = {
    "ud": "│",
    "lr": "─",
    "udr": "├",
    "udl": "┤",
    "dlr": "┬",
    "ulr": "┴",
    "udlr": "┼",
    "dr": "╭",
    "dl": "╮",
    "ur": "╰",
    "ul": "╯",
}


@dataclass(frozen=True, slots=True)
class Lane:
    """A line on its way down to a parent."""

    parent: Hashable
    is_dotted: bool = False


@dataclass(frozen=True, slots=True)
class Drawn:
    """What stands beside one row.

    Attributes:
        before: Lines above the row, in which lanes meet.
        beside: The line with the node itself.
        after: Lines below the row, in which lanes part.
    """

    before: tuple[str, ...]
    beside: str
    after: tuple[str, ...]


@dataclass(slots=True)
class _Columns:
    """The lanes, by column; None where a column is free."""

    lanes: list[Lane | None] = field(default_factory=list)

    def of(self, parent: Hashable) -> list[int]:
        return [n for n, lane in enumerate(self.lanes) if lane and lane.parent == parent]

    def place(self, lane: Lane | None) -> int:
        """Puts a lane into the first free column, or a new one, and returns the column."""
        if None in self.lanes:
            column = self.lanes.index(None)
            self.lanes[column] = lane
            return column
        self.lanes.append(lane)
        return len(self.lanes) - 1

    def trim(self) -> None:
        while self.lanes and self.lanes[-1] is None:
            self.lanes.pop()


def draw(rows: Iterable[tuple[Hashable, Sequence[Lane]]]) -> Iterator[Drawn]:
    """Yields what stands beside each row.

    Args:
        rows: (node, lanes to its parents), children before parents, each node once.
    """
    columns = _Columns()
    for node, lanes in rows:
        arriving = columns.of(node)
        before = _meeting(columns, arriving)
        column = arriving[0] if arriving else columns.place(Lane(node))
        beside = _row(columns, column)
        after = _parting(columns, column, list(dict.fromkeys(lanes)))
        columns.trim()
        yield Drawn(before, beside, after)


def _meeting(columns: _Columns, arriving: list[int]) -> tuple[str, ...]:
    """Joins all lanes that arrive at a node into its first one."""
    if len(arriving) < 2:
        return ()
    first, *others = arriving
    ends = {first: "ud"} | dict.fromkeys(others, "u")
    drawn = _link(columns, ends)
    for column in others:
        columns.lanes[column] = None
    columns.trim()
    return (drawn,)


def _parting(columns: _Columns, column: int, lanes: list[Lane]) -> tuple[str, ...]:
    """Replaces the node in ``column`` by the lanes to its parents."""
    there = {lane: n for n, lane in enumerate(columns.lanes) if lane is not None and n != column}
    fresh = [lane for lane in lanes if lane not in there]
    ends = {column: "u"} | {there[lane]: "ud" for lane in lanes if lane in there}
    columns.lanes[column] = fresh[0] if fresh else None
    if fresh:
        ends[column] = "ud"
    for lane in fresh[1:]:
        ends[columns.place(lane)] = "d"
    return (_link(columns, ends),) if len(ends) > 1 else ()


def _row(columns: _Columns, node: int) -> str:
    return " ".join(NODE if n == node else _vertical(lane) for n, lane in enumerate(columns.lanes))


def _link(columns: _Columns, ends: dict[int, str]) -> str:
    """Draws one line across, from the first of ``ends`` to the last.

    Args:
        columns: The lanes; those that are not among ``ends`` are crossed.
        ends: Column -> whether it leaves up (``u``), down (``d``) or both.
    """
    left, right = min(ends), max(ends)
    cells = []
    for n in range(max(len(columns.lanes), right + 1)):
        lane = columns.lanes[n] if n < len(columns.lanes) else None
        sides = ("l" if left < n <= right else "") + ("r" if left <= n < right else "")
        if n in ends:
            cell = _CORNERS[ends[n] + sides]
        elif lane is None and left < n < right:
            cell = _ACROSS
        else:
            cell = _vertical(lane)
        cells.append(cell + (_ACROSS if left <= n < right else " "))
    return "".join(cells).rstrip()


def _vertical(lane: Lane | None) -> str:
    if lane is None:
        return " "
    return DOTTED if lane.is_dotted else SOLID
