"""What turns out unchanged, and what is made together; the family: scheduling.py."""

import pytest

from mgit.cascade import State
from tests.cascade.families import MANUAL, family
from tests.cascade.scheduling import FAMILY, run, together

# --- unchanged ---


def test_below_what_turned_out_unchanged_nothing_is_made() -> None:
    cascade = run()
    cascade.start("b")

    cascade.unchanged("b")

    assert cascade.ready() == ["f"]
    assert cascade.states == {**dict.fromkeys("bcde", "unchanged"), "f": "waiting"}


def test_one_changed_parent_is_enough() -> None:
    cascade = run()
    cascade.finish("b")
    cascade.make("c")

    cascade.unchanged("c")
    assert cascade.states["e"] == "waiting"
    cascade.finish("d")

    assert cascade.ready() == ["e", "f"]


def test_unchanged_is_not_unchanged_from_an_older_version() -> None:
    #   low was made from qa@1; that qa@2 comes out again as it was says nothing about qa@1
    drawn = family("a@1", "a@2", "qa@1 <- a@1", "qa@2 <- a@1", "low@1 <- qa@1")
    cascade = run(drawn, drawn.plan(chosen="a"))
    cascade.start("qa")

    cascade.unchanged("qa")

    assert cascade.ready() == ["low"]
    cascade.unchanged("low")  # the caller compared the two
    assert cascade.is_over()


def test_an_updated_parent_is_not_unchanged_by_itself() -> None:
    drawn = family("a@1", "a@2", "b@1 <- a@1", "c@1 <- left=b@1, right=a@1")
    cascade = run(drawn)
    cascade.start("b")

    cascade.unchanged("b")

    assert cascade.ready() == ["c"]


def test_a_parent_that_stays_as_recorded_is_no_reason_to_make_it() -> None:
    drawn = family("a@1", "a@2", "x@1", "b@1 <- a@1", "c@1 <- left=b@1, right=x@1")
    cascade = run(drawn)
    cascade.start("b")

    cascade.unchanged("b")

    assert cascade.is_over()


def test_a_ready_step_may_be_unchanged_without_having_run() -> None:
    cascade = run()

    cascade.unchanged("b", "f")

    assert cascade.is_over()
    assert set(cascade.states.values()) == {"unchanged"}


def test_draining_is_not_undone_by_what_is_unchanged() -> None:
    cascade = run()
    cascade.start("b")
    cascade.schedule.drain()

    cascade.unchanged("b")

    assert cascade.states["c"] == "cancelled"


# --- groups ---


def test_a_group_starts_as_one_and_is_done_when_all_its_members_are() -> None:
    cascade = together()

    assert cascade.ready() == ["ner qa", "other"]
    cascade.make("qa")
    assert cascade.states["ner"] == "testing"
    cascade.passed("qa")
    assert cascade.ready() == ["other"]
    cascade.passed("ner")

    assert cascade.ready() == ["low-ner", "low-qa", "other"]


def test_what_fails_to_be_made_fails_for_the_whole_group() -> None:
    cascade = together()
    cascade.start("ner")

    assert cascade.fail("qa", State.FAILED, "no") == {"low-ner", "low-qa"}

    assert cascade.states["ner"] == cascade.states["qa"] == "failed"
    assert cascade.read(cascade.schedule.reasons) == {"ner": "no", "qa": "no"}


def test_a_member_that_fails_its_test_blocks_what_is_below_the_others() -> None:
    cascade = together()
    cascade.make("ner")

    assert cascade.fail("qa", State.TEST_FAILED) == {"low-ner", "low-qa"}
    cascade.passed("ner")

    assert (cascade.states["ner"], cascade.states["qa"]) == ("done", "test failed")
    assert cascade.ready() == ["other"]


def test_below_an_unchanged_member_nothing_is_made_once_the_group_is_over() -> None:
    cascade = together()
    cascade.make("ner")

    cascade.unchanged("ner")
    assert cascade.states["low-ner"] == "waiting"
    cascade.passed("qa")

    assert cascade.states["low-ner"] == "unchanged"
    assert cascade.ready() == ["low-qa", "other"]


def test_nothing_is_unchanged_before_the_groups_that_it_needs_are_over() -> None:
    drawn = family("a@1", "a@2", "x@1 <- a@1", "y@1 <- a@1", "c@1 <- a@1", "n@1 <- p=x@1, q=c@1")
    cascade = run(drawn, drawn.plan(groups=["x y"]))
    cascade.make("x", "c")
    cascade.unchanged("x", "c")

    assert cascade.states["n"] == "waiting"
    assert cascade.fail("y", State.TEST_FAILED) == {"n"}


