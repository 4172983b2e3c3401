"""Bookkeeping of jobs, without any."""

import pytest

from mgit.execution import Done, Finished, Job, Lost, LostReason
from mgit.execution.roster import Roster


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def job(name: str, timeout_s: float | None = None) -> Job:
    return Job(name, "module:function", "", "/log", timeout_s=timeout_s)


def begun(roster: Roster) -> list[str]:
    found = []
    while next_job := roster.begin():
        found.append(next_job.id)
    return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def roster(clock: Clock) -> Roster:
    """Two places, three jobs: a and b run, c waits."""
    roster = Roster(2, clock=clock)
    for waiting in (job("a", timeout_s=5), job("b", timeout_s=9), job("c", timeout_s=1)):
        roster.add(waiting)
    assert begun(roster) == ["a", "b"]
    return roster


def test_a_job_begins_when_another_ended(roster: Roster) -> None:
    roster.end(Done("a", Finished("x"), 1.0))

    assert begun(roster) == ["c"]
    assert roster.collect() == Done("a", Finished("x"), 1.0)
    assert roster.collect() is None


def test_a_job_is_overdue_when_its_own_time_is_over(roster: Roster, clock: Clock) -> None:
    assert (roster.seconds_left(), roster.overdue()) == (5, [])

    clock.now += 5

    assert (roster.seconds_left(), roster.overdue()) == (0, ["a"])


def test_time_may_begin_again(roster: Roster, clock: Clock) -> None:
    clock.now += 4
    roster.restart_clock("a")

    assert (roster.seconds_left(), roster.overdue()) == (5, [])


def test_without_limits_there_is_no_hurry() -> None:
    roster = Roster(1)
    roster.add(job("a"))
    roster.begin()

    assert (roster.seconds_left(), roster.overdue()) == (None, [])


def test_a_lost_job_ran_from_its_beginning(roster: Roster, clock: Clock) -> None:
    clock.now += 2
    roster.lose("a", LostReason.CRASHED, "detail")
    roster.lose("c", LostReason.CANCELLED, "")

    assert roster.collect() == Done("a", Lost(LostReason.CRASHED, "detail"), 2.0)
    assert roster.collect() == Done("c", Lost(LostReason.CANCELLED, ""), 0.0)


def test_what_ended_stays_as_it_is(roster: Roster) -> None:
    roster.end(Done("a", Finished("x"), 1.0))
    roster.lose("a", LostReason.CANCELLED, "too late")
    roster.lose("unknown", LostReason.CANCELLED, "")
    roster.end(Done("unknown", Finished(""), 1.0))

    assert roster.collect() == Done("a", Finished("x"), 1.0)
    assert roster.collect() is None


def test_all_may_be_lost_at_once(roster: Roster) -> None:
    roster.lose_all(LostReason.CRASHED, "the power failed")

    ended = [roster.collect() for _ in range(3)]
    assert [done.job for done in ended if done] == ["a", "b", "c"]
    with pytest.raises(ValueError, match="no job"):
        roster.collect()


@pytest.mark.parametrize("state", ["waits", "runs", "ended"])
def test_an_id_is_used_once_at_a_time(roster: Roster, state: str) -> None:
    name = {"waits": "c", "runs": "a", "ended": "b"}[state]
    roster.end(Done("b", Finished(""), 1.0))

    with pytest.raises(ValueError, match="submitted already"):
        roster.add(job(name))
