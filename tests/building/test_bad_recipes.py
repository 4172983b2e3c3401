"""A recipe that does not do what it is for: one typed error, and nothing else has happened."""

import textwrap
from pathlib import Path

import numpy as np
import pytest

from mgit.building import context_in, scratch
from mgit.errors import MachineError, RunError, UsageError
from tests.building.projects import HEAD, Maker, maker, write_arrays
from tests.cli.terminal import Terminal
from tests.damage.disks import disk, fill
from tests.family import files

ARRAYS = 'arrays = {n: a + 1 for n, a in parents["base"].arrays().items()}\n'
BAD = {
    "raises": ('raise ValueError("no luck")', "ValueError: no luck"),
    "ends Python": ("raise SystemExit(0)", "SystemExit"),
    "returns nothing": ("pass", "returned NoneType"),
    "returns a number": ("return 7", "returned int"),
    "lacks a tensor": ('del arrays["first"]\nreturn arrays', "lacks first"),
    "has another name": ('return arrays | {"third": arrays["first"]}', "has third that"),
    "has names that are no text": ("return arrays | {1: arrays['first']}", "has 1 that"),
    "another shape": ('return arrays | {"first": np.ones(5, np.float32)}', "shape [5]"),
    "flattens to nothing": ('return arrays | {"first": np.float32(1)}', "neither a torch"),
    "NaN": ('arrays["first"][1] = np.nan\nreturn arrays', "NaN or infinity in 1 places"),
    "infinity": ('arrays["first"][:2] = np.inf\nreturn arrays', "NaN or infinity in 2 places"),
    "a list": ('return arrays | {"first": [1.0, 2.0, 3.0, 4.0]}', "a list is neither"),
    "objects": ('return arrays | {"first": np.array([{}] * 4)}', "cannot be stored"),
    "dates": ('return arrays | {"first": np.zeros(4, "M8[s]")}', "cannot be stored"),
    "no such parent": ('return parents["teacher"].arrays()', "asks for the parent 'teacher'"),
    "no such path": ('return "/nowhere/at/all"', "refused"),
    "an empty folder": ("return context.folder", "refused"),
    "a pickle": (
        '(context.folder / "model.bin").write_bytes(b"\\x80\\x04N.")\nreturn context.folder',
        "is a pickle",
    ),
    "a folder without tensors": (
        '(context.folder / "config.json").write_text("{}")\nreturn context.folder',
        "there is no tensor",
    ),
    "no checkpoint": (
        '(context.folder / "model.safetensors").write_bytes(b"x" * 99)\nreturn context.folder',
        "refused",
    ),
}


@pytest.fixture
def alice(tmp_path: Path) -> Maker:
    return maker(tmp_path)


def write(alice: Maker, body: str) -> None:
    text = "@mgit.recipe\ndef tune(parents, *, context):\n"
    alice.write(text + textwrap.indent(ARRAYS + body, "    ") + "\n")


@pytest.mark.parametrize("what", BAD)
def test_a_run_that_makes_no_model_leaves_nothing(alice: Maker, what: str) -> None:
    body, told = BAD[what]
    write(alice, body)
    before = alice.state()

    with pytest.raises(RunError) as raised:
        alice.build()

    assert told in str(raised.value)
    assert raised.value.hint
    assert raised.value.exit_code == 1
    assert alice.state() == before
    assert alice.is_sound()


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_what_the_disk_refuses_a_recipe_is_no_fault_of_the_recipe(
    alice: Maker, executor: str
) -> None:
    write(alice, 'with open("/dev/full", "w") as file:\n    file.write("much")\nreturn arrays')
    before = alice.state()

    with pytest.raises(MachineError, match="No space left on device") as raised:
        alice.build(executor=executor)

    assert "free some space" in raised.value.hint
    assert alice.state() == before


def test_a_disk_without_room_for_the_result_is_told_and_room_helps(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "size=4m") as room:
        alice = maker(room)
        alice.add("base", {"w": np.zeros(50_000, np.float32)})
        write(alice, 'return {"w": np.random.default_rng(1).random(50_000, np.float32)}')
        before = alice.state()
        filler = fill(room, but_pages=30)

        with pytest.raises(MachineError, match="No space left on device") as raised:
            alice.build()

        assert "free some space" in raised.value.hint
        assert alice.state() == before
        filler.unlink()
        assert alice.build().is_new
        assert alice.is_sound()


