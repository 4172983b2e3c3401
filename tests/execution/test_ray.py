"""Jobs on Ray. Starting it takes seconds, so most tests share one."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mgit.errors import MachineError
from mgit.execution import Executor, LostReason, open_executor
from mgit.execution.ray import RayExecutor
from tests.execution.contract import Desk, WorkerContract, gone, kill
from tests.execution.watching import alive, appeared, driver, left

pytest.importorskip("ray")


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
    folder = tmp_path_factory.mktemp("executor")
    with open_executor("ray", jobs=2, folder=folder) as executor:
        yield executor


class TestRayExecutor(WorkerContract):
    how_a_killed_worker_is_told = "the worker died: The actor is dead because its worker process"

    def test_jobs_that_run_and_jobs_that_wait_are_lost_with_ray_which_is_started_again(
        self, desk: Desk, tmp_path: Path
    ) -> None:
        desk.submit("hang", str(tmp_path / "begun"))
        begun = appeared(tmp_path / "begun")

        kill(begun["session"])

        lost = desk.lost("hang")
        assert lost.reason is LostReason.CRASHED
        assert lost.detail == "the process that Ray runs in was killed by signal 9"
        assert left({"session": begun["session"]}, within_s=0) == []
        assert desk.result("echo", "goes on") == "goes on"


def test_a_cluster_can_be_joined_and_closing_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mgit.execution.inherited.pinned_variables", dict)  # a cluster of others
    with RayExecutor(2, tmp_path / "cluster") as cluster:
        desk = Desk(cluster, tmp_path)
        begun = json.loads(desk.result("look"))
        token, address = begun["environment"]["RAY_AUTH_TOKEN_PATH"], desk.result("address")
        assert Path(token).stat().st_mode & 0o777 == 0o600
        assert Path(token).with_name("session_latest").exists()  # Ray writes there, nowhere else
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", token)

        with open_executor("ray", jobs=9, address=address, folder=tmp_path / "guest") as guest:
            found = json.loads(Desk(guest, tmp_path).result("look"))
            capacity = guest.capacity

        assert capacity == 2
        assert found["session"] == begun["session"] != os.getsid(0)
        assert found["environment"]["PYTHONHASHSEED"] == "0"
        assert gone(found["process"])
        assert desk.result("echo", "goes on") == "goes on"

    assert left(begun, within_s=0) == []
    assert not Path(token).parent.exists()


def test_nothing_is_printed_and_nothing_left_of_a_driver_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "stray.py").touch()
    script = """
with open_executor(kind, jobs=2, folder=folder) as executor:
    executor.submit(job("dies", "kill_itself"))
    executor.wait()
    executor.submit(job("hangs", "hang", str(folder / "hangs")))
    executor.submit(job("busy", "hold_the_interpreter", str(folder / "busy")))
    executor.wait()
"""
    variables = {
        "HOME": str(tmp_path),
        "MGIT_PASSPHRASE": "secret",
        "RAY_ADDRESS": "127.0.0.1:9",
        "RAY_AUTH_MODE": "disabled",
        "RAY_AUTH_TOKEN": "of another cluster",
        "RAY_ENABLE_ZERO_COPY_TORCH_TENSORS": "1",
    }
    with driver(script, "ray", tmp_path, here=tmp_path, **variables) as process:
        begun = [appeared(tmp_path / name) for name in ("hangs", "busy")]
        assert len(list(alive(begun[0]))) > 8  # what Ray needs for two jobs
        process.kill()
        output = process.communicate()

    assert [left(job, within_s=2) for job in begun] == [[], []]
    assert output == ("", "")
    environment, modules = begun[0]["environment"], begun[0]["modules"]
    assert isinstance(environment, dict)
    assert isinstance(modules, list)
    assert environment["RAY_AUTH_MODE"] == "token"
    assert not environment.keys() & variables.keys() - {"HOME", "RAY_AUTH_MODE"}
    assert (begun[0]["folder"], begun[0]["is_stray_found"]) == (str(tmp_path), False)
    scratch = Path(environment["RAY_AUTH_TOKEN_PATH"]).parent
    assert str(scratch) not in modules
    assert not scratch.exists()
    assert not (tmp_path / ".ray").exists()


def test_a_cluster_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"127.0.0.1:9: no answer within 1 s") as given_up:
        RayExecutor(1, tmp_path, address="127.0.0.1:9", start_s=1)

    assert "--executor process" in given_up.value.hint


def test_why_ray_does_not_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"joining .* at nonsense: Invalid address"):
        RayExecutor(1, tmp_path, address="nonsense")

    assert "ValueError" in (tmp_path / "executor.log").read_text(encoding="utf-8")


def test_no_temporary_folder_is_left_where_nothing_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("mgit.execution.ray._short_folder", lambda: tmp_path / "scratch")

    with pytest.raises(MachineError, match="folder"):
        RayExecutor(1, tmp_path / "file" / "folder")

    assert not (tmp_path / "scratch").exists()


def test_without_ray_it_is_told_how_to_get_it(tmp_path: Path) -> None:
    script = """
import importlib.util, mgit
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "ray" else find(name, *rest)
try:
    open_executor(kind, jobs=1, folder=folder / "executor")
except mgit.MgitError as error:
    print(type(error).__name__, error, error.hint, sep="|")
"""
    with driver(script, "ray", tmp_path) as process:
        output, errors = process.communicate()

    assert output.startswith("MachineError|Ray is not installed|pip install 'mgit-models[ray]'")
    assert errors == ""
    assert not (tmp_path / "executor").exists()


def test_a_driver_of_ray_imports_none_of_it(tmp_path: Path) -> None:
    script = """
try:
    open_executor(kind, jobs=1, address="nonsense", folder=folder)
except Exception as error:
    print(type(error).__name__, "ray" in sys.modules, "threadpoolctl" in sys.modules)
"""
    with driver(script, "ray", tmp_path) as process:
        output, errors = process.communicate()

    assert (output, errors) == ("MachineError False False\n", "")
