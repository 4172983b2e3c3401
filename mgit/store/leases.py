"""Leases: while a command works here, what it may rely on is not removed.

A lease is a locked file. The lock ends with the process, however it ends, so a crash leaves a file
that counts for nothing. Other machines that use the same folder are not seen: for them there is the
time that passes before a condemned pack is removed.
"""

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mgit.errors import MachineError
from mgit.store.files import is_unlocked, locked, locked_folder, machine_errors

_TO_BE_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


@dataclass(frozen=True, slots=True)
class Lease:
    """What a process is doing here.

    Attributes:
        doing: In words.
        process: Its number.
        since: When it began.
        is_writing: It may rely on whatever it finds here, and say so only when it ends. A reader
            needs only what was here when it began: it lists again when a pack is gone.
    """

    doing: str
    process: int
    since: datetime
    is_writing: bool

    def protects(self, condemned: datetime) -> bool:
        """Returns whether packs that were condemned at that time have to stay."""
        return self.is_writing or self.since <= condemned


_UNREADABLE = Lease("a command", 0, datetime.min.replace(tzinfo=UTC), is_writing=True)


@dataclass(frozen=True, slots=True)
class Leases:
    """The leases of one copy.

    Attributes:
        folder: Where their files lie.
    """

    folder: Path

    @contextmanager
    def held(self, doing: str, *, is_writing: bool) -> Iterator[None]:
        """Holds a lease; in a folder to be read only goes on without one, and so does a reader.

        Raises:
            MachineError: A writer's cannot be written: what it relies on could be removed.
        """
        with ExitStack() as kept:
            try:
                with machine_errors("noting what is at work here"):
                    self._take(kept, doing, is_writing=is_writing)
            except MachineError as error:
                if is_writing and not _is_refused(error):
                    raise
            yield

    def _take(self, kept: ExitStack, doing: str, *, is_writing: bool) -> None:
        if self.folder.parent.parent.stat().st_uid != os.getuid():
            return  # another's folder is left as it is
        path = self.folder / f"{secrets.token_hex(8)}.lease"
        since = datetime.now(UTC).isoformat()
        described = {"doing": doing, "process": os.getpid(), "since": since, "writes": is_writing}
        with locked_folder(self.folder):  # else it could be swept between making and locking it
            kept.enter_context(locked(path))
            kept.callback(_unlink, path)
            path.write_text(json.dumps(described))

    @contextmanager
    def paused(self) -> Iterator[list[Lease]]:
        """Lets nobody begin meanwhile; yields the leases that are held."""
        with locked_folder(self.folder):
            found = (self._read(path) for path in sorted(self.folder.glob("*.lease")))
            yield [lease for lease in found if lease]

    def _read(self, path: Path) -> Lease | None:
        try:
            if is_unlocked(path):
                path.unlink()  # its process is gone
                return None
            described = json.loads(path.read_bytes())
            return Lease(
                doing=str(described["doing"]),
                process=int(described["process"]),
                since=datetime.fromisoformat(described["since"]).astimezone(UTC),
                is_writing=bool(described["writes"]),
            )
        except FileNotFoundError:
            return None  # given back meanwhile
        except (OSError, ValueError, KeyError, TypeError):
            return _UNREADABLE


def _is_refused(error: MachineError) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in _TO_BE_READ_ONLY


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
