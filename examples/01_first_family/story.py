"""A story told at terminals: every line is typed, run, shown, and held to what is said of it.

This module knows how to run commands and how to keep count of steps; what is told is elsewhere.
"""

import contextlib
import io
import json
import os
import shlex
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

WIDTH = 96
RELATIVES = Path(__file__).with_name("relatives.py")
# What the children may see of our environment; the rest could change what mgit says or does.
PASSED_ON = ("PATH", "HOME", "SYSTEMROOT", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH")

Words: TypeAlias = Sequence[str]
Shared = TypeVar("Shared")


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a command."""

    code: int
    out: str
    err: str


# Runs ``mgit`` with each of some words, in a folder and with an environment.
Launch: TypeAlias = Callable[[Sequence[Words], Path, Mapping[str, str]], list[Ran]]


class ClaimError(Exception):
    """Something that the story says is not so."""


def mgit_in_processes(
    commands: Sequence[Words], folder: Path, environment: Mapping[str, str]
) -> list[Ran]:
    """Runs each command as a process of its own, as a shell does; those of one call at once."""
    return python_in_processes([("-m", "mgit", *words) for words in commands], folder, environment)


def python_in_processes(
    commands: Sequence[Words], folder: Path, environment: Mapping[str, str]
) -> list[Ran]:
    """Runs this Python with each of some words, all at the same time."""
    started = [
        subprocess.Popen(  # noqa: S603 - the words are written in this example
            (sys.executable, *words),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for words in commands
    ]
    outputs = [process.communicate() for process in started]
    return [Ran(p.returncode, *output) for p, output in zip(started, outputs, strict=True)]


def mgit_in_this_process(
    commands: Sequence[Words], folder: Path, environment: Mapping[str, str]
) -> list[Ran]:
    """Runs each command by calling mgit: that saves the start of a process, half a second each."""
    return [_called(words, folder, environment) for words in commands]


def _called(words: Words, folder: Path, environment: Mapping[str, str]) -> Ran:
    from mgit.cli import main  # the other way needs no mgit in this process

    out, err = io.StringIO(), io.StringIO()
    with contextlib.ExitStack() as changed:
        changed.enter_context(contextlib.chdir(folder))
        changed.callback(_set_environment, dict(os.environ))
        _set_environment(environment)
        changed.enter_context(contextlib.redirect_stdout(out))
        changed.enter_context(contextlib.redirect_stderr(err))
        code = main(words)
    return Ran(code, out.getvalue(), err.getvalue())


def _set_environment(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


@dataclass(slots=True)
class Person:
    """Somebody at a terminal, with keys and a folder of their own.

    Attributes:
        name: Stands in the prompt.
        home: Where the person's folder and configuration lie.
        launch: How ``mgit`` is run.
        below: Where in the person's folder the person is.
    """

    name: str
    home: Path
    launch: Launch
    below: str = ""

    @property
    def folder(self) -> Path:
        """Where the person is."""
        return self.home / self.name / self.below

    def enter(self, below: str) -> None:
        """Types ``cd``."""
        self._type(("cd", below))
        print()
        self.below = below

    def mgit(self, *words: str, code: int = 0) -> Ran:
        """Types ``mgit …``, shows what it prints, and holds it to an exit code."""
        self._type(("mgit", *words))
        (ran,) = self._launch(words)
        return _shown(ran, code)

    def mgit_at_once(self, *commands: Words) -> None:
        """Types several ``mgit …`` that run at the same time."""
        self._type_in_background([("mgit", *words) for words in commands])
        _shown(_joined(self._launch(*commands)), 0)

    def look(self, *words: str, code: int = 0) -> Any:
        """Types ``mgit …``, which changes nothing, and returns what ``--json`` says of the same."""
        self._type(("mgit", *words))
        shown, asked = self._launch(words, (*words, "--json"))
        _shown(shown, code)
        return _document(asked, code)

    def ask(self, *words: str, code: int = 0) -> Any:
        """Returns what ``mgit … --json`` says, without a line about it in the story."""
        (asked,) = self._launch((*words, "--json"))
        return _document(asked, code)

    def make(self, *commands: Words) -> str:
        """Types ``python relatives.py …``, several at once, and returns what they print."""
        self._type_in_background([("python", RELATIVES.name, *words) for words in commands])
        lines = [(str(RELATIVES), *words) for words in commands]
        made = python_in_processes(lines, self.folder, self._environment())
        return _shown(_joined(made), 0).out

    def _launch(self, *commands: Words) -> list[Ran]:
        return self.launch(commands, self.folder, self._environment())

    def _environment(self) -> dict[str, str]:
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        own = {"MGIT_CONFIG_HOME": str(self.home / ".config" / self.name)}
        return passed_on | own | {"NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}

    def _type_in_background(self, lines: Sequence[Words]) -> None:
        is_alone = len(lines) == 1
        for words in lines:
            self._type(words, "" if is_alone else " &")
        if not is_alone:
            self._type(("wait",))

    def _type(self, words: Words, end: str = "") -> None:
        where = "/".join(filter(None, (self.name, self.below)))
        print(f"{where}$ {shlex.join(words)}{end}", flush=True)


def _joined(all_ran: Sequence[Ran]) -> Ran:
    code = max(ran.code for ran in all_ran)
    return Ran(code, "".join(r.out for r in all_ran), "".join(r.err for r in all_ran))


def _shown(ran: Ran, code: int) -> Ran:
    print(ran.out + ran.err, end="")
    if ran.code:
        print(f"[exit {ran.code}]")
    print(flush=True)
    expect(f"it exits with {code}", ran.code == code)
    return ran


def _document(ran: Ran, code: int) -> Any:
    expect(f"with --json it exits with {code}, not {ran.code}: {ran.err}", ran.code == code)
    return json.loads(ran.out)


def say(text: str) -> None:
    """Prints a paragraph between two commands."""
    print(textwrap.fill(" ".join(text.split()), WIDTH), end="\n\n", flush=True)


def expect(what: str, is_so: bool) -> None:  # noqa: FBT001 - it reads as a sentence
    """Goes on if a claim holds.

    Raises:
        ClaimError: It does not.
    """
    if not is_so:
        raise ClaimError(what)


@dataclass(frozen=True, slots=True)
class Step(Generic[Shared]):
    """A part of the story.

    Attributes:
        title: Its heading.
        shows: What has been shown when it is over.
        tell: Runs it; whatever it raises means that it was not shown.
    """

    title: str
    shows: str
    tell: Callable[[Shared], None]


def tell_all(steps: Sequence[Step[Shared]], shared: Shared) -> bool:
    """Tells the steps until one fails, then prints the table; returns whether all were told."""
    outcomes: list[str] = []
    for number, step in enumerate(steps, start=1):
        print(f"\n{f'-- {number}  {step.title} ':-<{WIDTH}}\n", flush=True)
        started = time.monotonic()
        if not _is_told(step, shared):
            outcomes.append("FAILED")
            break
        outcomes.append(f"ok  {time.monotonic() - started:4.1f} s")
    outcomes += ["not run"] * (len(steps) - len(outcomes))
    _print_table(steps, outcomes)
    return all(outcome.startswith("ok") for outcome in outcomes)


def _is_told(step: Step[Shared], shared: Shared) -> bool:
    try:
        step.tell(shared)
    except ClaimError as error:
        print(f"FAILED: the story says that {error}")
    except (LookupError, OSError, TypeError, ValueError) as error:
        print(f"FAILED: {error!r}")
    else:
        return True
    return False


def _print_table(steps: Sequence[Step[Shared]], outcomes: Sequence[str]) -> None:
    print(f"\n{'-- What was shown ':-<{WIDTH}}\n")
    width = max(len(step.title) for step in steps)
    for number, (step, outcome) in enumerate(zip(steps, outcomes, strict=True), start=1):
        print(f"{number:2}  {step.title:{width}}  {outcome}")
        print(textwrap.indent(textwrap.fill(step.shows, WIDTH - 8), " " * 8))
