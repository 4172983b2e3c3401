"""Checks that met a disk that refuses: that says nothing about a model, so nothing is signed.

base: alone; its check answers goes well, and the other one, called wrong, meets the disk
"""

from pathlib import Path

import pytest

from mgit.checks import State
from mgit.errors import MachineError
from mgit.objects import CHUNK, SCORES, TEST_RESULT, Ref
from tests.checkpoints import parts_of, place_of, spoil
from tests.checks.desk import ANSWERS, Desk, desk
from tests.cli.terminal import Terminal
from tests.damage.disks import disk, fill

FULL = 'with open("/dev/full", "w") as file: file.write("much")'
FAILING = 'with open("/proc/self/mem", "rb") as file: file.read(1)'
LIMITED = """import os, resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.write(os.memfd_create("file"), b"much")"""
WRONG = """

@mgit.check(on="base")
def wrong(model):
    {body}
    return {{"loss": 1.0}}
"""


@pytest.fixture
def alice(tmp_path: Path) -> Desk:
    return desk(tmp_path)


def register(alice: Desk, body: str) -> None:
    alice.write(ANSWERS + WRONG.format(body=body))
    alice.register()
    alice.register("tasks:wrong", arguments={})


def require_nothing_is_signed(alice: Desk) -> None:
    assert alice.claims("base", TEST_RESULT) == []
    assert alice.claims("base", SCORES) == []


@pytest.mark.parametrize(
    ("body", "executor", "says"),
    [
        (FULL, "inline", "No space left on device"),
        (FULL, "process", "No space left on device"),
        (FAILING, "inline", "Input/output error"),
        (LIMITED, "process", "File too large"),
    ],
)
def test_what_the_disk_refuses_a_check_is_no_result(
    alice: Desk, body: str, executor: str, says: str
) -> None:
    register(alice, body)
    before = alice.entries()

    with pytest.raises(MachineError) as told:
        alice.test(executor=executor)

    said = f"tasks:wrong on base could not run here: the disk says: {says}"
    assert str(told.value).startswith(said)
    assert told.value.hint
    assert told.value.exit_code == 8
    assert alice.entries() == before
    require_nothing_is_signed(alice)


def test_what_was_measured_before_is_not_measured_again(alice: Desk) -> None:
    register(alice, FULL)
    with pytest.raises(MachineError):
        alice.test()
    assert alice.runs() == 1

    row = alice.row(only=["answers"])

    assert (row.state, alice.runs()) == (State.PASSED, 0)


@pytest.mark.parametrize(
    "body",
    [
        'open("/nowhere/at/all")',
        'open("/etc")',
        'raise OSError("no disk said so")',
        'raise RuntimeError("No space left on device")',
    ],
)
def test_what_a_check_does_wrong_itself_is_a_result(alice: Desk, body: str) -> None:
    register(alice, body)

    good, bad = alice.test().rows

    assert (good.state, bad.state) == (State.PASSED, State.ERRORED)
    assert len(alice.claims("base", TEST_RESULT)) == 2


def test_a_model_that_cannot_be_written_for_a_check_is_no_result(alice: Desk) -> None:
    register(alice, "model.folder()")
    alice.model("base", [1.0] * 30_000)

    with disk(alice.repository.folder / "decoded", "size=3m") as room:
        filler = fill(room, but_pages=20)
        with pytest.raises(MachineError) as told:
            alice.test()
        require_nothing_is_signed(alice)
        filler.unlink()
        report = alice.test()

    assert "free some space" in told.value.hint
    assert [row.state for row in report.rows] == [State.PASSED, State.PASSED]


def test_a_check_for_which_no_worker_can_be_started_is_no_result(alice: Desk) -> None:
    log = alice.repository.folder / "work" / "executor.log"
    body = f"import os; os.unlink({str(log)!r}); os.mkdir({str(log)!r}); os.kill(os.getpid(), 9)"
    alice.write(ANSWERS + WRONG.format(body=body))
    alice.register("tasks:wrong", arguments={}, name="ahead")
    alice.register()

    with pytest.raises(MachineError, match="could not run here: no worker for it") as told:
        alice.test(executor="process")

    assert told.value.hint
    require_nothing_is_signed(alice)
    log.rmdir()
    assert alice.row(only=["answers"], executor="process").state is State.PASSED


def test_a_check_of_which_nothing_can_be_logged_is_no_result(alice: Desk) -> None:
    alice.register()
    logs = alice.repository.folder / "work" / "logs"
    logs.parent.mkdir(parents=True, exist_ok=True)
    logs.write_text("in the way")

    with pytest.raises(MachineError, match="cannot be written"):
        alice.test()

    require_nothing_is_signed(alice)
    logs.unlink()
    assert alice.row().state is State.PASSED


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_model_that_a_check_found_damaged_is_not_here(alice: Desk, executor: str) -> None:
    alice.register()
    alice.model("base", [1.0] * 3_000)
    (tensor,) = parts_of(alice.repository, "base").weights.tensors.values()
    for chunk in tensor.chunks:
        spoil(alice.repository, place_of(alice.repository, Ref(CHUNK, chunk)))

    row = alice.row(executor=executor)

    assert (row.state, row.blocks) == (State.ABSENT, True)
    assert "damaged" in row.sentences[0]
    require_nothing_is_signed(alice)


def test_the_command_says_that_it_is_this_machine(tmp_path: Path) -> None:
    alice = Terminal("alice", tmp_path)
    alice.does("init --as alice")
    alice.does(f"add {alice.checkpoint(0)} base")
    (alice.folder / "tasks.py").write_text(ANSWERS + WRONG.format(body=FULL))
    alice.does("check add tasks:wrong")

    ended = alice.run("test --executor inline")

    assert ended.exit_code == 8
    assert "No space left on device" in ended.err
    assert "free some space on that disk, then run the same command again" in ended.err
    assert "test" not in [
        done["verb"] for done in alice.does("op log --json").document["operations"]
    ]
