"""Calling somebody's function in a worker: its code, its options, what it may use."""

import inspect
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from mgit.digest import Digest
from mgit.repository import Home
from mgit.source import loaded


@dataclass(frozen=True, slots=True)
class Context:
    """What a recipe or check may use besides models and arguments.

    Attributes:
        folder: Empty, and its own: for a checkpoint that it returns.
        checkpoints: Its own too; keeps what is written into it until a run ends well, so that a run
            that was cut off can go on.
        data: Name -> path of the data it was given.
        threads: How many threads one operation may use.
    """

    folder: Path
    checkpoints: Path
    data: Mapping[str, Path]
    threads: int


def function_in(asked: Any) -> AbstractContextManager[Callable[..., object]]:
    """Returns the function of a job, imported from the files whose digest the job says.

    Raises:
        TrustError: They are other files by now.
    """
    if asked["source"]:
        place, verbatim = Path(asked["source"]["folder"]), asked["source"]["verbatim"]
        return loaded(place, Digest.from_text(verbatim), asked["function"])
    module, _, name = asked["function"].partition(":")
    return nullcontext(getattr(import_module(module), name))


@contextmanager
def context_in(asked: Any) -> Iterator[Context]:
    """Gives a function what it may use; its folder goes away with it."""
    checkpoints = Path(asked["work"]) / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=asked["work"]) as folder:
        data = {name: Path(path) for name, path in asked["data"].items()}
        yield Context(Path(folder), checkpoints, data, asked["threads"])


def options_for(function: Callable[..., object], asked: Any, context: Context) -> dict[str, object]:
    """Returns the keyword arguments of a function: what it was given, and what it asks for."""
    taken = inspect.signature(function).parameters
    own = {"seed": asked["seed"], "context": context}
    return {**asked["arguments"], **{name: own[name] for name in own if name in taken}}


def keyless(cache: Path) -> Home:
    """Returns a person without keys: workers sign nothing."""
    return Home(config=cache / "no-keys-here", cache=cache)
