"""Calling somebody's function in a worker: its code, its options, what it may use."""

import inspect
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from mgit.digest import Digest
from mgit.errors import TrustError
from mgit.objects import Code
from mgit.objects.grammar import printable
from mgit.repository import Home, Repository
from mgit.source import Source, loaded, materialise
from mgit.store.files import OF_THE_DISK, locked_if_free, machine_errors

SHIPPED = "mgit.recipes"  # the module of all functions that run without source


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


def call_of(
    repository: Repository, code: Code, source: Source | None, data: Mapping[str, Path]
) -> dict[str, object]:
    """Returns what a job says of the function that it calls, for ``function_in`` and others here.

    Args:
        repository: Where its models are; the source is laid there for the worker.
        code: The function, its arguments and seed.
        source: Its files; None: it comes with mgit.
        data: Name -> path of the data it is given.
    """
    files = source and {
        "folder": str(materialise(source, repository.folder / "work" / "source")),
        "verbatim": source.verbatim.hex(),
    }
    return {
        "repository": str(repository.folder),
        "cache": str(repository.home.cache),
        "source": files,
        "function": code.function,
        "arguments": dict(code.arguments),
        "seed": code.seed,
        "data": {name: str(path) for name, path in data.items()},
    }


@contextmanager
def disk_errors() -> Iterator[None]:
    """Makes a MachineError of what the disk refuses a job, whoever wanted it: no model is to blame.

    Any other ``OSError`` is the function's own: it may look for what is not there.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in OF_THE_DISK:
            raise
        with machine_errors("the disk says"):
            raise


def function_in(asked: Any) -> AbstractContextManager[Callable[..., object]]:
    """Returns the function of a job, imported from the files whose digest the job says.

    Raises:
        TrustError: They are other files by now; or there are none, and it is no function of mgit.
    """
    if asked["source"]:
        place, verbatim = Path(asked["source"]["folder"]), asked["source"]["verbatim"]
        return loaded(place, Digest.from_text(verbatim), asked["function"])
    check_shipped(asked["function"])
    return nullcontext(getattr(import_module(SHIPPED), asked["function"].partition(":")[2]))


def check_shipped(function: str) -> None:
    """Raises TrustError unless mgit ships a function that came without source.

    Whoever wrote the recipe chose the name: of all that Python can import, only these may run.
    """
    module, _, name = function.partition(":")
    if module != SHIPPED or name not in import_module(SHIPPED).__all__:
        raise TrustError(
            f"{printable(function)} has no source, and this mgit ships no such function",
            hint="a newer mgit may: mgit --version",
        )


def scratch(repository: Repository) -> Path:
    """Returns the folder below which runs keep what they go on from when they were cut off.

    Not in the repository: what a stranger's folder holds is nothing to go on from.
    """
    return repository.home.cache_of(repository.folder) / "runs"


@contextmanager
def context_in(asked: Any) -> Iterator[Context]:
    """Gives a function what it may use; it goes away, but for checkpoints of what was cut off."""
    with _work_folder(Path(asked["work"])) as work:
        checkpoints = work / "checkpoints"
        checkpoints.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=work) as folder:
            data = {name: Path(path) for name, path in asked["data"].items()}
            yield Context(Path(folder), checkpoints, data, asked["threads"])


@contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """Gives a run its folder, which goes away when it ends well: nothing is left to go on from.

    Whoever runs the same meanwhile gets another one: each would remove what the other goes on from.
    """
    with locked_if_free(folder / "lock") as is_alone:
        if is_alone:
            yield folder
            shutil.rmtree(folder, ignore_errors=True)
            return
    with tempfile.TemporaryDirectory(dir=folder.parent) as own:
        yield Path(own)


def options_for(function: Callable[..., object], asked: Any, context: Context) -> dict[str, object]:
    """Returns the keyword arguments of a function: what it was given, and what it asks for."""
    taken = inspect.signature(function).parameters
    own = {"seed": asked["seed"], "context": context}
    return {**asked["arguments"], **{name: own[name] for name in own if name in taken}}


def keyless(cache: Path) -> Home:
    """Returns a person without keys: workers sign nothing."""
    return Home(config=cache / "no-keys-here", cache=cache)
