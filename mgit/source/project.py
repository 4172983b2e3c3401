"""Where the modules of a project lie on this disk. Nothing is imported to find them."""

import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from typing import TypeAlias

from mgit.errors import UsageError
from mgit.objects.grammar import printable
from mgit.source.files import NEVER, is_module_path, module_path

_LOADERS = (  # in the order in which Python looks
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (SourceFileLoader, SOURCE_SUFFIXES),
    (SourcelessFileLoader, BYTECODE_SUFFIXES),
)
_INSTALLED = {"site-packages", "dist-packages"}


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in which modules are looked for, and the root that it belongs to."""

    folder: Path
    root: Path


@dataclass(frozen=True, slots=True)
class Module:
    """A module of a project.

    Attributes:
        name: Its dotted name.
        file: Its file.
        places: Where its submodules lie; empty if it is no package.
    """

    name: str
    file: Path
    places: tuple[Place, ...]

    @property
    def path(self) -> str:
        """Its path below its root."""
        return module_path(self.name, is_package=bool(self.places))

    @property
    def package(self) -> str:
        """What its relative imports start from; empty if it lies in no package."""
        return self.name if self.places else self.name.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class Namespace:
    """A package without a file of its own, which may lie in several folders."""

    places: tuple[Place, ...]


Found: TypeAlias = Module | Namespace


class Project:
    """The modules below some folders that are no installed ones."""

    def __init__(self, roots: Sequence[Path]) -> None:
        """Takes the folders, first to last; they need not be there."""
        self._places = tuple(Place(root, root) for root in roots)
        self._found: dict[str, Found | None] = {}
        self._finders: dict[Path, FileFinder] = {}

    def find(self, name: str) -> Found | None:
        """Returns the module of a dotted name; None if the project has none.

        Raises:
            UsageError: It has one that cannot travel.
        """
        words = name.split(".")
        if words[0] in NEVER or not all(word.isidentifier() for word in words):
            return None
        places, found = self._places, None
        for count in range(1, len(words) + 1):
            prefix = ".".join(words[:count])
            if prefix not in self._found:
                self._found[prefix] = self._find_in(places, prefix)
            found = self._found[prefix]
            if found is None:
                return None
            places = found.places
        return found

    def _find_in(self, places: Sequence[Place], name: str) -> Found | None:
        portions: list[Place] = []
        for place in places:
            spec = self._finder(place.folder).find_spec(name)
            if spec is not None and spec.loader is not None:
                return _module(spec, place.root)
            folders = (spec.submodule_search_locations if spec else None) or ()
            portions += [Place(Path(folder), place.root) for folder in folders]
        if not portions or ("." not in name and _is_installed(name)):
            return None
        return Namespace(tuple(portions))

    def _finder(self, folder: Path) -> FileFinder:
        """Returns a finder of our own: those that Python keeps may remember old listings."""
        if folder not in self._finders:
            self._finders[folder] = FileFinder(str(folder), *_LOADERS)
        return self._finders[folder]


def _is_installed(name: str) -> bool:
    """Whether Python prefers an installed module to mere folders of that name in the project."""
    spec = PathFinder.find_spec(name)
    return name in sys.stdlib_module_names or (spec is not None and spec.loader is not None)


def _module(spec: ModuleSpec, root: Path) -> Module | None:
    """Returns a module that has a file, or None if it is no part of the project."""
    file = Path(spec.origin or "")
    if any(_is_foreign(path) for path in (file, file.resolve())):
        return None
    folders = spec.submodule_search_locations or ()
    module = Module(spec.name, file, tuple(Place(Path(folder), root) for folder in folders))
    shown = f"{printable(str(file))}, which is needed,"
    if not isinstance(spec.loader, SourceFileLoader):
        raise UsageError(
            f"{shown} is compiled: it cannot travel as source",
            hint="install it as a package, or import it from a script of your own",
        )
    if not file.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{shown} is a link out of {root}", hint="copy the file there")
    if spec.name in sys.stdlib_module_names:
        raise UsageError(f"{shown} hides a module of Python itself", hint="rename it")
    if not is_module_path(module.path):
        raise UsageError(f"{shown} has a name that not every system allows", hint="rename it")
    return module


def _is_foreign(file: Path) -> bool:
    libraries = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))
    is_library = any(file.is_relative_to(Path(folder).resolve()) for folder in libraries)
    return is_library or not _INSTALLED.isdisjoint(file.parts)
