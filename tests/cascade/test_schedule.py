"""What may start, and what follows when something ended.

a@1 ══ a@2
 └── b ──┬── c ──┐
         └── d ──┴── e          f (made from a@1, too)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import pytest

from mgit.cascade import Blocked, Plan, Policy, Retry, Schedule, State
from mgit.digest import Digest
from tests.cascade.families import MANUAL, UNTRUSTED, Family, family

FAMILY = family(
    *("a@1", "a@2", "b@1 <- a@1", "c@1 <- b@1", "d@1 <- b@1", "e@1 <- left=c@1, right=d@1"),
    "f@1 <- a@1",
)
HEADS = family(  # ner and qa are made together
    *("a@1", "a@2", "ner@1 <- a@1", "qa@1 <- a@1"),
    *("low-ner@1 <- ner@1", "low-qa@1 <- qa@1", "other@1 <- a@1"),
)

T = TypeVar("T")


@dataclass
class Run:
    """A schedule that is told and read by label."""

    family: Family
    schedule: Schedule

    def ready(self, limit: int | None = None) -> list[str]:
        units = self.schedule.ready(limit)
        return [" ".join(sorted(self.family.label(node)[:-2] for node in u)) for u in units]

    def start(self, *labels: str) -> None:
        for label in labels:
            self.schedule.started(self.family.id(label))

    def make(self, *labels: str) -> None:
        for label in labels:
            self.start(label)
            self.schedule.made(self.family.id(label))

    def finish(self, *labels: str) -> None:
        for label in labels:
            self.make(label)
            self.passed(label)

    def passed(self, *labels: str) -> None:
        for label in labels:
            self.schedule.passed(self.family.id(label))

    def unchanged(self, *labels: str) -> None:
        for label in labels:
            self.schedule.unchanged(self.family.id(label))

    def fail(self, label: str, state: State = State.FAILED, reason: str = "") -> set[str] | float:
        """What is blocked, or after how many seconds it is tried again."""
        match self.schedule.failed(self.family.id(label), state, reason):
            case Blocked(steps):
                return {self.family.label(node)[:-2] for node in steps}
            case Retry(delay_s):
                return delay_s

    def due(self, label: str) -> None:
        self.schedule.due(self.family.id(label))

    @property
    def states(self) -> dict[str, str]:
        states = self.schedule.states.items()
        return {self.family.label(node)[:-2]: state.value for node, state in states}

    def is_over(self) -> bool:
        return self.schedule.is_over

    def read(self, by_node: Mapping[Digest, T]) -> dict[str, T]:
        return {label[:-2]: by_node[n] for label, n in self.family.ids.items() if n in by_node}


def run(family: Family = FAMILY, plan: Plan | None = None, policy: Policy | None = None) -> Run:
    return Run(family, Schedule(plan or family.plan(), policy or Policy()))


def together(policy: Policy | None = None) -> Run:
    return run(HEADS, HEADS.plan(groups=["ner qa"]), policy)


# --- what may start ---


def test_a_step_may_start_when_all_it_needs_is_done() -> None:
    cascade = run()

    assert cascade.ready() == ["b", "f"]
    cascade.make("b")
    assert cascade.ready() == ["f"]  # being tested is not being done
    cascade.passed("b")
    assert cascade.ready() == ["c", "d", "f"]
    cascade.finish("c")
    assert cascade.ready() == ["d", "f"]
    cascade.finish("d")
    assert cascade.ready() == ["e", "f"]


def test_only_as_many_as_asked_for_may_start_the_most_urgent_first() -> None:
    cascade = run(plan=FAMILY.plan(estimates={"f": 3.0, "b": 1.0, "e": 1.0}))

    assert cascade.ready(0) == []
    assert cascade.ready(1) == ["f"]
    assert cascade.ready(5) == ["f", "b"]


def test_it_is_over_when_nothing_waits_or_runs() -> None:
    cascade = run()

    cascade.finish("b", "c", "d", "f")
    cascade.make("e")
    assert not cascade.is_over()
    cascade.passed("e")

    assert cascade.is_over()
    assert cascade.ready() == []
    assert set(cascade.states.values()) == {"done"}


def test_a_plan_without_steps_is_over() -> None:
    assert run(plan=FAMILY.plan({})).is_over()


def test_what_the_plan_does_not_do_is_not_done() -> None:
    plan = FAMILY.plan(skip="f", obstacles={"c": UNTRUSTED})
    cascade = run(plan=plan)

    assert cascade.states == {
        "b": "waiting",
        "c": "untrusted",
        "d": "waiting",
        "e": "blocked",
        "f": "skipped",
    }
    assert cascade.read(cascade.schedule.blocked_by) == {"e": FAMILY.id("c")}
    cascade.finish("b", "d")
    assert cascade.is_over()


@pytest.mark.parametrize(
    ("choice", "state"), [("skip", "skipped"), ("stop", "stopped"), ("pinned", "pinned")]
)
def test_what_is_kept_says_why(choice: str, state: str) -> None:
    assert run(plan=FAMILY.plan(None, **{choice: "b f"})).states == {"b": state, "f": state}


# --- failures ---


def test_a_failure_blocks_what_is_below_it_and_nothing_else() -> None:
    cascade = run()
    cascade.finish("b")
    cascade.start("c")

    assert cascade.fail("c", reason="it raised KeyError") == {"e"}
    assert cascade.ready() == ["d", "f"]
    cascade.finish("d", "f")

    assert cascade.is_over()
    assert cascade.states == {
        "b": "done",
        "c": "failed",
        "d": "done",
        "e": "blocked",
        "f": "done",
    }
    assert cascade.read(cascade.schedule.reasons) == {"c": "it raised KeyError"}
    assert cascade.read(cascade.schedule.blocked_by) == {"e": FAMILY.id("c")}


def test_what_is_blocked_twice_was_blocked_by_the_first() -> None:
    cascade = run()
    cascade.finish("b")
    cascade.start("c", "d")

    assert cascade.fail("d") == {"e"}
    assert cascade.fail("c", State.TIMED_OUT) == set()

    assert cascade.read(cascade.schedule.blocked_by) == {"e": FAMILY.id("d")}


def test_a_failed_test_is_a_failure() -> None:
    cascade = run()
    cascade.make("b")

    assert cascade.fail("b", State.TEST_FAILED) == {"c", "d", "e"}
    assert cascade.states["b"] == "test failed"


def test_to_fail_fast_is_to_start_nothing_after_the_first_failure() -> None:
    cascade = run(policy=Policy(is_fail_fast=True))
    cascade.finish("b")
    cascade.start("c", "f")

    assert cascade.fail("c") == {"e"}

    assert cascade.ready() == []
    assert not cascade.is_over()
    cascade.schedule.made(FAMILY.id("f"))
    cascade.passed("f")
    assert cascade.is_over()
    assert cascade.states == {
        "b": "done",
        "c": "failed",
        "d": "cancelled",
        "e": "blocked",
        "f": "done",
    }


# --- trying again ---


def test_what_crashed_is_tried_again_twice_each_time_after_a_longer_while() -> None:
    cascade = run()

    delays = []
    for _ in range(2):
        cascade.start("b")
        delays.append(cascade.fail("b", State.CRASHED))
        assert cascade.ready() == ["f"]
        assert cascade.states["b"] == "waiting"
        cascade.due("b")
        assert cascade.ready() == ["b", "f"]
    cascade.start("b")

    assert delays == [1.0, 4.0]
    assert cascade.fail("b", State.CRASHED, "signal 9") == {"c", "d", "e"}
    assert cascade.states["b"] == "crashed"


@pytest.mark.parametrize("state", [State.FAILED, State.TIMED_OUT, State.TEST_FAILED])
def test_what_failed_by_itself_is_not_tried_again_unless_somebody_says_so(state: State) -> None:
    never, once = run(), run(policy=Policy(retries={state: 1}, delays_s=(7.0,)))
    for cascade in (never, once):
        cascade.make("b")

    assert never.fail("b", state) == {"c", "d", "e"}
    assert once.fail("b", state) == 7.0
    once.due("b")
    once.start("b")
    assert once.fail("b", state) == {"c", "d", "e"}


def test_the_last_delay_is_the_delay_of_all_further_retries() -> None:
    cascade = run(policy=Policy(retries={State.CRASHED: 4}))

    delays = []
    for _ in range(4):
        cascade.start("b")
        delays.append(cascade.fail("b", State.CRASHED))
        cascade.due("b")

    assert delays == [1.0, 4.0, 4.0, 4.0]


def test_what_ran_out_of_memory_is_tried_once_more_with_nothing_beside_it() -> None:
    cascade = run()
    cascade.finish("b")
    cascade.start("c", "f")

    assert cascade.fail("c", State.OUT_OF_MEMORY) == 0.0

    assert cascade.ready() == ["d"]  # f is still running
    cascade.schedule.made(FAMILY.id("f"))
    assert cascade.ready() == ["d"]  # and being tested
    cascade.passed("f")
    assert cascade.ready() == ["c"]
    cascade.start("c")
    assert cascade.ready() == []
    assert cascade.fail("c", State.OUT_OF_MEMORY) == {"e"}
    assert cascade.ready() == ["d"]


def test_what_runs_alone_goes_on_alone_while_it_is_tested() -> None:
    cascade = run()
    cascade.start("b")
    cascade.fail("b", State.OUT_OF_MEMORY)

    cascade.make("b")
    assert cascade.ready() == []
    cascade.passed("b")

    assert cascade.ready() == ["c", "d", "f"]


def test_a_crashed_test_starts_again_from_the_beginning() -> None:
    cascade = run()
    cascade.make("b")

    assert cascade.fail("b", State.CRASHED) == 1.0
    cascade.due("b")
    assert cascade.ready() == ["b", "f"]
    cascade.finish("b")

    assert cascade.states["b"] == "done"


def test_that_a_retry_is_due_is_said_once_or_often_or_without_one() -> None:
    cascade = run()
    cascade.due("b")
    cascade.start("b")
    cascade.due("b")
    cascade.fail("b", State.CRASHED)
    cascade.due("b")
    cascade.due("b")

    assert cascade.ready() == ["b", "f"]


# --- stopping ---


def test_draining_starts_nothing_and_lets_finish_what_runs() -> None:
    cascade = run()
    cascade.start("b")

    cascade.schedule.drain()
    cascade.schedule.drain()

    assert cascade.ready() == []
    cascade.schedule.made(FAMILY.id("b"))
    cascade.passed("b")
    assert cascade.is_over()
    assert cascade.states == {
        "b": "done",
        **dict.fromkeys(("c", "d", "e", "f"), "cancelled"),
    }


def test_nothing_is_tried_again_while_draining() -> None:
    cascade = run()
    cascade.start("b", "f")
    cascade.fail("f", State.CRASHED)

    cascade.schedule.drain()
    cascade.due("f")

    assert cascade.ready() == []
    assert cascade.fail("b", State.CRASHED) == set()
    assert cascade.is_over()
    assert cascade.states["f"] == "cancelled"


def test_what_is_killed_is_cancelled_and_never_tried_again() -> None:
    cascade = run()
    cascade.start("b")

    cascade.schedule.drain()
    cascade.fail("b", State.CANCELLED)

    assert cascade.is_over()
    assert cascade.states["b"] == "cancelled"


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
    cascade = together()
    cascade.make("ner")
    cascade.fail("qa", State.CRASHED)

    assert cascade.fail("ner", State.TEST_FAILED) == {"qa", "low-ner", "low-qa"}
    cascade.due("qa")

    assert cascade.states["qa"] == "blocked"
    assert cascade.ready() == ["other"]


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

    assert cascade.fail("ner", State.CRASHED) == 4.0
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
