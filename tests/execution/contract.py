"""What every executor promises; each has a test class that inherits this."""

import json
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import pytest

from mgit.execution import Done, Executor, Finished, Job, Lost, LostReason, Raised
from mgit.execution.performing import perform
from tests.execution.watching import appeared, is_alive

PATIENCE_S = 60


class Desk:
    """Makes jobs that log into a folder, and waits for them."""

    def __init__(self, executor: Executor, folder: Path) -> None:
        self.executor = executor
        self.log = folder / "logs" / "job.log"

    def job(self, function: str, argument: str = "", **options: object) -> Job:
        known = {"id": function, "log": str(self.log)} | options
        return Job(function=f"tests.execution.jobs:{function}", argument=argument, **known)  # type: ignore[arg-type]

    def submit(self, function: str, argument: str = "", **options: object) -> None:
        self.executor.submit(self.job(function, argument, **options))

    def done(self) -> Done:
        done = self.executor.wait(PATIENCE_S)
        assert done is not None, "nothing ended"
        return done

    def run(self, function: str, argument: str = "", **options: object) -> Done:
        self.submit(function, argument, **options)
        return self.done()

    def result(self, function: str, argument: str = "", **options: object) -> str:
        outcome = self.run(function, argument, **options).outcome
        assert isinstance(outcome, Finished), outcome
        return outcome.result

    def raised(self, function: str, argument: str = "") -> Raised:
        outcome = self.run(function, argument).outcome
        assert isinstance(outcome, Raised), outcome
        return outcome

    def lost(self, job_id: str | None = None) -> Lost:
        done = self.done()
        assert job_id in {None, done.job}
        assert isinstance(done.outcome, Lost), done.outcome
        return done.outcome


