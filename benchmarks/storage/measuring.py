"""Commands in processes of their own, and what they cost: CPU, wall, memory.

This process stays small on purpose: the peak that the kernel tells of a child is at least what its
parent had when the child was started.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Nobody has these set, and each would make one of the tools slower or find what is not its own.
_UNUSUAL = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "XDG_CONFIG_HOME", "GIT_DIR")


class FailedError(Exception):
    """A peer could not be installed or did not do its work; the message says why."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What commands took.

    Attributes:
        cpu_s: User and system time, of the children of the commands as well.
        wall_s: Time on the clock.
        peak_bytes: Resident memory of the largest of the processes.
    """

    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_bytes: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.cpu_s + other.cpu_s,
            self.wall_s + other.wall_s,
            max(self.peak_bytes, other.peak_bytes),
        )


@dataclass(slots=True)
class Meter:
    """Runs commands and adds up what they cost.

    Attributes:
        folder: Where commands run; also their home, so that no setting of a person counts.
        environment: Further variables.
        path: Folders that are looked into first.
        total: What was measured so far.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    path: Sequence[Path] = ()
    total: Cost = Cost()

    def run(self, *words: str | Path, inside: Path | None = None) -> str:
        """Runs a command to its end and returns what it printed.

        Raises:
            FailedError: Its exit code is not 0.
        """
        with tempfile.TemporaryFile() as printed:
            begun = time.perf_counter()
            child = subprocess.Popen(
                [str(word) for word in words],
                cwd=inside or self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            wall_s = time.perf_counter() - begun
            printed.seek(0)
            text = printed.read().decode(errors="replace")
        self.total += Cost(usage.ru_utime + usage.ru_stime, wall_s, usage.ru_maxrss << 10)
        if child.returncode:
            raise FailedError(f"{Path(words[0]).name} {words[1]} {words[2]}: {told(text)}")
        return text

    def taken(self) -> Cost:
        """Returns what was measured since the last call."""
        found, self.total = self.total, Cost()
        return found

    def _environment(self) -> dict[str, str]:
        usual = {name: value for name, value in os.environ.items() if name not in _UNUSUAL}
        usual["PATH"] = os.pathsep.join([*map(str, self.path), usual.get("PATH", "")])
        usual["HOME"] = str(self.folder)
        return usual | {"LC_ALL": "C.UTF-8"} | dict(self.environment)


def python(module: str, *arguments: object) -> str:
    """Runs a module of these sources in a process of its own and returns what it printed.

    What it says on standard error is seen while it runs.

    Raises:
        FailedError: It failed.
    """
    path = [ROOT, ROOT / "remotes", ROOT / "examples" / "01_first_family"]
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        check=False,
        text=True,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))},
    )
    if done.returncode:
        raise FailedError(f"python -m {module} failed")
    return done.stdout


def machine() -> str:
    """Returns what the numbers say something about: processor, cores, load, Python."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text("utf-8").splitlines() if described.exists() else []
    names = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return (
        f"{next(names, platform.machine())}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f} at the start, Python {platform.python_version()}"
    )


def told(text: str) -> str:
    """Returns the line of what a failed command printed that says what is wrong."""
    lines = text.strip().splitlines() or ["it printed nothing"]
    wrong = [line for line in lines if line.startswith(("ERROR", "E:", "fatal:", "mgit:"))]
    return (wrong or lines)[-1]


def size(folder: Path) -> int:
    """Returns the bytes of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
