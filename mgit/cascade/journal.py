"""What happened in a cascade, line by line: durable before anything takes long, for people to read.

Nothing is resumed from it: a run that was cut off is planned again, and finds its results.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from mgit.cascade.plan import Plan
from mgit.errors import NotFoundError
from mgit.repository import Repository, now
from mgit.store import Fact, Facts

_FOLDER, _EVENTS = "cascade", "events.jsonl"


@dataclass(frozen=True, slots=True)
class Journal:
    """The folder of one run: its events, and what its steps printed.

    Attributes:
        run: What the run is called: when it began.
        folder: ``.mgit/cascade/<run>``.
    """

    run: str
    folder: Path
    _noted: list[Fact] = field(default_factory=list, repr=False)

    @classmethod
    def begin(cls, repository: Repository, plan: Plan) -> Self:
        """Returns the journal of a run that begins now."""
        run = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"  # so that sorted names are in order of time
        journal = cls(run, repository.folder / _FOLDER / run)
        steps = [
            {"step": s.node.hex(), "title": s.title, "action": s.action.value} for s in plan.steps
        ]
        journal.write("planned", steps=steps)
        return journal

    @classmethod
    def find(cls, repository: Repository, run: str = "") -> Self:
        """Returns the journal of a run; the last one if none is named.

        Raises:
            NotFoundError: There is none.
        """
        runs = [name for name in cls.runs(repository) if name.startswith(run)]
        if not runs:
            raise NotFoundError(f"there was no cascade {run}".rstrip(), hint="mgit cascade run")
        return cls(runs[-1], repository.folder / _FOLDER / runs[-1])

    @staticmethod
    def runs(repository: Repository) -> list[str]:
        """Returns what the runs here are called, the oldest first."""
        return sorted(
            path.parent.name for path in (repository.folder / _FOLDER).glob(f"*/{_EVENTS}")
        )

    def write(self, event: str, **details: object) -> None:
        """Notes an event; it is durable when this returns."""
        self.note(event, **details)
        self.sync()

    def note(self, event: str, **details: object) -> None:
        """Notes an event; it is durable after the next ``sync``."""
        self._noted.append({"time": now(), "event": event, **details})

    def sync(self) -> None:
        """Makes what was noted durable, all in one go: thousands of steps may just be known."""
        if self._noted:
            Facts(self.folder / _EVENTS).append(*self._noted)
            self._noted.clear()

    def events(self) -> Iterator[Fact]:
        """Yields the events, the oldest first."""
        yield from Facts(self.folder / _EVENTS)

    def log(self, step: str) -> Path:
        """Returns the file for what a step prints."""
        return self.folder / "logs" / f"{step}.log"

    def outcome(self) -> Fact | None:
        """Returns what the run came to; None where it was cut off."""
        return next((event for event in self.events() if event.get("event") == "ended"), None)
