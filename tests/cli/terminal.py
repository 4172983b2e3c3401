"""A person at a terminal: runs the command line in this process, with a home of their own."""

import contextlib
import io
import json
import os
import random
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mgit.cli import main, verbs
from mgit.cli.application import program

TENSORS = ("embedding", "layers.0.weight", "layers.1.weight")


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def text(self) -> str:
        """Stdout without what differs from run to run."""
        return steady(self.out)


class Screen(io.StringIO):
    """What a terminal shows."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Terminal:
    """A person, with a home and a folder to start from; output goes to a file, or to a screen."""

    person: str
    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    screen: type[io.StringIO] = io.StringIO

    @property
    def folder(self) -> Path:
        """Where this person works."""
        found = self.root / self.person
        found.mkdir(exist_ok=True)
        return found

    def run(self, line: str, *more: str) -> Ran:
        """Runs the words of ``line``, and ``more`` as they are."""
        out, err = self.screen(), self.screen()
        environment = {
            "MGIT_CONFIG_HOME": str(self.root / "homes" / self.person),
            "LOGNAME": self.person,
            **self.environment,
        }
        with (
            patch.dict(os.environ, environment),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main([*line.split(), *more])
        return Ran(code, out.getvalue(), err.getvalue())

    def does(self, line: str, *more: str) -> Ran:
        """Runs a command that must succeed."""
        ran = self.run(line, *more)
        assert ran.exit_code == 0, (line, ran)
        return ran

    def checkpoint(self, seed: int) -> str:
        """Writes the checkpoint of a tiny model, always the same for a seed, and returns its path.

        Seed 0 is a base; the others are it, moved a little.
        """
        target = self.root / f"checkpoint-{seed}"
        if not target.exists():
            write_checkpoint(target, seed)
        return str(target)


def write_checkpoint(folder: Path, seed: int) -> None:
    """Writes one safetensors file and a config, by hand."""
    folder.mkdir()
    drawn = random.Random(seed)  # noqa: S311  # weights, not secrets
    moved = {
        name: [index + (drawn.random() / 1000 if seed and at else 0.0) for index in range(64)]
        for at, name in enumerate(TENSORS)
    }
    bodies = {name: struct.pack("<64f", *values) for name, values in moved.items()}
    offsets = {name: 256 * at for at, name in enumerate(TENSORS)}
    header = {
        name: {"dtype": "F32", "shape": [8, 8], "data_offsets": [at, at + 256]}
        for name, at in offsets.items()
    }
    described = json.dumps(header).encode()
    content = struct.pack("<Q", len(described)) + described + b"".join(bodies.values())
    (folder / "model.safetensors").write_bytes(content)
    (folder / "config.json").write_text('{"model_type": "tiny"}\n')


def steady(text: str) -> str:
    """Replaces ids, fingerprints and dates by what is the same in every run, and as wide."""
    ids: dict[str, str] = {}

    def called(found: re.Match[str]) -> str:
        return ids.setdefault(found[0], chr(ord("a") + len(ids)) * 12)

    text = re.sub(r"\b[0-9a-f]{12}\b", called, text)
    text = re.sub(r"\(([0-9a-f]{8})\b", "(--------", text)
    return re.sub(r"\d{4}-\d\d-\d\d(T[0-9:]{8}(Z|\+00:00))?", _no_date, text)


def _no_date(found: re.Match[str]) -> str:
    return re.sub(r"\d", "0", found[0])


def commands() -> Iterator[tuple[str, Any]]:
    """Yields every command with its words."""

    def below(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        if not hasattr(command, "commands"):
            yield " ".join(words), command
            return
        for name, inner in command.commands.items():
            yield from below(inner, (*words, name))

    verbs.load()
    yield from below(program(), ())
