"""Jobs in the process of the driver."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from mgit.errors import UsageError
from mgit.execution import Executor, Lost, LostReason, open_executor
from tests.execution.contract import Desk, ExecutorContract


class TestInlineExecutor(ExecutorContract):
    @pytest.fixture
    def executor(self, tmp_path: Path) -> Iterator[Executor]:
        with open_executor("inline", jobs=4, folder=tmp_path) as executor:
            yield executor

    def test_there_is_no_other_process(self, desk: Desk) -> None:
        assert json.loads(desk.result("look"))["process"] == os.getpid()

    def test_the_driver_prints_again_where_it_did(
        self, desk: Desk, capfd: pytest.CaptureFixture[str]
    ) -> None:
        desk.result("shout")

        os.write(1, b"output")
        os.write(2, b"error")
        assert capfd.readouterr() == ("output", "error")

    def test_a_time_limit_is_refused_because_nothing_could_enforce_it(self, desk: Desk) -> None:
        with pytest.raises(UsageError, match="time limit") as refused:
            desk.submit("echo", timeout_s=60)

        assert "--executor process" in refused.value.hint

    def test_ctrl_c_stops_the_driver_and_is_no_failure_of_the_job(self, desk: Desk) -> None:
        desk.submit("interrupted")

        with pytest.raises(KeyboardInterrupt):
            desk.executor.wait()

        assert desk.lost("interrupted").reason is LostReason.CANCELLED

    def test_so_does_what_a_handler_of_the_driver_raises(self, desk: Desk) -> None:
        def handler(_: int, __: FrameType | None) -> None:
            raise StopAsyncIteration

        before = signal.signal(signal.SIGINT, handler)
        desk.submit("interrupted")

        with pytest.raises(StopAsyncIteration):
            desk.executor.wait()

        assert signal.signal(signal.SIGINT, before) is handler
        assert isinstance(desk.done().outcome, Lost)

    def test_a_handler_that_only_takes_note_lets_the_job_go_on(self, desk: Desk) -> None:
        noted: list[int] = []
        before = signal.signal(signal.SIGINT, lambda number, _: noted.append(number))

        result = desk.result("interrupted")

        signal.signal(signal.SIGINT, before)
        assert (result, noted) == ("went on", [signal.SIGINT])
