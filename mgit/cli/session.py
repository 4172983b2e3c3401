"""One run of the command line: its global options, the person's environment, the terminal."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from mgit.repository import Home, Repository

_CURRENT: ContextVar["Session"] = ContextVar("session")


@dataclass(slots=True)
class Session:
    """What every command may ask.

    Attributes:
        environment: The process's environment variables.
        stderr: Where progress goes.
        command: Its words, without ``mgit``; empty until it is understood.
        started_in: ``-C``: where the command runs.
        is_json: ``--json``: one document instead of text.
        is_quiet: ``-q``: only what was asked for, and errors.
        is_verbose: ``-v``: whole ids.
        is_colorless: ``--no-color``.
    """

    environment: Mapping[str, str]
    stderr: TextIO
    command: str = ""
    started_in: Path = Path()
    is_json: bool = False
    is_quiet: bool = False
    is_verbose: bool = False
    is_colorless: bool = False

    def home(self) -> "Home":
        """Returns the keys and trust of the person."""
        from mgit.repository import Home

        return Home.from_environment(self.environment)

    def repository(self) -> "Repository":
        """Returns the repository that the command runs in.

        Raises:
            NotFoundError: It runs in none.
        """
        from mgit.repository import Repository

        return Repository.open(self.path(Path()), self.home())

    def repository_if_any(self) -> "Repository | None":
        """Returns the repository that the command runs in, or None."""
        from mgit.errors import NotFoundError

        try:
            return self.repository()
        except NotFoundError:
            return None

    def path(self, given: Path) -> Path:
        """Returns a path that a person gave, seen from the folder the command runs in.

        Raises:
            MachineError: That folder was removed.
        """
        from mgit.errors import MachineError

        try:
            found = self.started_in.absolute() / given
        except FileNotFoundError as error:
            raise MachineError("the folder that this runs in is gone", hint="cd ~") from error
        return found.resolve() if ".." in found.parts else found

    def url(self, given: str) -> str:
        """Returns a URL that a person gave; a plain path is seen from the command's folder."""
        if "://" in given:
            return given
        path, hash_sign, repository = given.partition("#")
        return f"{self.path(Path(path))}{hash_sign}{repository}"


def session() -> Session:
    """Returns the session of the command that is running."""
    return _CURRENT.get()


@contextmanager
def running(opened: Session) -> Iterator[Session]:
    """Makes ``opened`` the session of the commands inside."""
    token = _CURRENT.set(opened)
    try:
        yield opened
    finally:
        _CURRENT.reset(token)
