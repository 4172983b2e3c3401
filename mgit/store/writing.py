"""Packs being written: bodies first, then index and trailer, synced before anybody can see them."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from mgit.canonical import Value
from mgit.codecs import RAW, ZSTD, zstd
from mgit.digest import Digest
from mgit.objects import MAX_PACK_BYTES, PackId, PackKind, Ref
from mgit.store.files import machine_errors
from mgit.store.format import MAX_ROWS, PackIndex, Row, build_index, check_of, trailer


@dataclass(frozen=True, slots=True)
class FinishedPack:
    """A complete, synced pack that is not in any repository yet.

    Attributes:
        path: Where it lies.
        index: Its parsed index.
        file: Open and locked until the pack is installed or removed, so that nobody sweeps it.
    """

    path: Path
    index: PackIndex
    file: BinaryIO

    @property
    def pack(self) -> PackId:
        """The pack's id."""
        return self.index.pack

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return self.index.size_bytes

    def read(self, _pack: PackId, start: int, stop: int) -> bytes:
        """Returns a range of the file, as ``Store.read`` does."""
        with machine_errors("reading a pack"):
            return os.pread(self.file.fileno(), stop - start, start)

    def remove(self) -> None:
        """Removes the file: the pack is not needed here."""
        _remove(self.path, self.file)


def _remove(path: Path, file: BinaryIO) -> None:
    """Removes an open file; closing it may fail where writing it failed, and matters no more."""
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        file.close()


def as_stored(data: bytes) -> tuple[int, bytes]:
    """Returns how metadata is stored, the number of a codec and a body: the smaller way."""
    packed = zstd.encode(data)
    return (ZSTD.number, packed) if len(packed) < len(data) else (RAW.number, data)


class PackWriter:
    """Writes packs of one kind into a folder, the next one when one is full.

    Used as a context: on an exception everything unfinished is removed.
    """

    def __init__(self, kind: PackKind, folder: Path, *, limit_bytes: int = MAX_PACK_BYTES) -> None:
        """Takes the folder to write into and the size at which a pack counts as full."""
        self.kind = kind
        self.finished: list[FinishedPack] = []
        self.rows: dict[Ref, Row] = {}
        self._folder = folder
        self.limit_bytes = limit_bytes
        self._path: Path | None = None
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self.discard()

    def __contains__(self, ref: object) -> bool:
        return ref in self.rows or any(
            isinstance(ref, Ref) and pack.index.find(ref) for pack in self.finished
        )

    def add(
        self,
        ref: Ref,
        body: bytes,
        *,
        raw_bytes: int,
        codec: int = 0,
        bases: tuple[Digest, ...] = (),
    ) -> None:
        """Appends the body of an object that this writer does not hold yet."""
        is_full = len(self.rows) >= MAX_ROWS or self._end + len(body) > self.limit_bytes
        if self._path is not None and is_full:
            self.finish()
        with self._writing():
            if self._path is None:
                self._start()
            self._file.write(body)
            check = check_of(body)
            self.rows[ref] = Row(ref, codec, bases, self._end, len(body), raw_bytes, check)
            self._end += len(body)

    def add_object(self, ref: Ref, data: bytes) -> None:
        """Appends a metadata object."""
        codec, body = as_stored(data)
        self.add(ref, body, raw_bytes=len(data), codec=codec)

    def copy(self, row: Row, body: bytes) -> None:
        """Appends an object as it is stored in another pack: its row there, and its body."""
        self.add(row.ref, body, raw_bytes=row.raw_bytes, codec=row.codec, bases=row.bases)

    def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{secrets.token_hex(16)}.part"
        self._file = path.open("x+b", buffering=1 << 20)
        self._path = path
        fcntl.flock(self._file.fileno(), fcntl.LOCK_EX)
        self._end = 0

    def finish(self, summary: Value = None) -> list[FinishedPack]:
        """Completes the current pack, if it has rows, and returns all packs finished so far."""
        if self._path is None:
            return self.finished
        data = build_index(self.kind, list(self.rows.values()), summary or {})
        with self._writing():
            self._file.write(data + trailer(data))
            self._file.flush()
            os.fsync(self._file.fileno())
        index = PackIndex(PackId(Digest.of(data)), data)
        self.finished.append(FinishedPack(self._path, index, self._file))
        self._path, self.rows = None, {}
        return self.finished

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Gives the current pack up when writing it fails.

        Nobody knows then what the file holds, and another fsync would not tell that it lacks
        something: it must not be finished by somebody who keeps what came before the failure.
        """
        try:
            with machine_errors("writing a pack"):
                yield
        except BaseException:
            self._abandon()
            raise

    def _abandon(self) -> None:
        if self._path is not None:
            _remove(self._path, self._file)
            self._path, self.rows = None, {}

    def discard(self) -> None:
        """Removes everything that this writer has written."""
        self._abandon()
        for pack in self.finished:
            pack.remove()
        self.finished = []
