"""Drivers in processes of their own, and which processes are left of what they started."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60

_PRELUDE = """
import json, os, signal, sys
from pathlib import Path
from mgit.execution import Job, open_executor

kind, folder, *words = sys.argv[1:]
folder = Path(folder)

def job(id, function, argument=""):
    return Job(id, f"tests.execution.jobs:{function}", argument, str(folder / "job.log"))

"""


@contextmanager
def driver(
    script: str, kind: str, folder: Path, *, here: Path | None = None, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """A process that runs a script, in which ``kind``, ``folder`` and ``job`` are known."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "remotes"), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", _PRELUDE + script, kind, str(folder)],
        cwd=here,
        env=os.environ | {"PYTHONPATH": path} | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def appeared(path: Path) -> dict[str, object]:
    """Waits for the file that a job tells about itself with."""
    end = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} never appeared"
        time.sleep(0.01)
    found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


def left(job: Mapping[str, object], *, within_s: float = 8) -> list[str]:
    """Returns what still lives, after so long, of the executor that a job belonged to."""
    end = time.monotonic() + within_s
    while (found := list(alive(job))) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def alive(job: Mapping[str, object]) -> Iterator[str]:
    """Yields what lives of an executor: by session, and by its mark if the job told it."""
    mark = str(job["mark"]).encode() if "mark" in job else None
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, _, session, *_ = (process / "stat").read_text().rpartition(")")[2].split()
            command = (process / "cmdline").read_bytes()
            variables = (process / "environ").read_bytes()
            is_marked = mark is not None and (mark in variables or mark in command)
            is_ours = is_marked or int(session) == job["session"]
            if is_ours and state not in "ZX":
                yield f"{process.name} {command.decode(errors='replace')}"


def is_alive(process: object) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"
