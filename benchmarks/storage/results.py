"""What was measured of a peer, and the files that keep it between runs."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.storage.measuring import Cost


@dataclass(frozen=True, slots=True)
class Result:
    """One peer with one family.

    Attributes:
        peer: What it is called.
        version: Of the tool.
        family: Name of the family.
        models: How many it has.
        raw_bytes: The sum of their files.
        stored_bytes: All that the peer keeps of them.
        add: What it took to store all of them, one after the other.
        export: What it took to write all of them back.
        exact: How many came back as they were, or how far they are off.
        note: What else is to be known.
        load: How many processes wanted to run when it began; more than cores make all CPU dearer.
    """

    peer: str
    version: str
    family: str
    models: int
    raw_bytes: int
    stored_bytes: int
    add: Cost
    export: Cost
    exact: str
    note: str = ""
    load: float = 0.0

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """Returns the result that ``asdict`` has turned into JSON."""
        costs = {name: Cost(**told[name]) for name in ("add", "export")}
        return cls(**{**told, **costs})


@dataclass(frozen=True, slots=True)
class Failure:
    """A peer that could not be measured, and why."""

    peer: str
    family: str
    reason: str


@dataclass(frozen=True, slots=True)
class Kept:
    """Results of earlier runs: one file for each version of a peer and bytes of a family."""

    folder: Path

    def find(self, peer: str, version: str, digest: str) -> Result | None:
        """Returns what was measured before, if it was."""
        path = self._path(peer, version, digest)
        return Result.of(json.loads(path.read_text("utf-8"))) if path.exists() else None

    def keep(self, result: Result, digest: str) -> None:
        """Stores a result for the runs to come."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(result.peer, result.version, digest)
        path.write_text(json.dumps(asdict(result), indent=1), "utf-8")

    def _path(self, peer: str, version: str, digest: str) -> Path:
        plain = re.sub(r"[^A-Za-z0-9.+]+", "-", f"{peer} {version}").strip("-")
        return self.folder / f"{plain}-{digest}.json"
