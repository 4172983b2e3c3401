"""The cache itself: finds a file and believes it, or makes it once for everybody."""

import fcntl
import os
import shutil
import stat
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Self

import numpy as np

from mgit import canonical
from mgit.decoded.leases import leased
from mgit.decoded.room import LIMIT_BYTES, Room
from mgit.decoded.seals import (
    Seals,
    facts_in,
    files_in,
    seal_of,
    seal_of_files,
    seal_of_folder,
)
from mgit.digest import Digest
from mgit.errors import DamagedError, MachineError, UsageError
from mgit.objects import TensorEntry
from mgit.repository import Repository
from mgit.store.files import locked, machine_errors
from mgit.tensors import Raw, mapped
from mgit.threads import map_in_order

Fetch = Callable[[Digest], bytes]


def tensor_key(entry: TensorEntry) -> Digest:
    """Returns what a tensor is kept under."""
    return Digest.of(canonical.encode(("tensor", entry.dtype, entry.shape, entry.chunks)))


class KeptFolder:
    """A folder of the cache, leased until ``release`` is called or this is forgotten."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Takes the lease that a descriptor holds; it may be closed then."""
        self.path = path
        self.release = weakref.finalize(self, os.close, os.dup(descriptor))


@dataclass(frozen=True, slots=True)
class Decoded:
    """The decoded cache of one repository, for one person.

    Attributes:
        folder: Where files lie.
        locks: Folder of the locks under which they are made.
        seals: Which of them can be believed.
        room: How much there is for them.
    """

    folder: Path
    locks: Path
    seals: Seals
    room: Room

    @classmethod
    def of(cls, repository: Repository) -> Self:
        """Returns the cache of a repository: beside its packs if the folder is the person's own.

        Raises:
            UsageError: The setting ``decoded-limit`` is not a number of bytes.
        """
        limit = repository.settings().get("decoded-limit", LIMIT_BYTES)
        if type(limit) is not int or limit < 0:
            raise UsageError(
                f"decoded-limit is {limit!r} in {repository.folder / 'config.toml'}",
                hint=f"write a number of bytes, or leave it out for {LIMIT_BYTES}",
            )
        own = repository.home.cache_of(repository.folder)
        beside = repository.folder / "decoded"
        with machine_errors("looking for the decoded cache"):
            is_own = _is_own(repository.folder) and (not os.path.lexists(beside) or _is_own(beside))
        folder = beside if is_own else own / "decoded"
        seals = Seals(own / "decoded-seals")
        return cls(folder, own / "decoded-locks", seals, Room(folder, seals, limit))

    def trim(self) -> None:
        """Removes what exceeds the limit and is not used; see ``Room.trim``."""
        self.room.trim()

    def _making(self, name: str) -> AbstractContextManager[None]:
        """Returns the lock under which a file is made: once, however many processes want it."""
        return locked(self.locks / name[:2])

    # --- tensors ---

    def tensor(self, entry: TensorEntry, fetch: Fetch) -> Raw:
        """Returns the bytes of a tensor: writable, and never written back.

        Args:
            entry: The tensor.
            fetch: Chunk id -> raw bytes, verified; called only if the cache has no such file, and
                then on several threads.

        Raises:
            AbsentError, DamagedError: As ``fetch`` does.
        """
        if not entry.chunks:
            return np.empty(0, np.uint8)
        try:
            with machine_errors("keeping a decoded tensor"):
                return self._found_or_made(tensor_key(entry).hex(), entry, fetch)
        except MachineError:  # no room, no permission: a cache never stands in the way
            return _in_memory(entry, fetch, 0, entry.size_bytes)

    def held(self, entry: TensorEntry) -> Raw | None:
        """Returns the bytes of a tensor, verified, if they are in the cache; else None."""
        if not entry.chunks:
            return None
        try:
            return self._found(tensor_key(entry).hex(), entry)
        except OSError:  # no permission: a cache never stands in the way
            return None

    def part(self, entry: TensorEntry, start: int, stop: int, fetch: Fetch) -> Raw:
        """Returns bytes ``start`` to ``stop`` of a tensor, writable.

        Where the cache has not the tensor, only the chunks that hold them are fetched, and nothing
        is kept.

        Raises:
            AbsentError, DamagedError: As ``fetch`` does.
        """
        held = self.held(entry)
        return _in_memory(entry, fetch, start, stop) if held is None else held[start:stop]

    def _found_or_made(self, name: str, entry: TensorEntry, fetch: Fetch) -> Raw:
        found = self._found(name, entry)
        if found is not None:
            return found
        with self._making(name):
            found = self._found(name, entry)  # made by somebody else meanwhile
            return self._made(name, entry, fetch) if found is None else found

    def _found(self, name: str, entry: TensorEntry) -> Raw | None:
        with leased(self.folder / name) as descriptor:
            if descriptor is None or not self._is_sound(descriptor, name, entry):
                return None
            return mapped(descriptor, entry.size_bytes)  # which keeps the lease

    def _is_sound(self, descriptor: int, name: str, entry: TensorEntry) -> bool:
        facts = os.fstat(descriptor)  # before the bytes: what is written meanwhile breaks the seal
        is_own_file = stat.S_ISREG(facts.st_mode) and facts.st_uid == os.getuid()
        if not is_own_file or facts.st_size != entry.size_bytes:
            return False
        if self.seals.holds(name, seal_of(facts)):
            return True
        at = 0
        for chunk, size in zip(entry.chunks, entry.chunk_sizes, strict=True):
            if Digest.of(os.pread(descriptor, size, at)) != chunk:
                return False
            at += size
        self.seals.write(name, seal_of(facts))
        return True

    def _made(self, name: str, entry: TensorEntry, fetch: Fetch) -> Raw:
        self.room.make(entry.size_bytes)
        partial = self.room.partial(name)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        try:
            with os.fdopen(os.open(partial, flags, 0o444), "w+b") as file:
                fcntl.flock(file, fcntl.LOCK_SH)  # the lease, from the beginning
                for _at, raw in _chunks(entry, fetch, 0, entry.size_bytes):
                    file.write(raw)
                file.flush()
                partial.rename(self.folder / name)
                self.seals.write(name, seal_of(os.fstat(file.fileno())))
                return mapped(file.fileno(), entry.size_bytes)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    # --- checkpoint folders ---

    def checkpoint(
        self, manifest: Digest, size_bytes: int, write: Callable[[Path], None]
    ) -> KeptFolder:
        """Returns the folder of a checkpoint, leased.

        A folder in which anything was changed, or that was made before the machine started, is
        made anew.

        Args:
            manifest: What it is kept under.
            size_bytes: Room it needs.
            write: Writes the checkpoint into an empty folder.

        Raises:
            MachineError: No space, no permission.
        """
        name = _folder_name(manifest)
        with machine_errors("keeping a checkpoint folder"):
            found = self._found_folder(name)
            if found is not None:
                return found
            with self._making(name):
                return self._found_folder(name) or self._made_folder(name, size_bytes, write)

    def _found_folder(self, name: str) -> KeptFolder | None:
        path = self.folder / name
        with leased(path) as descriptor:
            if descriptor is None or not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                return None
            is_sound = self.seals.holds(name, seal_of_folder(path))
            return KeptFolder(path, descriptor) if is_sound else None

    def _made_folder(self, name: str, size_bytes: int, write: Callable[[Path], None]) -> KeptFolder:
        self.room.make(size_bytes)
        partial = self.room.partial(name)
        partial.mkdir()
        try:
            with leased(partial):  # so that nobody sweeps it
                (partial / "new").mkdir()
                write(partial / "new")
                return self._moved_in(partial, name)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def kept(self, manifest: Digest) -> KeptFolder | None:
        """Returns the folder of a checkpoint, leased, if it is here and as it was made."""
        try:
            return self._found_folder(_folder_name(manifest))
        except OSError:
            return None

    def link(
        self, manifest: Digest, size_bytes: int, write: Callable[[Path], None], target: Path
    ) -> None:
        """Makes hard links to the files of a checkpoint's folder, which is made if need be.

        A new link changes the times of its file as writing does, so the folder is sealed again.

        Args:
            manifest: What the folder is kept under.
            size_bytes: Room it needs.
            write: Writes the checkpoint into an empty folder.
            target: The folder that is to have the links.

        Raises:
            DamagedError: Somebody wrote into the files meanwhile.
            MachineError: No space, no permission; or the target cannot have such links.
        """
        name = _folder_name(manifest)
        with self._making(name):
            with machine_errors("keeping a checkpoint folder"):
                kept = self._found_folder(name) or self._made_folder(name, size_bytes, write)
            before = facts_in(kept.path)
            seal = seal_of_files(before)
            is_sound = seal is None or self.seals.holds(name, seal)
            _link_files(kept.path, target, before)
            after = facts_in(kept.path)
            if not is_sound or _but_links(before) != _but_links(after):
                raise DamagedError(f"{kept.path} was changed meanwhile", hint="run it again")
            self.seals.write(name, seal_of_files(after))
            kept.release()

    def _moved_in(self, partial: Path, name: str) -> KeptFolder:
        path = self.folder / name
        for file in files_in(partial / "new"):
            file.chmod(0o444)
        with leased(partial / "new") as descriptor:
            assert descriptor is not None  # noqa: S101  # nobody else has it
            if os.path.lexists(path):
                path.rename(partial / "old")
            (partial / "new").rename(path)
            self.seals.write(name, seal_of_folder(path))
            return KeptFolder(path, descriptor)


