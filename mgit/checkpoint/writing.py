"""Checkpoint files out of a manifest: the same bytes that were added."""

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TypeAlias

from mgit.checkpoint.safetensors import prefix
from mgit.decoded.leases import leased, sweep
from mgit.digest import Digest
from mgit.errors import DamagedError, UsageError
from mgit.objects import FileEntry, TensorEntry
from mgit.repository import Parts
from mgit.store.files import machine_errors
from mgit.tensors import Raw
from mgit.threads import map_in_order

Advance = Callable[[int], None]
_Bytes: TypeAlias = "bytes | memoryview"


@dataclass(frozen=True, slots=True)
class Source:
    """Where the bytes of a checkpoint come from.

    Attributes:
        fetch: Chunk id -> raw bytes, verified; called on several threads.
        held: Tensor -> its bytes, verified, where they lie whole in memory or a mapping.
    """

    fetch: Callable[[Digest], bytes]
    held: Callable[[TensorEntry], Raw | None]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A chunk of a file or tensor, ``what``; ``held`` is its bytes where they need no decoding."""

    what: str
    chunk: Digest
    size: int
    held: memoryview | None


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Gives a folder to write into, which becomes ``target`` at the end of the context.

    It appears whole or not at all: after an error nothing is left, and what a process that was
    killed left beside ``target`` is removed by the next one that writes there.

    Args:
        target: A folder that does not exist, or is empty.

    Raises:
        UsageError: ``target`` has something in it.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100  # unlike resolve, follows no links
    with machine_errors(f"writing {target}"):
        if target.is_symlink() or (target.exists() and not _is_empty_folder(target)):
            raise UsageError(f"{target} is there already", hint="give a folder that does not exist")
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # a folder that may not be listed, or somebody else's leavings
            sweep(target.parent, re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.part"))
        partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        partial.mkdir()
        try:
            with leased(partial):  # so that nobody sweeps it
                yield partial
                partial.rename(target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def _is_empty_folder(target: Path) -> bool:
    return target.is_dir() and not any(target.iterdir())


def write_checkpoint(folder: Path, parts: Parts, source: Source, advance: Advance) -> None:
    """Writes a checkpoint into an empty folder; a few chunks at a time are in memory.

    Args:
        folder: Where to.
        parts: What describes the checkpoint.
        source: Where the bytes come from.
        advance: Is told the number of bytes written.

    Raises:
        DamagedError: The parts do not fit together.
    """
    shards = [(shard.path, prefix(shard.header), shard.order) for shard in parts.layout.shards]
    files = parts.files()
    described = (parts.content.files, parts.layout.files, parts.manifest.documents)
    if len({path for path, *_ in shards} | files.keys()) < len(shards) + sum(map(len, described)):
        raise DamagedError("a manifest that names one path twice")
    tensors = parts.weights.tensors
    pieces = chain(
        (
            p
            for *_, order in shards
            for name in order
            for p in _of_tensor(name, tensors[name], source)
        ),
        (p for path, file in files.items() for p in _pieces(path, file)),
    )
    with closing(map_in_order(lambda piece: _read(piece, source), pieces)) as read:
        for path, header, order in shards:
            count = sum(len(tensors[name].chunks) for name in order)
            _write_file(folder / path, chain([header], islice(read, count)), advance)
        for path, file in files.items():
            _write_file(folder / path, islice(read, len(file.chunks)), advance)


def _of_tensor(name: str, entry: TensorEntry, source: Source) -> Iterator[_Piece]:
    raw = source.held(entry)
    return _pieces(name, entry, None if raw is None else raw.data)


def _pieces(
    what: str, entry: TensorEntry | FileEntry, held: memoryview | None = None
) -> Iterator[_Piece]:
    at = 0
    for chunk, size in zip(entry.chunks, entry.chunk_sizes, strict=True):
        yield _Piece(what, chunk, size, None if held is None else held[at : at + size])
        at += size


def _read(piece: _Piece, source: Source) -> _Bytes:
    raw = source.fetch(piece.chunk) if piece.held is None else piece.held
    if len(raw) != piece.size:
        raise DamagedError(
            f"{piece.what!r} has a chunk of {len(raw)} bytes where {piece.size} belong"
        )
    return raw


def _write_file(path: Path, parts: Iterable[_Bytes], advance: Advance) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        for part in parts:
            file.write(part)
            advance(len(part))
