"""The command line as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal

ROOT = Path(__file__).parents[2]


@pytest.fixture
def alice(tmp_path: Path) -> Terminal:
    alice = Terminal("alice", tmp_path)
    alice.does("init --as alice")
    alice.does(f"add {alice.checkpoint(0)} base")
    return alice


def environment(alice: Terminal, **more: str) -> dict[str, str]:
    home = {"MGIT_CONFIG_HOME": str(alice.root / "homes" / "alice")}
    path = os.pathsep.join((str(ROOT), str(ROOT / "remotes")))
    return {**os.environ, **home, "PYTHONPATH": path, **more}


def mgit(alice: Terminal, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mgit", *words],
        cwd=alice.folder,
        env=environment(alice, **more),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_prints_and_exits_as_it_does_in_a_process(alice: Terminal) -> None:
    listed = mgit(alice, "ls", "--json")
    unknown = mgit(alice, "show", "nobody")

    assert listed.returncode == 0
    assert listed.stdout == alice.does("ls --json").out
    assert unknown.returncode == 4
    assert unknown.stderr == alice.run("show nobody").err


def test_a_folder_that_is_gone_is_told(alice: Terminal, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()

    done = subprocess.run(
        ["sh", "-c", 'rmdir "$PWD" && exec "$0" -m mgit ls', sys.executable],
        cwd=gone,
        env=environment(alice),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 8
    assert "is gone" in done.stderr


def test_a_reader_that_stops_reading_is_no_error(alice: Terminal) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "w") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "mgit", "ls"],
            cwd=alice.folder,
            env=environment(alice),
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_shell_completes_commands_and_names(alice: Terminal) -> None:
    def completed(line: str) -> list[str]:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
        done = mgit(alice, _MGIT_COMPLETE="complete_bash", **words)
        return done.stdout.split()

    assert completed("mgit expo") == ["export"]
    assert completed("mgit show b") == ["base"]
    assert completed(f"mgit -C {alice.root} show b") == []
