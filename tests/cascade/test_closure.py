"""What is published of a cascade that is over.

a@1 ══ a@2
 └── b ──┬── c ──┐
         └── d ──┴── e
"""

from collections.abc import Collection, Mapping

import pytest

from mgit.cascade import Plan, Publish, State, publishable, without_moved
from tests.cascade.families import MANUAL, Family, family

FAMILY = family(
    "a@1", "a@2", "b@1 <- a@1", "c@1 <- b@1", "d@1 <- b@1", "e@1 <- left=c@1, right=d@1"
)
PLAN = FAMILY.plan()


def published(
    states: Mapping[str, State],
    mode: Publish = Publish.CLOSED,
    *,
    drawn: Family = FAMILY,
    plan: Plan = PLAN,
) -> list[str]:
    """Names of what is published if all that is not mentioned is done."""
    by_id = {drawn.id(label): state for label, state in states.items()}
    all_states = {step.node: by_id.get(step.node, State.DONE) for step in plan.steps}
    return [drawn.label(step.node)[:-2] for step in publishable(plan, all_states, mode)]


def kept(moved: Collection[str], plan: Plan = PLAN) -> list[str]:
    return [step.name for step in without_moved(plan, plan.steps, moved)]


def test_if_everything_is_done_everything_is_published_in_order() -> None:
    assert published({}) == published({}, Publish.ALL) == ["b", "c", "d", "e"]
    assert published({}, Publish.NONE) == []


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.FAILED, ["b", "d"]),
        (State.TEST_FAILED, ["b", "d"]),
        (State.BLOCKED, ["b", "d"]),
        (State.CANCELLED, ["b", "d"]),
        (State.WAITING, ["b", "d"]),
        (State.TESTING, ["b", "d"]),
        (State.UNCHANGED, ["b", "d", "e"]),
    ],
)
def test_what_was_made_from_something_that_is_not_published_is_not(
    state: State, expected: list[str]
) -> None:
    assert published({"c": state}) == expected


def test_everything_or_nothing_is_nothing_after_one_failure() -> None:
    assert published({"e": State.FAILED}, Publish.ALL) == []
    assert published({"e": State.UNCHANGED}, Publish.ALL) == ["b", "c", "d"]


def test_everything_is_also_what_the_plan_could_not_do_but_not_what_was_to_be_kept() -> None:
    manual = FAMILY.plan(obstacles={"d": MANUAL})
    skipped = FAMILY.plan(skip="d")

    in_the_way = {"d": State.MANUAL, "e": State.BLOCKED}
    assert published(in_the_way, Publish.CLOSED, plan=manual) == ["b", "c"]
    assert published(in_the_way, Publish.ALL, plan=manual) == []
    assert published({"d": State.SKIPPED}, Publish.ALL, plan=skipped) == ["b", "c", "e"]


def test_a_group_is_published_as_one_with_what_is_below_it() -> None:
    drawn = family("a@1", "a@2", "x@1 <- a@1", "y@1 <- a@1", "low@1 <- x@1", "z@1 <- a@1")
    plan = drawn.plan(groups=["x y"])

    assert published({"y": State.TEST_FAILED}, drawn=drawn, plan=plan) == ["z"]
    assert published({"y": State.UNCHANGED}, drawn=drawn, plan=plan) == ["x", "low", "z"]


def test_what_somebody_moved_meanwhile_is_left_out_with_all_that_was_made_from_it() -> None:
    assert kept([]) == ["b", "c", "d", "e"]
    assert kept(["c"]) == ["b", "d"]
    assert kept(["b"]) == []
    assert kept(["e"]) == ["b", "c", "d"]
    assert kept(["a", "something"]) == ["b", "c", "d", "e"]


def test_one_moved_name_of_several_is_enough() -> None:
    drawn = family("a@1", "a@2", "x@1 <- a@1", "y@1 <- x@1", names={"alias": "x@1"})

    assert kept(["alias"], drawn.plan()) == kept(["x"], drawn.plan()) == []


def test_if_one_member_was_moved_meanwhile_its_group_is_left_out() -> None:
    drawn = family("a@1", "a@2", "x@1 <- a@1", "y@1 <- a@1", "low@1 <- x@1", "z@1 <- a@1")

    assert kept(["y"], drawn.plan(groups=["x y"])) == ["z"]


def test_a_moved_name_counts_even_if_it_came_out_unchanged() -> None:
    b, *others = PLAN.steps

    assert without_moved(PLAN, others, [b.name]) == ()


def test_what_has_no_name_is_published_with_what_was_made_from_it_and_not_alone() -> None:
    #   a@1 ── mid (no name any more) ──┬── low
    #                                   └── same
    drawn = family(
        *("a@1", "a@2", "mid@1 <- a@1", "low@1 <- mid@1", "same@1 <- mid@1"), nameless="mid"
    )
    plan = drawn.plan()
    unchanged = {"same": State.UNCHANGED}

    assert published(unchanged, drawn=drawn, plan=plan) == ["mid", "low"]
    assert published({**unchanged, "low": State.FAILED}, drawn=drawn, plan=plan) == []
    assert [step.name for step in without_moved(plan, plan.steps, ["low"])] == ["", "same"]
    assert without_moved(plan, plan.steps, ["low", "same"]) == ()
