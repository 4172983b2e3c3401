"""DVC: digests in git, files in a cache."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.storage.lineage import Model
from benchmarks.storage.peers.git import begin, check_out_all, commit_all
from benchmarks.storage.peers.peer import Work
from benchmarks.storage.peers.tools import Environment


@dataclass(frozen=True, slots=True)
class Dvc:
    """Each model is added and committed; the working copy does not count, the cache does."""

    name: str = "DVC"
    note: str = ""
    environment: Environment = field(default=Environment("dvc", ("dvc==3.67.1",)))

    def install(self, tools: Path) -> str:
        """Installs it."""
        self.environment.install(tools)
        return self.environment.version

    def add(self, models: Sequence[Model], work: Work) -> None:
        """Commits the models."""
        meter, store = work.meter, work.store
        meter.path = [self.environment.programs(work.tools)]
        begin(meter, store)
        own = {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(meter.folder / "site")}
        meter.environment = {**meter.environment, **own}
        meter.run("dvc", "init", "--quiet", inside=store)
        meter.run("dvc", "config", "core.autostage", "true", inside=store)
        meter.run("dvc", "config", "core.analytics", "false", inside=store)
        meter.run("git", "commit", "--quiet", "--all", "-m", "settings", inside=store)
        commit_all(models, work, "dvc", "add", "--quiet")

    def export(self, models: Sequence[Model], work: Work, folder: Path) -> None:
        """Checks the models out."""
        check_out_all(models, work, folder, "dvc", "checkout", "--quiet")
