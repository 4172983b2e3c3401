"""What a command may load: importing torch costs a second or more, every time."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60

# What the first answer to a beginner must not wait for.
NOT_FOR_HELP = {"cryptography", "msgpack", "networkx", "numpy", "ray", "torch", "zstandard"}

# One day with a repository, in order, each command in a process of its own.
#
#     here: checkpoint -> base         there: a clone of here
DAY = {
    "init": "init here",
    "add": "-C here add {root}/checkpoint base",
    "log": "-C here log",
    "ls": "-C here ls",
    "show": "-C here show base",
    "status": "-C here status",
    "export": "-C here export base {root}/exported",
    "fsck": "-C here fsck",
    "gc": "-C here gc",
    "clone": "clone {root}/here there",
    "fetch": "-C there fetch",
    "pull": "-C there pull",
    "push": "-C there push",
}

# Runs as the entry point does, then reports what has been loaded, also after an error.
PROBE = """
import json, pathlib, sys

report = pathlib.Path(sys.argv.pop(1))
sys.argv[0] = "mgit"
try:
    from mgit.cli import main

    sys.exit(main())
finally:
    report.write_text(json.dumps(sorted(sys.modules)))
"""


@dataclass(frozen=True, slots=True)
class Ran:
    exit_code: int
    output: str
    modules: frozenset[str]


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    root = tmp_path_factory.mktemp("day")
    checkpoint = root / "checkpoint"
    checkpoint.mkdir()
    weights = np.arange(12, dtype=np.float32).reshape(3, 4)
    save_file({"weight": weights}, checkpoint / "model.safetensors")
    (checkpoint / "config.json").write_text('{"model_type": "tiny"}\n')

    return {
        command: run([word.format(root=root) for word in line.split()], folder=root)
        for command, line in DAY.items()
    }


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(option: str, tmp_path: Path) -> None:
    ran = run([option], folder=tmp_path)

    assert ran.exit_code == 0, ran.output
    assert ran.modules & NOT_FOR_HELP == frozenset()


@pytest.mark.parametrize("command", DAY)
def test_an_everyday_command_loads_neither_torch_nor_ray(command: str, day: dict[str, Ran]) -> None:
    ran = day[command]

    assert ran.exit_code == 0, ran.output
    assert ran.modules & {"torch", "ray"} == frozenset()


def run(words: list[str], *, folder: Path) -> Ran:
    report = folder / "loaded.json"
    environment = os.environ | {
        "MGIT_CONFIG_HOME": str(folder / "config"),  # never the identity of whoever runs the tests
        "NO_COLOR": "1",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "remotes"))),
    }

    done = subprocess.run(
        [sys.executable, "-P", "-c", PROBE, str(report), *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    return Ran(done.returncode, done.stdout, frozenset(json.loads(report.read_text())))
