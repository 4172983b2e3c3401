"""mgit, as a person calls it: one command a model, each in a process of its own."""

import hashlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.storage.lineage import Model
from benchmarks.storage.measuring import ROOT, FailedError, Meter
from benchmarks.storage.peers.coded import Coded
from benchmarks.storage.peers.peer import Work


@dataclass(frozen=True, slots=True)
class Mgit:
    """The command ``mgit`` of these sources.

    Attributes:
        name: What it is called.
        words: Options of ``mgit add``.
        last: A command after the last model.
        coder: An optional entropy coder, the package it comes from.
        note: What else is to be known.
    """

    name: str
    words: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    coder: str = ""
    note: str = ""

    def install(self, tools: Path) -> str:
        """Returns a digest of the sources; nothing is installed.

        Raises:
            FailedError: These sources have no such option, or the coder is not installed.
        """
        del tools
        meter = Meter(ROOT, variables(ROOT))
        known = meter.run(sys.executable, "-m", "mgit", "add", "--help")
        if missing := [word for word in self.words if word not in known]:
            raise FailedError(f"mgit add has no {missing[0]}")
        if not self.coder:
            return sources()
        if importlib.util.find_spec(self.coder) is None:
            raise FailedError(f"not installed: pip install 'mgit-models[{self.coder}]'")
        return f"{sources()}+{importlib.metadata.version(self.coder)}"

    def add(self, models: Sequence[Model], work: Work) -> None:
        """Adds the models, with their parents."""
        work.meter.environment = variables(work.meter.folder)
        self._run(work, "init", "--as", "bench")
        if self.coder:
            settings = work.store / ".mgit" / "config.toml"
            settings.write_text(f'entropy-coder = "{self.coder}"\n{settings.read_text("utf-8")}')
        for model in models:
            parents = [word for parent in model.parents for word in ("--parent", parent)]
            self._run(work, "add", *self.words, *parents, model.path, model.name)
        if self.last:
            self._run(work, *self.last)

    def export(self, models: Sequence[Model], work: Work, folder: Path) -> None:
        """Exports the models."""
        for model in models:
            written = work.meter.folder / "exported"
            self._run(work, "export", model.name, written)
            next(written.glob("*.safetensors")).replace(folder / f"{model.name}.safetensors")
            written.rmdir()

    def _run(self, work: Work, *words: str | Path) -> None:
        work.meter.run(sys.executable, "-m", "mgit", "--quiet", *words, inside=work.store)


@dataclass(frozen=True, slots=True)
class MgitInProcess(Coded):
    """mgit through its Python interface, one process for the whole family."""

    def install(self, tools: Path) -> str:
        """Returns a version that changes with the sources."""
        return f"{Coded.install(self, tools)}+{sources()}"


def variables(home: Path) -> dict[str, str]:
    """Returns what finds these sources, and keeps keys and caches in a folder."""
    return {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'remotes'}",
        "MGIT_CONFIG_HOME": str(home / "settings"),
        "XDG_CACHE_HOME": str(home / "cache"),
    }


def sources() -> str:
    """Returns a digest of the sources of mgit, 12 hexadecimal digits."""
    found = hashlib.sha256()
    for path in sorted((ROOT / "mgit").rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]