class ExecutorContract:
    """Promises of all of them; a subclass has the fixture ``executor``."""

    @pytest.fixture
    def desk(self, executor: Executor, tmp_path: Path) -> Desk:
        return Desk(executor, tmp_path)

    def test_a_job_gets_its_argument_and_its_result_comes_back(self, desk: Desk) -> None:
        text = json.dumps({"any": "text", "\u03b1": ["\n", "\ud800", None]}, ensure_ascii=False)

        done = desk.run("echo", text)

        assert (done.job, done.outcome) == ("echo", Finished(text))
        assert done.duration_s > 0

    def test_a_result_may_be_long(self, desk: Desk) -> None:
        assert len(desk.result("long_text", "5000000")) == 5_000_000

    def test_every_job_ends_once_in_whatever_order(self, desk: Desk) -> None:
        for number in range(7):
            desk.submit("echo", str(number), id=f"job {number}")

        ended = [desk.done() for _ in range(7)]

        assert {done.job: done.outcome for done in ended} == {
            f"job {number}": Finished(str(number)) for number in range(7)
        }

    def test_waiting_for_nothing_is_a_mistake(self, desk: Desk) -> None:
        desk.run("echo")

        with pytest.raises(ValueError, match="no job was submitted"):
            desk.executor.wait(0)

    def test_an_id_is_free_again_when_its_job_was_collected(self, desk: Desk) -> None:
        desk.submit("echo", "first")

        with pytest.raises(ValueError, match="'echo' has been submitted"):
            desk.submit("echo", "second")
        collected = desk.done()

        assert collected.outcome == Finished("first")
        assert desk.result("echo", "third") == "third"

    def test_an_exception_is_an_outcome_with_its_trace(self, desk: Desk) -> None:
        raised = desk.raised("fail", "no such luck")

        assert (raised.error, raised.message, raised.hint) == ("ValueError", "no such luck", "")
        first, second, *_ = raised.trace.splitlines()
        assert first == "Traceback (most recent call last):"
        assert second.endswith("in fail")

    def test_an_expected_failure_keeps_its_hint(self, desk: Desk) -> None:
        raised = desk.raised("refuse", "two of them")

        assert (raised.error, raised.message) == ("ConflictError", "two of them")
        assert raised.hint == "look again"

    @pytest.mark.parametrize(
        ("function", "error"),
        [
            ("leave", "SystemExit"),
            ("interrupt", "KeyboardInterrupt"),
            ("fail_to_say_why", "MuteError"),
            ("no_text", "TypeError"),
            ("no_such_function", "AttributeError"),
        ],
    )
    def test_no_exception_takes_the_worker_with_it(
        self, desk: Desk, function: str, error: str
    ) -> None:
        raised = desk.raised(function)

        assert raised.error == error
        assert desk.result("echo", "goes on") == "goes on"

    def test_a_module_that_does_not_exist_is_told(self, desk: Desk) -> None:
        desk.executor.submit(Job("lost", "mgit.no_such_module:run", "", str(desk.log)))

        outcome = desk.done().outcome

        assert isinstance(outcome, Raised)
        assert outcome.error == "ModuleNotFoundError"

    def test_what_a_job_prints_is_in_its_log_and_nowhere_else(
        self, desk: Desk, capfd: pytest.CaptureFixture[str]
    ) -> None:
        desk.result("shout")

        assert sorted(desk.log.read_text(encoding="utf-8").splitlines()) == [
            "by C",
            "by a program",
            "by descriptor",
            "by print",
            "by stderr, in any script: \u03b1\u03b2\\ud800",
        ]
        assert capfd.readouterr() == ("", "")

    def test_a_log_grows_and_each_job_has_its_own(self, desk: Desk, tmp_path: Path) -> None:
        other = tmp_path / "other.log"

        for _ in range(2):
            desk.result("shout")
        desk.result("shout", log=str(other))

        assert desk.log.read_text(encoding="utf-8").count("by print") == 2
        assert other.read_text(encoding="utf-8").count("by print") == 1

    def test_a_log_that_cannot_be_written_is_told(self, desk: Desk, tmp_path: Path) -> None:
        outcome = desk.run("echo", log=str(tmp_path)).outcome

        assert isinstance(outcome, Raised)
        assert outcome.error == "MachineError"

    @pytest.mark.parametrize("threads", [1, 2])
    def test_numerical_libraries_have_so_many_threads(self, desk: Desk, threads: int) -> None:
        found = json.loads(desk.result("threads", threads=threads))

        assert found == [str(threads), [threads]]

    def test_a_job_gives_the_same_bits_wherever_it_runs(self, desk: Desk) -> None:
        here = perform(desk.job("digest", "7")).outcome

        assert Finished(desk.result("digest", "7")) == here

    def test_a_job_finds_none_of_the_disorder_of_the_one_before(self, desk: Desk) -> None:
        before = json.loads(desk.result("look"))

        desk.result("spoil")

        assert json.loads(desk.result("look")) == before
        desk.result("shout")

    def test_a_job_works_in_the_folder_of_the_driver(self, desk: Desk) -> None:
        assert json.loads(desk.result("look"))["folder"] == str(Path.cwd())

    def test_modules_are_kept_from_job_to_job(self, desk: Desk) -> None:
        found = [json.loads(desk.result("remember", word)) for word in ("one", "two")]

        (process, words), (same_process, more_words) = found
        assert process == same_process
        assert more_words == [*words, "two"]

    def test_a_job_that_waits_can_be_cancelled(self, desk: Desk, tmp_path: Path) -> None:
        for number in range(desk.executor.capacity):
            desk.submit("pass_through", str(tmp_path), id=f"runs {number}")
        desk.submit("echo", id="waits")

        desk.executor.cancel("waits")

        outcomes = {done.job: done.outcome for done in ended(desk, desk.executor.capacity + 1)}
        cancelled = outcomes.pop("waits")
        assert isinstance(cancelled, Lost)
        assert cancelled.reason is LostReason.CANCELLED
        assert not any(isinstance(outcome, Lost) for outcome in outcomes.values())

    def test_cancelling_what_is_not_there_does_nothing(self, desk: Desk) -> None:
        desk.run("echo")

        desk.executor.cancel("echo")
        desk.executor.cancel("never submitted")

        assert desk.result("echo", "goes on") == "goes on"


