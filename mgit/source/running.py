"""Trusted source as running code: the only place that imports what came as text."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import ExecutionLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from mgit.digest import Digest
from mgit.errors import NotFoundError, UsageError
from mgit.source.files import Source, is_package
from mgit.source.placing import verified
from mgit.source.syntax import as_python_reads, module_and_name

_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"


@contextmanager
def loaded(folder: Path, verbatim: Digest, function: str) -> Iterator[Callable[..., object]]:
    """Imports ``module:function`` from a folder that ``materialise`` returned.

    Its files are read once, compared with the digest, and imported as they were read, also those
    that are imported later on; whatever else Python could find under their names (in the current
    directory, or imported already) does not count meanwhile. The folder is first on ``sys.path``
    for the sake of processes that the function starts. Afterwards ``sys.path`` and ``sys.modules``
    are as before, but for modules of other names. It changes the whole process: one at a time.

    Args:
        folder: The folder of this source.
        verbatim: The digest that is trusted.
        function: Its name.

    Raises:
        TrustError: The folder holds something else.
        NotFoundError: The source has no such function.
        UsageError: It has a module that bears the name of one of Python's own.
        Exception: Whatever its modules raise while they are imported.
    """
    module, name = module_and_name(function)
    source = verified(folder, verbatim)
    if source.path_of(module) is None:
        raise NotFoundError(f"the source has no module {module!r}")
    texts = _Texts(folder.absolute(), source)
    hidden = sorted(texts.tops & sys.stdlib_module_names)
    if hidden:
        raise UsageError(
            f"the source hides {hidden[0]!r}, a module of Python itself",
            hint="it was written for another version of Python",
        )
    with _importing(texts):
        found = getattr(import_module(module), name, None)
        if not callable(found):
            raise NotFoundError(f"{module} has no function {name!r}")
        yield found


class _Texts(MetaPathFinder, ExecutionLoader):
    """Imports the modules of a source, and keeps all others from being found under its names."""

    def __init__(self, folder: Path, source: Source) -> None:
        self.folder = folder
        self.tops = {path.partition("/")[0].removesuffix(".py") for path in source.files}
        self._source = source
        self._namespaces = {
            parent.as_posix().replace("/", ".")
            for path in source.files
            for parent in Path(path).parents
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns where a module is; raises ModuleNotFoundError for one that the source lacks."""
        del path, target
        if fullname.partition(".")[0] not in self.tops:
            return None
        place = self._source.path_of(fullname)
        if place is not None:
            file = self.folder / place
            inside = [str(file.parent)] if is_package(place) else None
            return spec_from_file_location(
                fullname, file, loader=self, submodule_search_locations=inside
            )
        if fullname not in self._namespaces:
            raise ModuleNotFoundError(f"the source has no module {fullname!r}", name=fullname)
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = [str(self.folder / fullname.replace(".", "/"))]
        return spec

    def get_filename(self, fullname: str) -> str:
        """Returns the file that a module was read from."""
        return str(self.folder / self._path(fullname))

    def get_source(self, fullname: str) -> str:
        """Returns the text that was verified, not what the disk holds by now."""
        return as_python_reads(self._source.files[self._path(fullname)])

    def is_package(self, fullname: str) -> bool:
        """Returns whether a module is a package."""
        return is_package(self._path(fullname))

    def _path(self, fullname: str) -> str:
        path = self._source.path_of(fullname)
        if path is None:
            raise ImportError(f"the source has no module {fullname!r}", name=fullname)
        return path


@contextmanager
def _importing(texts: _Texts) -> Iterator[None]:
    folder, path_before = str(texts.folder), list(sys.path)
    bytecode_before = os.environ.get(_NO_BYTECODE)
    shadowed = {name: sys.modules.pop(name) for name in _named(texts.tops)}
    sys.meta_path.insert(0, texts)
    sys.path.insert(0, folder)
    os.environ[_NO_BYTECODE] = "1"  # for processes that are started: it would not belong there
    try:
        yield
    finally:
        sys.meta_path.remove(texts)
        sys.path[:] = path_before
        sys.path_importer_cache.pop(folder, None)
        for name in _named(texts.tops):
            del sys.modules[name]
        sys.modules.update(shadowed)
        del os.environ[_NO_BYTECODE]
        if bytecode_before is not None:
            os.environ[_NO_BYTECODE] = bytecode_before


def _named(tops: AbstractSet[str]) -> list[str]:
    """The modules imported so far that are, or are below, one of these."""
    return [name for name in sys.modules if name.partition(".")[0] in tops]
