"""The drawn history: small graphs as they look, and what holds for all of them."""

from collections.abc import Sequence
from textwrap import dedent

from hypothesis import given
from hypothesis import strategies as st

from mgit.cli.graph import NODE, Drawn, Lane, draw

Rows = Sequence[tuple[str, Sequence[Lane]]]
LEAVES = {
    "│": "ud", "┊": "ud", "─": "lr", "├": "udr", "┤": "udl", "┬": "dlr", "┴": "ulr", "┼": "udlr",
    "╭": "dr", "╮": "dl", "╰": "ur", "╯": "ul", NODE: "ud",
}  # fmt: skip
STEPS = {"d": (1, 0), "l": (0, -1), "r": (0, 1)}
BACK = {"d": "u", "l": "r", "r": "l"}


def picture(rows: Rows) -> str:
    lines: list[str] = []
    for (node, _), drawn in zip(rows, draw(rows), strict=True):
        lines += [*drawn.before, f"{drawn.beside} {node}", *drawn.after]
    return "\n".join(lines)


def made_from(*parents: str) -> list[Lane]:
    return [Lane(parent) for parent in parents]


def replaces(parent: str) -> list[Lane]:
    return [Lane(parent, is_dotted=True)]


def looks(text: str) -> str:
    return dedent(text).strip("\n")


def test_a_chain_is_one_column() -> None:
    assert picture([("c", made_from("b")), ("b", made_from("a")), ("a", [])]) == looks("""
        ● c
        ● b
        ● a
    """)


def test_lanes_run_beside_rows_that_they_have_nothing_to_do_with() -> None:
    rows = [("c", made_from("a")), ("b", made_from("x")), ("x", []), ("a", [])]

    assert picture(rows) == looks("""
        ● c
        │ ● b
        │ ● x
        ● a
    """)


def test_children_of_one_parent_share_its_column() -> None:
    rows = [(child, made_from("base")) for child in ("d", "c", "b")] + [("base", [])]

    assert picture(rows) == looks("""
        ● d
        │ ● c
        ├─╯
        │ ● b
        ├─╯
        ● base
    """)


def test_a_merge_has_a_column_for_each_parent() -> None:
    rows = [("m", made_from("a", "b", "c")), ("b", []), ("c", []), ("a", [])]

    assert picture(rows) == looks("""
        ● m
        ├─┬─╮
        │ ● │ b
        │   ● c
        ● a
    """)


def test_versions_are_dotted_and_meet_provenance_at_the_parent() -> None:
    rows = [("base@v2", replaces("base@v1")), ("legal", made_from("base@v1")), ("base@v1", [])]

    assert picture(rows) == looks("""
        ● base@v2
        ┊ ● legal
        ├─╯
        ● base@v1
    """)


def test_a_lane_is_crossed_where_it_is_in_the_way() -> None:
    rows = [
        ("d", made_from("a")),
        ("c", made_from("b")),
        ("e", made_from("a")),
        ("b", []),
        ("a", []),
    ]

    assert picture(rows) == looks("""
        ● d
        │ ● c
        │ │ ● e
        ├─│─╯
        │ ● b
        ● a
    """)


def test_parents_beyond_the_last_row_leave_open_lanes() -> None:
    assert picture([("b", made_from("a")), ("c", made_from("x"))]) == "● b\n│ ● c"


@st.composite
def families(draw_from: st.DrawFn) -> Rows:
    """Nodes 0, 1, … each with parents of larger number: children come first."""
    count = draw_from(st.integers(1, 9))
    rows = []
    for node in range(count):
        chosen = draw_from(st.sets(st.integers(node + 1, count), max_size=4)) - {count}
        dotted = draw_from(st.booleans())
        lanes = [Lane(str(parent), is_dotted=dotted) for parent in sorted(chosen)]
        rows.append((str(node), lanes))
    return rows


@given(families())
def test_every_row_has_one_node_and_every_edge_is_drawn(rows: Rows) -> None:
    drawn = list(draw(rows))

    assert [d.beside.count(NODE) for d in drawn] == [1] * len(rows)
    for node, lanes in rows:
        assert {lane.parent for lane in lanes} <= below(node, rows, drawn)


def below(node: str, rows: Rows, drawn: Sequence[Drawn]) -> set[str]:
    """Follows the lines down from a node; returns the first nodes that they lead to."""
    grid: list[str] = []
    places: dict[str, tuple[int, int]] = {}
    for (name, _), row in zip(rows, drawn, strict=True):
        grid += row.before
        places[name] = (len(grid), row.beside.index(NODE))
        grid += [row.beside, *row.after]
    names = {place: name for name, place in places.items()}
    found: set[str] = set()
    todo, seen = [(*places[node], "d")], set()
    while todo:
        line, column, way = todo.pop()
        at = (line + STEPS[way][0], column + STEPS[way][1])
        if (*at, way) in seen:
            continue
        seen.add((*at, way))
        if at in names:
            found.add(names[at])
            continue
        todo += [(*at, next_way) for next_way in ways_on(grid, at, way)]
    return found


def ways_on(grid: Sequence[str], at: tuple[int, int], way: str) -> str:
    line, column = at
    cell = grid[line][column] if line < len(grid) and column < len(grid[line]) else " "
    leaves = LEAVES.get(cell, "")
    if cell in "│┊" and way in "lr":
        return way  # crosses a lane
    if BACK[way] not in leaves:
        return ""
    return "".join(side for side in leaves if side in STEPS and side != BACK[way])
