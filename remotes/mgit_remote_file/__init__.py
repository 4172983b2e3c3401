"""The file transport: a repository, or a bare folder of packs, that a path leads to.

A disk, a stick, a network mount, a synced folder. Symbolic links inside it are not followed.
"""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mgit.digest import Digest
from mgit.errors import ForbiddenError, MachineError, NotFoundError, PackMissingError, RemoteError
from mgit.objects import PackId, PackKind
from mgit.remote import MAX_READ_BYTES, PackListing, PackSource
from mgit.store.files import is_unlocked, sync_folder

_PACK_NAME = re.compile(r"([0-9a-f]{64})\.(meta|chunks)")
_STEP_BYTES = 4 << 20
_FRESH_S = 60  # between creating a file and locking it lies an instant
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


class FileRemote:
    """A folder with a ``.mgit`` folder, or a folder with ``packs``, or an empty folder."""

    def __init__(self, url: str) -> None:
        """Takes a path or a ``file://`` URL; nothing is opened yet."""
        self._path = Path(os.path.realpath(Path(_path_of(url)).expanduser()))
        self._kinds: dict[PackId, PackKind] = {}

    def packs(self) -> Iterable[PackListing]:
        """Returns the packs that are there."""
        with _remote_errors(self._path):
            found = list(self._listings())
        self._kinds = {listing.pack: listing.kind for listing in found}
        return found

    def _listings(self) -> Iterator[PackListing]:
        folder = self._packs_folder()
        if not folder.is_dir():
            return
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                match = _PACK_NAME.fullmatch(entry.name)
                if match and entry.is_file(follow_symlinks=False):
                    size = entry.stat(follow_symlinks=False).st_size
                    pack = PackId(Digest.from_text(match[1]))
                    yield PackListing(pack, PackKind(match[2]), size)

    def read(self, pack: PackId, start: int, stop: int) -> bytes:
        """Returns a range of a pack's bytes."""
        if stop - start > MAX_READ_BYTES:
            raise ValueError(f"a read of {stop - start} bytes")
        if pack not in self._kinds:
            self.packs()
        if pack not in self._kinds:
            raise PackMissingError(f"{self._path} has no pack {pack.short}")
        with _remote_errors(self._path):
            path = self._packs_folder() / f"{pack.hex()}.{self._kinds[pack].value}"
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            except FileNotFoundError as error:
                raise PackMissingError(f"{self._path} lost pack {pack.short}") from error
            try:
                return os.pread(descriptor, stop - start, start)
            finally:
                os.close(descriptor)

    def write(self, pack: PackId, source: PackSource) -> None:
        """Adds a pack: written beside the others, synced, then renamed into place."""
        with _remote_errors(self._path):
            folder = self._packs_folder()
            folder.mkdir(parents=True, exist_ok=True)
            target = folder / source.listing.file_name
            if any(listing == source.listing for listing in self._listings()):
                return
            incoming = folder.parent / "incoming"
            incoming.mkdir(exist_ok=True)
            if not _is_folder(incoming):
                raise ForbiddenError(f"{incoming} is a link", hint="look who put it there")
            _sweep(incoming)
            partial = incoming / f"{secrets.token_hex(16)}.part"
            try:
                _copy(source, partial)
                partial.replace(target)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
            sync_folder(folder)
        self._kinds[pack] = source.listing.kind
        self._write_listing(folder)

    def _write_listing(self, folder: Path) -> None:
        """Lists the packs in a file, for servers of static files that cannot list a folder."""
        lines = [f"{listing.file_name} {listing.size_bytes}\n" for listing in self.packs()]
        with contextlib.suppress(OSError):  # a hint: the pack is there without it
            partial = folder / f".list.{secrets.token_hex(8)}.part"
            partial.write_text("".join(lines))
            partial.replace(folder / "list")

    def _packs_folder(self) -> Path:
        # looked at first: where another writer begins meanwhile, its packs folder is found below
        is_empty = _is_folder(self._path) and not any(self._path.iterdir())
        for folder in (self._path / ".mgit", self._path):
            if _is_folder(folder) and _is_folder(folder / "packs"):
                return folder / "packs"
        if is_empty:
            return self._path / "packs"
        if not self._path.exists():
            raise RemoteError(f"{self._path} does not exist", hint="is the disk mounted?")
        raise NotFoundError(
            f"{self._path} is not a repository",
            hint="give the folder of one; a push may also begin in an empty folder",
        )


def _path_of(url: str) -> str:
    if not url.startswith("file://"):
        return url
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        raise NotFoundError(f"{url} names another machine", hint="file URLs begin with file:///")
    return unquote(parts.path)


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _copy(source: PackSource, target: Path) -> None:
    size = source.listing.size_bytes
    with target.open("xb") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)  # tells a sweep that it is being written
        for start in range(0, size, _STEP_BYTES):
            file.write(source.read(start, min(start + _STEP_BYTES, size)))
        file.flush()
        os.fsync(file.fileno())


def _sweep(incoming: Path) -> None:
    """Removes what writers that were killed left behind."""
    for path in incoming.glob("*.part"):
        with contextlib.suppress(OSError):  # busy, or somebody else sweeps it
            if time.time() - path.stat().st_mtime > _FRESH_S and is_unlocked(path):
                path.unlink()


@contextmanager
def _remote_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"{path}: {error.strerror or error}"
        if error.errno in _REFUSED:
            raise ForbiddenError(f"not allowed at {reason}", hint=f"ls -ld {path}") from error
        if error.errno in _NO_ROOM:
            raise MachineError(f"no room at {reason}", hint="free some space there") from error
        raise RemoteError(f"cannot reach {reason}", hint="is the disk mounted?") from error
