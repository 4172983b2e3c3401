"""What may start, and what follows when something ended badly; the family: scheduling.py."""

import pytest

from mgit.cascade import Policy, State
from tests.cascade.families import UNTRUSTED
from tests.cascade.scheduling import FAMILY, run

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


def test_what_waits_to_run_alone_is_cancelled_too() -> None:
    cascade = run()
    cascade.start("b")
    cascade.fail("b", State.OUT_OF_MEMORY)

    cascade.schedule.drain()

    assert cascade.is_over()
    assert cascade.ready() == []


def test_what_is_killed_is_cancelled_and_never_tried_again() -> None:
    cascade = run()
    cascade.start("b")

    cascade.schedule.drain()
    cascade.fail("b", State.CANCELLED)

    assert cascade.is_over()
    assert cascade.states["b"] == "cancelled"