def test_a_result_that_the_disk_does_not_give_back_is_no_fault_of_the_recipe(alice: Maker) -> None:
    memory = '(context.folder / "model.safetensors").symlink_to("/proc/self/mem")'
    write(alice, f"{memory}\nreturn context.folder")

    with pytest.raises(MachineError, match="Input/output error"):
        alice.build()


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(0)"])
def test_a_recipe_that_kills_its_process_is_told(alice: Maker, end: str) -> None:
    write(alice, f"import os\n{end}")
    before = alice.state()

    with pytest.raises(RunError, match="crashed"):
        alice.build(executor="process")

    assert alice.state() == before
    assert alice.is_sound()


def test_a_recipe_that_hangs_is_ended(alice: Maker) -> None:
    write(alice, "import time\ntime.sleep(600)")
    before = alice.state()

    with pytest.raises(RunError, match="timed out") as raised:
        alice.build(executor="process", timeout_s=0.5)

    assert "--timeout" in raised.value.hint
    assert alice.state() == before


def test_a_time_limit_cannot_be_kept_in_this_process(alice: Maker) -> None:
    write(alice, "return arrays")

    with pytest.raises(UsageError, match="time limit"):
        alice.build(timeout_s=1)


def test_no_memory_is_told_as_such(alice: Maker) -> None:
    write(alice, "return {n: np.ones(1 << 57) for n in arrays}")

    with pytest.raises(RunError, match="out of memory"):
        alice.build()


def test_writing_into_a_parent_reaches_only_the_result(alice: Maker) -> None:
    base = alice.values("base")
    write(
        alice,
        'given = parents["base"].arrays()\nfor a in given.values():\n    a[:] = 9\nreturn given',
    )

    alice.build()

    assert alice.values("base") == base
    assert alice.values("tuned")["first"] == [9.0] * 4
    assert alice.is_sound()


def test_a_whole_checkpoint_may_be_of_other_tensors(alice: Maker) -> None:
    write(
        alice,
        """
from pathlib import Path
import shutil
shutil.copytree(context.data["made"], context.folder, dirs_exist_ok=True)
return context.folder
""",
    )
    made = write_arrays(alice.project / "made", {"new": np.ones((2, 3))})

    alice.build(data={"made": made})

    assert alice.values("tuned") == {"new": [[1.0] * 3] * 2}
    assert alice.is_sound()


def test_what_a_recipe_prints_is_in_its_log_only(
    alice: Maker, capfd: pytest.CaptureFixture[str]
) -> None:
    write(alice, 'print("hello from inside")\nreturn arrays')

    alice.build()

    (log,) = (alice.repository.folder / "work" / "logs").iterdir()
    assert "hello from inside" in log.read_text()
    assert capfd.readouterr() == ("", "")


def test_checkpoints_stay_until_a_run_ends_well(alice: Maker) -> None:
    write(
        alice,
        """
mark = context.checkpoints / "mark"
if not mark.exists():
    mark.touch()
    (context.folder / "gone").touch()
    raise ValueError("cut off")
assert not list(context.folder.iterdir())
return arrays
""",
    )
    with pytest.raises(RunError, match="cut off"):
        alice.build()

    alice.build()

    runs = scratch(alice.repository)
    assert files(runs) == {}


def test_two_runs_of_the_same_at_once_do_not_remove_each_others_folder(tmp_path: Path) -> None:
    asked = {"work": str(tmp_path / "runs" / "action"), "data": {}, "threads": 1}
    with context_in(asked) as first:
        (first.checkpoints / "mark").touch()

        with context_in(asked) as second:
            seen = files(second.checkpoints)
            (second.folder / "model").touch()

        assert seen == {}
        assert files(first.checkpoints).keys() == {"mark"}
    assert files(tmp_path) == {}


def test_the_command_line_exits_with_one_and_shows_one_error(tmp_path: Path) -> None:
    alice = Terminal("alice", tmp_path)
    alice.does("init --as alice")
    alice.does(f"add {alice.checkpoint(0)} base")
    (alice.folder / "bad.py").write_text(
        HEAD + "@mgit.recipe\ndef tune(parents):\n    print('x')\n    raise KeyError('y')\n"
    )
    before = alice.does("log --json").out, alice.does("ls --json").out

    people = alice.run("build tuned --parent base --recipe bad:tune --executor inline")
    script = alice.run("build tuned --parent base --recipe bad:tune --executor inline --json")

    assert (people.exit_code, script.exit_code) == (1, 1)
    assert people.err.startswith("mgit: bad:tune failed")
    assert "KeyError" in people.err
    assert "Traceback" not in people.err
    assert "KeyError" in script.err + script.out
    assert (alice.does("log --json").out, alice.does("ls --json").out) == before
    alice.does("fsck")
