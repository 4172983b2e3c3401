"""Version control for families of machine-learning models, between peers.

``mgit.open(path)`` gives a repository; each verb of the command line is one function that takes it:
``mgit.add(repository, path, name)``, ``mgit.log(repository)``, ``mgit.push(repository)``. They are
imported when they are first used, so that ``import mgit`` costs nothing.
"""

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mgit.adding.exporting import export
    from mgit.adding.publishing import Description, add
    from mgit.building import Built, Reproduced, build, reproduce
    from mgit.building import Request as BuildRequest
    from mgit.cascade.closure import Publish
    from mgit.cascade.planning import Wishes, plan_cascade
    from mgit.cascade.running import Means, run_cascade
    from mgit.checks import Samples, at_least, at_most, max_negative_flips, no_worse_than
    from mgit.checks.registering import CheckRequest, add_check, remove_check
    from mgit.checks.running import run_checks
    from mgit.comparing import diff
    from mgit.editing import (
        add_tags,
        keep_both,
        members,
        note,
        operations,
        remove,
        remove_tags,
        rename,
        trust_add,
        trust_remove,
        undo,
    )
    from mgit.editing import pick as resolve
    from mgit.errors import MgitError
    from mgit.loading import LoadedModel
    from mgit.merging import Merge, merge
    from mgit.repacking import collect, repack, repack_lossy
    from mgit.repair import check as check_integrity
    from mgit.repair import mend
    from mgit.repository import Home, Repository
    from mgit.source import check, recipe
    from mgit.sync import Cloned, backfill, fetch, pull, push
    from mgit.sync.settings import add_remote, remotes, remove_remote
    from mgit.viewing import Whoami, log, show, stats, status, verify
    from mgit.viewing import names as ls

__version__ = "0.1.0"

__all__ = [
    "BuildRequest",
    "Built",
    "CheckRequest",
    "Description",
    "Home",
    "LoadedModel",
    "Means",
    "Merge",
    "MgitError",
    "Publish",
    "Repository",
    "Reproduced",
    "Samples",
    "Wishes",
    "add",
    "add_check",
    "add_remote",
    "add_tags",
    "at_least",
    "at_most",
    "backfill",
    "build",
    "check",
    "check_integrity",
    "clone",
    "collect",
    "diff",
    "export",
    "fetch",
    "init",
    "keep_both",
    "load",
    "log",
    "ls",
    "max_negative_flips",
    "members",
    "mend",
    "merge",
    "no_worse_than",
    "note",
    "open",
    "operations",
    "plan_cascade",
    "pull",
    "push",
    "recipe",
    "remotes",
    "remove",
    "remove_check",
    "remove_remote",
    "remove_tags",
    "rename",
    "repack",
    "repack_lossy",
    "reproduce",
    "resolve",
    "run_cascade",
    "run_checks",
    "show",
    "stats",
    "status",
    "trust_add",
    "trust_remove",
    "undo",
    "verify",
    "whoami",
]

# Module -> what is handed on from it. No module of mgit bears the name of one of these.
_FROM = {
    "adding": ("Description", "add", "export"),
    "building": ("Built", "Reproduced", "build", "reproduce"),
    "checks": ("Samples", "at_least", "at_most", "max_negative_flips", "no_worse_than"),
    "comparing": ("diff",),
    "editing": (
        "add_tags",
        "keep_both",
        "members",
        "note",
        "operations",
        "remove",
        "remove_tags",
        "rename",
        "trust_add",
        "trust_remove",
        "undo",
    ),
    "errors": ("MgitError",),
    "loading": ("LoadedModel",),
    "merging": ("Merge", "merge"),
    "repacking": ("collect", "repack", "repack_lossy"),
    "repair": ("mend",),
    "repository": ("Home", "Repository"),
    "source.marks": ("check", "recipe"),
    "sync": ("add_remote", "backfill", "fetch", "pull", "push", "remotes", "remove_remote"),
    "viewing": ("log", "show", "stats", "status", "verify"),
}
_PLACES = {name: (module, name) for module, names in _FROM.items() for name in names} | {
    "BuildRequest": ("building", "Request"),
    "CheckRequest": ("checks.registering", "CheckRequest"),
    "Means": ("cascade.running", "Means"),
    "Publish": ("cascade.closure", "Publish"),
    "Wishes": ("cascade.planning", "Wishes"),
    "add_check": ("checks.registering", "add_check"),
    "check_integrity": ("repair", "check"),
    "plan_cascade": ("cascade.planning", "plan_cascade"),
    "remove_check": ("checks.registering", "remove_check"),
    "run_cascade": ("cascade.running", "run_cascade"),
    "run_checks": ("checks.running", "run_checks"),
    "ls": ("viewing", "names"),
    "resolve": ("editing", "pick"),
}


if not TYPE_CHECKING:  # else a type checker would believe that mgit has any attribute

    def __getattr__(name: str) -> object:
        """Returns what is handed on from a module below, which is imported now."""
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, attribute = _PLACES[name]
        found = getattr(import_module(f"{__name__}.{module}"), attribute)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def open(path: str | os.PathLike[str] = ".", home: "Home | None" = None) -> "Repository":
    """Returns the repository that ``path`` lies in.

    Args:
        path: A folder or file.
        home: Keys and trust; else those that the environment names. So below.

    Raises:
        NotFoundError: It lies in none.
    """
    from mgit.repository import Repository

    return Repository.open(Path(path), home or _home())


def init(folder: str | os.PathLike[str], home: "Home | None" = None, *, label: str) -> "Repository":
    """Makes a repository, owned by the person's key; see ``mgit.editing.init``."""
    from mgit.editing import init

    return init(Path(folder), home or _home(), label=label)


def clone(
    url: str,
    folder: str | os.PathLike[str],
    home: "Home | None" = None,
    *,
    select: str = "",
    weights: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> "Cloned":
    """Makes a copy of a repository in a folder; see ``mgit.sync.clone``."""
    from mgit.sync import clone

    return clone(
        url,
        Path(folder),
        home or _home(),
        select=select,
        weights=weights,
        progress=progress or _silent,
    )


def load(
    repository: "Repository | str | os.PathLike[str]", selector: str, home: "Home | None" = None
) -> "LoadedModel":
    """Returns a model of a repository, or of the one that a path lies in; see ``mgit.loading``."""
    from mgit.loading import load
    from mgit.repository import Repository

    if not isinstance(repository, Repository):
        repository = open(repository, home)
    return load(repository, selector)


def whoami(repository: "Repository | None" = None, home: "Home | None" = None) -> "Whoami":
    """Returns the key that signs, and what it may do; see ``mgit.viewing.whoami``."""
    from mgit.viewing import whoami

    return whoami(repository.home if repository else home or _home(), repository)


def _home() -> "Home":
    from mgit.repository import Home

    return Home.from_environment(os.environ)


def _silent(_done: int, _total: int) -> None:
    """Reports no progress."""