class WorkerContract(ExecutorContract):
    """Promises of those whose jobs run in processes of their own."""

    how_a_killed_worker_is_told: ClassVar[str]

    def test_so_many_jobs_run_at_once(self, desk: Desk, tmp_path: Path) -> None:
        capacity, folder = desk.executor.capacity, tmp_path / "meeting"
        folder.mkdir()

        for number in range(capacity):
            desk.submit("meet", json.dumps([str(folder), capacity]), id=str(number))

        assert all(isinstance(done.outcome, Finished) for done in ended(desk, capacity))

    def test_and_no_more(self, desk: Desk, tmp_path: Path) -> None:
        folder = tmp_path / "passage"
        folder.mkdir()

        for number in range(6):
            desk.submit("pass_through", str(folder), id=str(number))

        outcomes = [done.outcome for done in ended(desk, 6)]
        together = [int(found.result) for found in outcomes if isinstance(found, Finished)]
        assert len(together) == 6
        assert max(together) <= desk.executor.capacity

    def test_waiting_has_an_end(self, desk: Desk, tmp_path: Path) -> None:
        desk.submit("hang", str(tmp_path / "begun"))

        assert desk.executor.wait(0) is None
        assert desk.executor.wait(0.1) is None
        desk.executor.cancel("hang")
        desk.lost("hang")

    def test_a_worker_reads_no_input_and_leads_a_life_of_its_own(self, desk: Desk) -> None:
        found = json.loads(desk.result("look"))

        assert found["input"] == ""
        assert found["session"] != os.getsid(0)

    def test_a_worker_that_is_killed_is_told_and_replaced(self, desk: Desk) -> None:
        desk.submit("kill_itself")

        lost = desk.lost("kill_itself")

        assert lost.reason is LostReason.CRASHED
        assert self.how_a_killed_worker_is_told in lost.detail
        assert desk.result("echo", "goes on") == "goes on"

    def test_a_worker_that_exits_is_told(self, desk: Desk) -> None:
        desk.submit("exit_at_once", "3")

        assert desk.lost("exit_at_once").reason is LostReason.CRASHED

    def test_a_crash_costs_no_other_job(self, desk: Desk) -> None:
        desk.submit("kill_itself")
        for number in range(4):
            desk.submit("echo", str(number), id=str(number))

        outcomes = {done.job: done.outcome for done in ended(desk, 5)}

        assert isinstance(outcomes.pop("kill_itself"), Lost)
        assert outcomes == {str(number): Finished(str(number)) for number in range(4)}

    def test_time_is_up_also_for_a_job_that_ignores_signals(
        self, desk: Desk, tmp_path: Path
    ) -> None:
        desk.submit("hang", str(tmp_path / "begun"), timeout_s=0.5)

        done = desk.done()

        assert isinstance(done.outcome, Lost)
        assert done.outcome.reason is LostReason.TIMED_OUT
        assert 0.5 <= done.duration_s < 10
        assert desk.result("echo", "goes on") == "goes on"

    def test_a_job_within_its_time_is_left_alone(self, desk: Desk) -> None:
        assert desk.result("echo", "in time", timeout_s=60) == "in time"

    def test_cancelling_kills_a_job_and_what_it_started(self, desk: Desk, tmp_path: Path) -> None:
        desk.submit("hang", str(tmp_path / "begun"))
        begun = appeared(tmp_path / "begun")

        desk.executor.cancel("hang")

        assert desk.lost("hang").reason is LostReason.CANCELLED
        assert gone(begun["process"], begun["child"])
        assert desk.result("echo", "goes on") == "goes on"

    def test_a_hanging_job_holds_up_no_other(self, desk: Desk, tmp_path: Path) -> None:
        desk.submit("hang", str(tmp_path / "begun"))

        for number in range(3):
            assert desk.run("echo", str(number), id=str(number)).job == str(number)

        desk.executor.cancel("hang")
        desk.lost("hang")


def ended(desk: Desk, number: int) -> Iterable[Done]:
    return [desk.done() for _ in range(number)]


def gone(*processes: object) -> bool:
    """Returns whether processes die within a few seconds."""
    end = time.monotonic() + 8
    while any(map(is_alive, processes)) and time.monotonic() < end:
        time.sleep(0.02)
    return not any(map(is_alive, processes))


def kill(process: object) -> None:
    assert isinstance(process, int)
    os.kill(process, signal.SIGKILL)
