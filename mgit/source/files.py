"""Source files as one value, with the two digests that it goes by."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mgit.canonical import encode
from mgit.digest import Digest
from mgit.errors import UsageError
from mgit.objects.grammar import check_path, printable
from mgit.source.normal_form import normal_text
from mgit.source.syntax import as_python_reads

MAX_BYTES = 1 << 20
MAX_FILES = 1000
_MAX_PATH = 512
_INIT = "__init__"
NEVER = {"mgit", "__main__", _INIT}  # as the name of a module at the top
_COOKIE = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)  # PEP 263


@dataclass(frozen=True, slots=True)
class Source:
    """The files of a project that a function needs.

    Attributes:
        files: Path below the folder where modules are looked for, ``package/module.py`` -> text,
            with the ends of lines that it has.
    """

    files: Mapping[str, str]

    @property
    def verbatim(self) -> Digest:
        """What a person trusts: these paths, and these texts to the last byte."""
        return _digest("verbatim", self.files)

    @property
    def normalised(self) -> Digest:
        """What a recipe records: these paths and programs; comments and docstrings do not count.

        Raises:
            UsageError: A file is no Python, as this version of Python has it.
        """
        programs = {path: normal_text(text, path) for path, text in self.files.items()}
        return _digest("normalised", programs)

    def path_of(self, module: str) -> str | None:
        """Returns the file of a module; a package comes before a module, as for Python."""
        stem = module.replace(".", "/")
        paths = (f"{stem}/{_INIT}.py", f"{stem}.py")
        return next((path for path in paths if path in self.files), None)


def module_path(module: str, *, is_package: bool) -> str:
    """Returns the path of a module's file below the folder where modules are looked for."""
    return module.replace(".", "/") + (f"/{_INIT}.py" if is_package else ".py")


def is_package(path: str) -> bool:
    """Returns whether a file is that of a package."""
    return path.endswith(f"/{_INIT}.py")


def is_module_path(path: str) -> bool:
    """Returns whether a module of a project may lie there, on every system."""
    parts = path.removesuffix(".py").split("/")
    if not path.endswith(".py") or len(path) > _MAX_PATH or parts[0] in NEVER:
        return False
    try:
        check_path(path)
    except UsageError:
        return False
    return all(part.isidentifier() for part in parts)


def decoded(raw: bytes, path: str) -> str:
    """Returns the text of a file.

    Raises:
        UsageError: It is not UTF-8, or tells Python to read it as something else: then what a
            person reads would not be what runs.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8", hint="save it as UTF-8") from error
    for line in as_python_reads(text).split("\n", 2)[:2]:
        match = _COOKIE.match(line)
        encoding = match[1].lower().replace("_", "-") if match else "utf-8"
        if encoding not in {"utf8", "utf-8"} and not encoding.startswith("utf-8-"):
            raise UsageError(
                f"{path} says that it is written in {printable(encoding)}",
                hint="save it as UTF-8, and take that line out",
            )
    return text


def read_source(file: Path, shown: str) -> str:
    """Returns the text of a file on disk.

    Raises:
        UsageError: It is not UTF-8, or has more bytes than all files together may have.
    """
    from mgit.store.files import machine_errors  # here, because it loads numpy: a mark must not

    with machine_errors(f"reading {shown}"), file.open("rb") as opened:
        raw = opened.read(MAX_BYTES + 1)
    check_size(len(raw), shown)
    return decoded(raw, shown)


def check_size(size_bytes: int, what: str) -> None:
    """Raises UsageError where sources have more bytes than may travel."""
    if size_bytes > MAX_BYTES:
        raise UsageError(
            f"{what}: more than {MAX_BYTES:,} bytes of source",
            hint="keep data out of modules, and import less of the project",
        )


def _digest(form: str, files: Mapping[str, str]) -> Digest:
    return Digest.of(encode((form, dict(files))))