def _folder_name(manifest: Digest) -> str:
    return Digest.of(canonical.encode(("checkpoint", manifest))).hex()


def _link_files(folder: Path, target: Path, paths: Iterable[str]) -> None:
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(folder / path, target / path)
        except OSError as error:
            raise MachineError(
                f"no hard link from {target} into {folder}: {error.strerror}",
                hint="both have to be on one file system that knows such links; else write a copy",
            ) from error


def _but_links(facts: dict[str, os.stat_result]) -> list[tuple[object, ...]]:
    """Returns what changes when somebody writes into a file, and not when it gets another name."""
    return [(path, f.st_dev, f.st_ino, f.st_size, f.st_mtime_ns) for path, f in facts.items()]


def _is_own(folder: Path) -> bool:
    facts = folder.lstat()
    is_folder = stat.S_ISDIR(facts.st_mode)  # a link could lead anywhere
    return is_folder and facts.st_uid == os.getuid() and os.access(folder, os.W_OK)


def _in_memory(entry: TensorEntry, fetch: Fetch, start: int, stop: int) -> Raw:
    memory = np.empty(stop - start, np.uint8)
    for at, raw in _chunks(entry, fetch, start, stop):
        first, last = max(start, at), min(stop, at + len(raw))
        memory[first - start : last - start] = np.frombuffer(raw, np.uint8)[first - at : last - at]
    return memory


def _chunks(entry: TensorEntry, fetch: Fetch, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
    """Yields (where it begins, raw bytes) of each chunk that holds bytes ``start`` to ``stop``."""

    def fetched(piece: tuple[int, Digest, int]) -> tuple[int, bytes]:
        end, chunk, size = piece
        raw = fetch(chunk)
        if len(raw) != size:
            raise DamagedError(
                f"chunk {chunk.short} has {len(raw):,} bytes, but its tensor, {entry.dtype}"
                f" {list(entry.shape)}, needs {size:,}"
            )
        return end - size, raw

    ends = accumulate(entry.chunk_sizes)
    wanted = [
        (end, chunk, size)
        for end, chunk, size in zip(ends, entry.chunks, entry.chunk_sizes, strict=True)
        if max(start, end - size) < min(stop, end)
    ]
    with closing(map_in_order(fetched, wanted)) as found:
        yield from found
