"""git, and what sits on top of it: one commit of ``model.safetensors`` for each model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from benchmarks.storage.lineage import Model
from benchmarks.storage.measuring import Meter
from benchmarks.storage.peers.peer import Work
from benchmarks.storage.peers.tools import Environment, program, run

FILE = "model.safetensors"
_COMMIT = ("--quiet", "--all", "--allow-empty")  # two releases may be the same file
_PERSON = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "bench"), ("EMAIL", "bench@localhost"))
}


def commit_all(models: Sequence[Model], work: Work, *add: str) -> None:
    """Commits the models one after the other, and tags each with its name.

    Args:
        models: In order.
        work: Its store is a repository already.
        add: The command that takes the file in.
    """
    meter, store = work.meter, work.store
    for model in models:
        meter.run("cp", model.path, store / FILE)
        meter.run(*add, FILE, inside=store)
        meter.run("git", "commit", *_COMMIT, "-m", model.name, inside=store)
        meter.run("git", "tag", f"model-{model.name}", inside=store)
    (store / FILE).unlink()  # it is no part of what is stored


def check_out_all(models: Sequence[Model], work: Work, folder: Path, *then: str) -> None:
    """Checks the models out one after the other, and moves each into a folder."""
    for model in models:
        tag = f"model-{model.name}"
        work.meter.run("git", "checkout", "--quiet", "--force", tag, inside=work.store)
        if then:
            work.meter.run(*then, inside=work.store)
        (work.store / FILE).replace(folder / f"{model.name}.safetensors")


def begin(meter: Meter, store: Path) -> None:
    """Makes a repository that collects no garbage by itself."""
    meter.environment = {**_PERSON, "GIT_CONFIG_NOSYSTEM": "1"}
    meter.run("git", "init", "--quiet", "--initial-branch", "main", inside=store)
    meter.run("git", "config", "gc.auto", "0", inside=store)


@dataclass(frozen=True, slots=True)
class Git:
    """Plain git; with ``collects``, packed by ``git gc`` after the last model."""

    name: str = "git"
    collects: bool = False
    note: str = ""

    def install(self, tools: Path) -> str:
        """Returns the version of git."""
        return run(program("git", tools) / "git", "--version").split()[2]

    def add(self, models: Sequence[Model], work: Work) -> None:
        """Commits the models."""
        begin(work.meter, work.store)
        commit_all(models, work, "git", "add")
        if self.collects:
            work.meter.run("git", "gc", "--quiet", "--prune=now", inside=work.store)

    def export(self, models: Sequence[Model], work: Work, folder: Path) -> None:
        """Checks the models out."""
        check_out_all(models, work, folder)


@dataclass(frozen=True, slots=True)
class GitLfs:
    """Git with its large file storage."""

    name: str = "git-lfs"
    note: str = ""

    def install(self, tools: Path) -> str:
        """Unpacks it where it is missing."""
        return run(program("git-lfs", tools) / "git-lfs", "version").split()[0].split("/")[1]

    def add(self, models: Sequence[Model], work: Work) -> None:
        """Commits the models."""
        work.meter.path = [program("git-lfs", work.tools)]
        begin(work.meter, work.store)
        work.meter.run("git", "lfs", "install", "--local", inside=work.store)
        work.meter.run("git", "lfs", "track", FILE, inside=work.store)
        _commit_settings(work)
        commit_all(models, work, "git", "add")

    def export(self, models: Sequence[Model], work: Work, folder: Path) -> None:
        """Checks the models out."""
        check_out_all(models, work, folder)


@dataclass(frozen=True, slots=True)
class GitTheta:
    """git-theta: each tensor an object of git-lfs, updates dense."""

    name: str = "git-theta"
    note: str = ""
    environment: Environment = field(
        default=Environment("git-theta", ("git-theta[safetensors]==0.2.0",))
    )

    _VARIABLES: ClassVar[dict[str, str]] = {"GIT_THETA_CHECKPOINT_TYPE": "safetensors"}

    def install(self, tools: Path) -> str:
        """Installs it and git-lfs."""
        program("git-lfs", tools)
        self.environment.install(tools)
        return self.environment.version

    def add(self, models: Sequence[Model], work: Work) -> None:
        """Commits the models."""
        work.meter.path = [self.environment.programs(work.tools), program("git-lfs", work.tools)]
        begin(work.meter, work.store)
        work.meter.environment = {**work.meter.environment, **self._VARIABLES}
        work.meter.run("git", "lfs", "install", "--local", inside=work.store)
        work.meter.run("git-theta", "install", inside=work.store)
        track = ("track", "--checkpoint_format", "safetensors", FILE)
        work.meter.run("git-theta", *track, inside=work.store)
        _commit_settings(work)
        commit_all(models, work, "git", "add")

    def export(self, models: Sequence[Model], work: Work, folder: Path) -> None:
        """Checks the models out."""
        check_out_all(models, work, folder)


def _commit_settings(work: Work) -> None:
    work.meter.run("git", "add", ".gitattributes", inside=work.store)
    work.meter.run("git", "commit", "--quiet", "-m", "settings", inside=work.store)
