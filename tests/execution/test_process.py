"""Jobs in processes of this machine; none may be left."""

import json
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mgit.errors import MachineError
from mgit.execution import Executor, LostReason, open_executor
from tests.execution.contract import Desk, WorkerContract, gone, kill
from tests.execution.watching import ROOT, alive, appeared, driver, left

HANGS = """
executor = open_executor(kind, jobs=2, folder=folder)
executor.submit(job("hangs", "hang", str(folder / "hangs")))
executor.submit(job("busy", "hold_the_interpreter", str(folder / "busy")))
print(executor.wait())
"""


class TestProcessExecutor(WorkerContract):
    how_a_killed_worker_is_told = "the worker was killed by signal 9"

    @pytest.fixture
    def executor(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Executor]:
        monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # C would hold nothing back
        with open_executor("process", jobs=2, folder=tmp_path / "executor") as executor:
            yield executor

    def test_torch_is_imported_once_and_pinned_every_time(self, desk: Desk) -> None:
        found = [json.loads(desk.result("torch_threads", threads=n)) for n in (2, 1)]

        assert found == [[False, 2, 2], [True, 1, 1]]

    def test_how_a_worker_exited_is_told(self, desk: Desk) -> None:
        desk.submit("exit_at_once", "3")

        assert desk.lost().detail == "the worker ended by itself, with exit code 3"

    def test_a_dead_worker_is_noticed_though_a_copy_of_it_holds_its_line(self, desk: Desk) -> None:
        desk.submit("leave_a_copy_and_die")

        assert desk.lost().detail == "the worker was killed by signal 9"

    def test_a_worker_that_hangs_up_is_killed(self, desk: Desk) -> None:
        desk.submit("hang_up")

        assert desk.lost().detail == "the worker hung up"

    def test_a_worker_that_died_while_idle_costs_no_job(self, desk: Desk) -> None:
        worker = json.loads(desk.result("look"))["process"]

        kill(worker)
        assert gone(worker)

        assert desk.result("echo", "goes on") == "goes on"

    @pytest.mark.parametrize(
        "answer",
        [
            "no JSON\n",
            '{"other": "JSON"}\n',
            "[" * 100_000 + "\n",
            '["another job", ["finished", "forged"], 1.0]\n',
            '["answer_for_the_worker", ["finished", 7], 1.0]\n',
            '["answer_for_the_worker", ["lost", "no such reason", ""], 1.0]\n',
        ],
        ids=["text", "object", "deep", "other job", "no text", "reason"],
    )
    def test_a_worker_that_answers_with_nonsense_is_killed(self, desk: Desk, answer: str) -> None:
        desk.submit("answer_for_the_worker", answer)

        lost = desk.lost("answer_for_the_worker")

        assert lost.reason is LostReason.CRASHED
        assert "the worker answered" in lost.detail
        assert desk.result("echo", "goes on") == "goes on"

    def test_an_answer_without_end_does_not_fill_the_memory(self, desk: Desk) -> None:
        desk.submit("never_end_a_line")

        assert "more than 64 MiB" in desk.lost().detail

    def test_closing_leaves_no_process(self, desk: Desk, tmp_path: Path) -> None:
        desk.submit("hang", str(tmp_path / "hangs"))
        desk.submit("hold_the_interpreter", str(tmp_path / "busy"))
        begun = [appeared(tmp_path / name) for name in ("hangs", "busy")]
        assert len(list(alive(begun[0]))) == 5  # two workers, a child of each, the guard

        desk.executor.close()

        assert [left(job, within_s=0) for job in begun] == [[], []]

    def test_a_closed_executor_takes_no_job(self, desk: Desk) -> None:
        desk.executor.close()
        desk.executor.close()

        with pytest.raises(ValueError, match="closed"):
            desk.submit("echo")

    def test_a_worker_that_this_machine_does_not_start_is_no_crash(self, desk: Desk) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            desk.submit("echo")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

        lost = desk.lost("echo")

        assert lost.reason is LostReason.NOT_STARTED
        assert "Too many open files" in lost.detail
        assert desk.result("echo", "goes on") == "goes on"

    def test_a_folder_that_cannot_be_made_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(MachineError, match="folder"):
            open_executor("process", jobs=1, folder=tmp_path / "file" / "folder")


