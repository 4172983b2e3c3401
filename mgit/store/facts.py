"""Durable facts of this copy alone, in ``.mgit/local``: append-only JSON lines, synced."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mgit.store.files import machine_errors, sync_folder

Fact = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Facts:
    """One append-only file of facts.

    A line that a crash tore is skipped when reading, and never joined by the next one.
    """

    path: Path

    def append(self, *facts: Fact) -> None:
        """Adds facts; they are durable when this returns."""
        lines = "".join(json.dumps(fact, sort_keys=True) + "\n" for fact in facts)
        with machine_errors(f"writing {self.path.name}"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not self.path.exists()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
            with os.fdopen(os.open(self.path, flags, 0o666), "ab") as file:
                file.write(b"\n" + lines.encode() if self._is_torn() else lines.encode())
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                sync_folder(self.path.parent)

    def __iter__(self) -> Iterator[Fact]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return
        for line in content.splitlines():
            fact = _parse(line)
            if fact is not None:
                yield fact

    def _is_torn(self) -> bool:
        try:
            with self.path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                return file.read(1) != b"\n"
        except OSError:  # absent or empty: nothing to keep apart from
            return False


def _parse(line: bytes) -> Fact | None:
    try:
        fact = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return fact if isinstance(fact, dict) else None
