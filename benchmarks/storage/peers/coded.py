"""Peers that are modules of ``coders``, each run in a process of its own."""

import hashlib
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.storage.lineage import Model, write_models
from benchmarks.storage.measuring import ROOT
from benchmarks.storage.peers.peer import Work
from benchmarks.storage.peers.tools import Environment

_CODERS = Path(__file__).resolve().parents[1] / "coders"


@dataclass(frozen=True, slots=True)
class Coded:
    """A module of ``coders``.

    Attributes:
        name: What it is called.
        module: Of ``coders``.
        environment: With the packages that it needs; None: this one.
        note: What else is to be known.
        before: Words of the command before the interpreter.
        variables: Of its environment.
    """

    name: str
    module: str
    environment: Environment | None = None
    note: str = ""
    before: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def install(self, tools: Path) -> str:
        """Makes the environment; the version is that of its package and of the code here."""
        if self.environment:
            self.environment.install(tools)
        own = (_CODERS / f"{self.module}.py").read_bytes()
        told = hashlib.sha256(own + (_CODERS / "one_by_one.py").read_bytes()).hexdigest()[:8]
        version = self.environment.version if self.environment else platform.python_version()
        return f"{version}+{told}"

    def add(self, models: Sequence[Model], work: Work) -> None:
        """Runs the module once for all models."""
        self._run(models, work, "add")

    def export(self, models: Sequence[Model], work: Work, folder: Path) -> None:
        """Runs the module once for all models."""
        self._run(models, work, "export", folder)

    def _run(self, models: Sequence[Model], work: Work, verb: str, *rest: Path) -> None:
        at = self.environment.programs(work.tools) / "python" if self.environment else None
        own = {"PYTHONPATH": f"{ROOT}:{ROOT / 'remotes'}"}
        work.meter.environment = own | dict(self.variables)
        module = f"benchmarks.storage.coders.{self.module}"
        family = work.meter.folder / "family.json"
        write_models(models, family)
        words = (*self.before, at or sys.executable, "-m", module)
        work.meter.run(*words, verb, family, work.store, *rest)