def test_nothing_is_left_of_a_driver_that_is_killed(tmp_path: Path) -> None:
    with driver(HANGS, "process", tmp_path) as process:
        begun = [appeared(tmp_path / name) for name in ("hangs", "busy")]
        process.kill()
        output = process.communicate()

    assert [left(job) for job in begun] == [[], []]
    assert output == ("", "")


def test_nothing_is_left_of_a_driver_that_ends_without_closing(tmp_path: Path) -> None:
    script = HANGS.replace("executor.wait()", "sys.stdin.readline(), flush=True")
    with driver(script, "process", tmp_path) as process:
        begun = [appeared(tmp_path / name) for name in ("hangs", "busy")]
        process.communicate("\n")

    assert [left(job) for job in begun] == [[], []]


def test_closing_leaves_nothing_though_somebody_killed_the_guard(tmp_path: Path) -> None:
    with open_executor("process", jobs=1, folder=tmp_path) as executor:
        desk = Desk(executor, tmp_path)
        desk.submit("hold_the_interpreter", str(tmp_path / "busy"))
        begun = appeared(tmp_path / "busy")
        (guard,) = [found for found in alive(begun) if "mgit.execution.guard" in found]
        kill(int(guard.split()[0]))

    assert left(begun, within_s=0) == []


def test_ctrl_c_reaches_the_driver_alone(tmp_path: Path) -> None:
    script = """
with open_executor(kind, jobs=1, folder=folder) as executor:
    executor.submit(job("hangs", "hang", str(folder / "hangs")))
    try:
        executor.wait()
    except KeyboardInterrupt:
        executor.cancel("hangs")
        print(executor.wait().outcome.detail)
"""
    with driver(script, "process", tmp_path) as process:
        begun = appeared(tmp_path / "hangs")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate()

    assert (output, errors) == ("it was cancelled\n", "")
    assert left(begun, within_s=0) == []


def test_a_worker_inherits_no_secret_no_folder_and_pinned_numbers(tmp_path: Path) -> None:
    (tmp_path / "stray.py").touch()
    script = """
with open_executor(kind, jobs=1, folder=folder) as executor:
    executor.submit(job("look", "look"))
    print(executor.wait().outcome.result)
"""
    path = os.pathsep.join(["", str(tmp_path), str(ROOT)])
    variables = {"MGIT_PASSPHRASE": "secret", "OWN": "kept", "PYTHONPATH": path}
    with driver(script, "process", tmp_path, here=tmp_path, **variables) as process:
        output, errors = process.communicate()

    found = json.loads(output)
    assert errors == ""
    assert found["folder"] == str(tmp_path)
    assert not found["is_stray_found"]
    assert "MGIT_PASSPHRASE" not in found["environment"]
    assert found["environment"]["OWN"] == "kept"
    assert found["environment"]["PYTHONHASHSEED"] == "0"
    assert found["environment"]["MKL_NUM_THREADS"] == "1"


def test_an_executor_within_a_job_of_another_has_a_mark_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGIT_EXECUTION", "outer")

    with open_executor("process", jobs=1, folder=tmp_path) as executor:
        found = json.loads(Desk(executor, tmp_path).result("look"))
        (guard,) = [line for line in alive(found) if "mgit.execution.guard" in line]
        inherited = Path(f"/proc/{guard.split()[0]}/environ").read_bytes()

    assert found["mark"] not in {"", "outer"}
    assert b"MGIT_EXECUTION" not in inherited


def test_libraries_that_are_loaded_before_any_job_have_one_thread(tmp_path: Path) -> None:
    with open_executor("process", jobs=1, folder=tmp_path) as executor:
        found = json.loads(Desk(executor, tmp_path).result("look", threads=2))
        at_first = Path(f"/proc/{found['process']}/environ").read_bytes().split(b"\0")

    assert b"OMP_NUM_THREADS=1" in at_first
    assert found["environment"]["OMP_NUM_THREADS"] == "2"


def test_a_program_in_another_python_is_not_led_astray(tmp_path: Path) -> None:
    with open_executor("process", jobs=1, folder=tmp_path) as executor:
        found = json.loads(Desk(executor, tmp_path).result("look"))

    folders = found["environment"]["PYTHONPATH"].split(os.pathsep)
    assert str(ROOT) in folders
    assert not any("site-packages" in folder for folder in folders)
    assert os.path.dirname(subprocess.__file__) not in folders  # noqa: PTH120  # as sys.path has it
