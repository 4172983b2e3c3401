"""Which old versions were replaced by what.

bert@1 ══ bert@2 ══ bert@3      ══ version
gpt@1 ══ gpt@2
"""

import pytest

from tests.cascade.families import family

FAMILY = family("bert@1", "bert@2", "bert@3", "gpt@1", "gpt@2")


def test_every_older_version_was_replaced_by_what_the_name_points_to() -> None:
    assert FAMILY.updates() == {"bert@1": "bert@3", "bert@2": "bert@3", "gpt@1": "gpt@2"}


def test_only_replacements_by_the_chosen_ones_count() -> None:
    assert FAMILY.updates(chosen="gpt") == {"gpt@1": "gpt@2"}
    assert FAMILY.updates(chosen="") == {}
    assert FAMILY.updates(chosen="bert@2") == {}


def test_a_version_that_no_name_reaches_any_more_replaced_nothing() -> None:
    rewound = family("bert@1", "bert@2", "bert@3", names={"bert": "bert@2"})

    assert rewound.updates() == {"bert@1": "bert@2"}


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (None, {"fork@1": "fork@2"}),
        ("bert", {"bert@1": "bert@2"}),
        ("fork", {"bert@1": "fork@2", "fork@1": "fork@2"}),
        ("bert fork", {"fork@1": "fork@2"}),
    ],
)
def test_a_version_that_forked_was_replaced_by_neither_side_until_one_is_chosen(
    chosen: str | None, expected: dict[str, str]
) -> None:
    #   bert@1 ══ bert@2
    #      ╚═════ fork@1 ══ fork@2
    forked = family("bert@1", "bert@2", "fork@1 => bert@1", "fork@2")

    assert forked.updates(chosen) == expected


def test_what_a_name_still_points_to_is_current() -> None:
    #   old ─> bert@1 ══ bert@2 <─ bert
    kept = family("bert@0", "bert@1", "bert@2", names={"old": "bert@1"})

    assert kept.updates() == {}  # bert@0 became both of them
    assert kept.updates(chosen="bert") == {"bert@0": "bert@2"}


def test_two_names_for_one_version_are_no_fork() -> None:
    twice = family("bert@1", "bert@2", names={"alias": "bert@2"})

    assert twice.updates() == {"bert@1": "bert@2"}


def test_two_sides_that_were_merged_are_no_fork() -> None:
    #   bert@1 ══ bert@2 ══╗
    #      ╚═════ side@1 ══╩═ bert@3
    merged = family("bert@1", "bert@2", "side@1 => bert@1", "bert@3 => side@1", nameless="side")

    assert merged.updates() == dict.fromkeys(("bert@1", "bert@2", "side@1"), "bert@3")


def test_made_from_is_not_replaced() -> None:
    assert family("bert@1", "qa@1 <- bert@1").updates() == {}
