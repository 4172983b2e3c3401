"""How pages become text and JSON, without any repository."""

import io
import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest

from mgit.cli.grouping import grouped
from mgit.cli.output import Look, as_json, clean, rendered, write
from mgit.cli.page import Page, Styled, Table, counted, line, number, ratio, size, titled
from mgit.cli.session import Session
from mgit.digest import Digest

DIGEST = Digest.of(b"a")


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Part:
    node: Digest
    colour: Colour
    where: Path
    names: frozenset[str]


def text(*blocks: Table, look: Look = Look()) -> list[str]:  # noqa: B008  # immutable
    return list(rendered(blocks, look))


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (91_600_000, "91.6 MB"),
        (999_960, "1.0 MB"),
        (13_400_000_000, "13.4 GB"),
    ],
)
def test_sizes_are_decimal(count: int, shown: str) -> None:
    assert size(count) == shown


def test_a_ratio_of_nothing_is_not_shown() -> None:
    assert (ratio(348, 100), ratio(348, 0)) == ("3.48x", "")


def test_counts_agree_with_their_noun() -> None:
    assert [counted(n, "node") for n in (0, 1, 1200)] == ["0 nodes", "1 node", "1,200 nodes"]


def test_columns_are_aligned_numbers_to_the_right_and_empty_ones_left_out() -> None:
    table = Table([("a", number("9.0 kB"), "", 7), ("long", number("10.0 kB"), "", 12)])

    assert text(table) == [
        "a      9.0 kB   7",
        "long  10.0 kB  12",
    ]


def test_an_empty_table_has_no_headings_either() -> None:
    assert text(Table([], ("name",))) == []


def test_what_could_drive_a_terminal_is_taken_out_of_every_cell() -> None:
    evil = "a\x1b[2J\u202eb\nc"

    shown = "\n".join(rendered([Table([(evil, titled(evil))]), line(evil)], Look()))

    assert not {"\x1b", "\u202e"} & set(shown)
    assert len(shown.splitlines()) == 2
    assert clean(evil) == "a\ufffd[2J\ufffdb c"


def test_colours_wrap_what_is_shown_and_never_its_padding() -> None:
    table = Table([(Styled("a", "good"), "x"), (Styled("long", "bad"), "y")])

    assert text(table, look=Look(is_colored=True))[0] == "\x1b[32ma\x1b[0m     x"


def test_ids_are_short_unless_asked_for_whole() -> None:
    table = Table([(DIGEST,)])

    assert text(table) == [DIGEST.short]
    assert text(table, look=Look(is_verbose=True)) == [DIGEST.hex()]


def test_drawings_have_an_ascii_form() -> None:
    assert list(rendered([line("├─│─╮ ●  x…")], Look(is_ascii=True))) == ["+-|-+ *  x."]


def test_json_values_are_those_of_json() -> None:
    part = Part(DIGEST, Colour.RED, Path("/a"), frozenset({"b", "a"}))

    assert as_json({DIGEST: (part, None, 1.5)}) == {
        str(DIGEST): [
            {"node": str(DIGEST), "colour": "red", "where": "/a", "names": ["a", "b"]},
            None,
            1.5,
        ]
    }


def test_a_stream_that_cannot_show_a_message_shows_what_it_can() -> None:
    raw = io.BytesIO()
    stdout = io.TextIOWrapper(raw, encoding="ascii")

    write(Page({}, answer=(line("│ Ελληνικά"),)), "ls", Session({}, io.StringIO()), stdout)

    assert raw.getvalue() == b"| ????????\n"


def test_json_on_a_stream_is_ascii_so_that_it_cannot_drive_a_terminal() -> None:
    stdout = io.StringIO()

    write(Page({"x": "\u202e\x9b"}), "ls", Session({}, io.StringIO(), is_json=True), stdout)

    assert stdout.getvalue().isascii()
    assert json.loads(stdout.getvalue())["x"] == "\u202e\x9b"


def test_names_that_differ_by_number_are_one() -> None:
    names = ["a.0.w1", "a.1.w1", "a.10.w1", "head"]

    assert grouped(names) == {"a.[0-10].w1": names[:3], "head": ["head"]}