def test_a_group_is_unchanged_if_every_changed_parent_is() -> None:
    drawn = family("a@1", "a@2", "b@1 <- a@1", "x@1 <- b@1", "y@1 <- b@1", "z@1 <- y@1")
    cascade = run(drawn, drawn.plan(groups=["x y"]))
    cascade.start("b")

    cascade.unchanged("b")

    assert cascade.states == dict.fromkeys("bxyz", "unchanged")


def test_a_group_with_one_changed_parent_is_made() -> None:
    drawn = family("a@1", "a@2", "b@1 <- a@1", "c@1 <- a@1", "x@1 <- b@1", "y@1 <- c@1")
    cascade = run(drawn, drawn.plan(groups=["x y"]))
    cascade.finish("c")
    cascade.start("b")

    cascade.unchanged("b")

    assert cascade.ready() == ["x y"]


def test_the_test_of_one_member_is_tried_again_without_the_others() -> None:
    cascade = together()
    cascade.make("ner")
    cascade.passed("ner")

    assert cascade.fail("qa", State.CRASHED) == 1.0
    cascade.due("qa")
    assert cascade.ready() == ["ner qa", "other"]
    cascade.finish("qa")

    assert (cascade.states["ner"], cascade.states["qa"]) == ("done", "done")
    assert cascade.ready() == ["low-ner", "low-qa", "other"]


def test_a_member_that_waits_to_be_tried_again_is_blocked_if_another_fails() -> None:
    delayed, ready = together(), together()
    for cascade in (delayed, ready):
        cascade.make("ner")
        cascade.fail("qa", State.CRASHED)
    ready.due("qa")

    for cascade in (delayed, ready):
        assert cascade.fail("ner", State.TEST_FAILED) == {"qa", "low-ner", "low-qa"}
        cascade.due("qa")
        assert cascade.states["qa"] == "blocked"
        assert cascade.ready() == ["other"]


@pytest.mark.parametrize("first", ["ner", "qa"])
def test_a_group_runs_alone_to_its_last_member(first: str) -> None:
    cascade = together()
    cascade.start("ner")
    cascade.fail("ner", State.OUT_OF_MEMORY)
    cascade.make("ner")

    cascade.unchanged(first)

    assert cascade.ready() == []


def test_after_one_member_failed_no_other_is_tried_again() -> None:
    cascade = together()
    cascade.make("ner")
    cascade.fail("qa", State.TEST_FAILED)

    assert cascade.fail("ner", State.CRASHED) == set()
    assert cascade.states["ner"] == "crashed"


def test_what_concerns_a_run_is_told_of_any_member_also_of_one_that_is_done() -> None:
    cascade = together()
    cascade.make("ner")
    cascade.passed("ner")
    cascade.fail("qa", State.CRASHED)
    cascade.due("ner")
    cascade.start("ner")

    assert cascade.fail("ner", State.CRASHED) == 1.0
    cascade.due("ner")
    cascade.make("ner")

    assert (cascade.states["ner"], cascade.states["qa"]) == ("done", "testing")


def test_a_test_that_ends_while_others_run_again_concerns_its_own_model() -> None:
    cascade = together()
    cascade.make("ner")
    cascade.fail("qa", State.CRASHED)
    cascade.due("qa")
    cascade.start("qa")

    assert cascade.fail("ner", State.TEST_FAILED) == {"low-ner", "low-qa"}
    assert (cascade.states["ner"], cascade.states["qa"]) == ("test failed", "running")
    assert cascade.fail("qa") == set()
    assert cascade.states["qa"] == "failed"


def test_members_that_crash_one_after_the_other_start_once() -> None:
    cascade = together()
    cascade.make("ner")
    cascade.fail("qa", State.CRASHED)
    cascade.due("qa")
    cascade.fail("ner", State.CRASHED)

    assert cascade.ready() == ["other"]
    cascade.due("ner")

    assert cascade.ready() == ["ner qa", "other"]
    cascade.start("ner")
    assert cascade.ready() == ["other"]


# --- what cannot be so ---


def test_what_cannot_be_so_is_refused() -> None:
    cascade = run(plan=FAMILY.plan(obstacles={"f": MANUAL}))
    schedule, b, c, f = cascade.schedule, *map(FAMILY.id, "bcf")

    for told in (
        lambda: schedule.started(c),  # b is not done
        lambda: schedule.started(f),
        lambda: schedule.made(b),
        lambda: schedule.passed(b),
        lambda: schedule.unchanged(c),
        lambda: schedule.failed(b, State.FAILED, ""),
    ):
        with pytest.raises(ValueError, match="step"):
            told()
    schedule.started(b)
    for told in (
        lambda: schedule.started(b),
        lambda: schedule.passed(b),
        lambda: schedule.unchanged(f),
    ):
        with pytest.raises(ValueError, match="step"):
            told()
    with pytest.raises(ValueError, match="no failure"):
        schedule.failed(b, State.DONE, "")
    assert cascade.states["b"] == "running"
