"""What is measured of a peer: it stores a family, and writes it back."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.storage.lineage import Model
from benchmarks.storage.measuring import Meter


@dataclass(frozen=True, slots=True)
class Work:
    """Where a peer works on one family.

    Attributes:
        meter: Runs its commands; what they take counts.
        store: Empty at first. All that lies in it after adding counts, so nothing else may.
        tools: What was installed for peers.
    """

    meter: Meter
    store: Path
    tools: Path


class Peer(Protocol):
    """A tool that can store a family of models."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def note(self) -> str:
        """What else is to be known of its row."""

    def install(self, tools: Path) -> str:
        """Installs it where it is missing and returns its version.

        Raises:
            FailedError: It cannot be installed here; the message says why.
        """

    def add(self, models: Sequence[Model], work: Work) -> None:
        """Stores the models one after the other.

        Raises:
            FailedError: A command failed. So below.
        """

    def export(self, models: Sequence[Model], work: Work, folder: Path) -> None:
        """Writes each model back, as ``folder``/name.safetensors."""
