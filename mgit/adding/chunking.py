"""The bytes of a checkpoint into chunks: any model streams through, on a few threads."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, islice

from mgit.adding.pieces import Piece, pieces_of_bytes, pieces_of_file, pieces_of_tensor
from mgit.adding.relating import Bases
from mgit.checkpoint import Checkpoint, FileOnDisk, require_unchanged
from mgit.digest import Digest
from mgit.objects import (
    CHUNK,
    DTYPES,
    Content,
    FileEntry,
    Layout,
    Manifest,
    Ref,
    TensorEntry,
    Weights,
    digest_of,
)
from mgit.objects.dtypes import cut, cut_file
from mgit.progress import Progress
from mgit.repository import Parts
from mgit.store import Coded, PackWriter, encode_chunk
from mgit.threads import map_in_order


@dataclass(frozen=True, slots=True)
class _New:
    """A chunk of a new model. ``coded`` is None where it is here already, or somebody's turn."""

    chunk: Digest
    raw_bytes: int
    coded: Coded | None


@dataclass(frozen=True, slots=True)
class _Intake:
    """Reads, hashes and codes pieces: on several threads, each chunk once."""

    writer: PackWriter
    bases: Bases
    begun: set[Digest] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, piece: Piece) -> _New:
        raw = piece.read()
        chunk = Digest.of(raw)
        with self.lock:
            is_first = chunk not in self.begun and Ref(CHUNK, chunk) not in self.writer
            self.begun.add(chunk)
        if not is_first or self.bases.reader.is_intact(chunk):
            return _New(chunk, len(raw), None)
        bases = self.bases
        coded = encode_chunk(bases.reader, raw, piece.form, bases.of(piece), bases.coding)
        return _New(chunk, len(raw), coded)


def store_pieces(
    pieces: Iterable[Piece],
    writer: PackWriter,
    bases: Bases,
    advance: Callable[[int], None] | None = None,
) -> list[Digest]:
    """Writes the chunks that are not here yet, and returns the ids of all, in order.

    A chunk whose stored bytes are no longer as written counts as absent: so adding heals.

    Args:
        pieces: What is to be chunks.
        writer: The pack being written.
        bases: What they may be stored as differences from.
        advance: Is told the bytes of each chunk, when it is done.
    """
    found = []
    with closing(map_in_order(_Intake(writer, bases).take, pieces)) as taken:
        for new in taken:
            if new.coded:
                ref, raw_bytes, coded = Ref(CHUNK, new.chunk), new.raw_bytes, new.coded
                writer.add(
                    ref, coded.body, raw_bytes=raw_bytes, codec=coded.codec, bases=coded.bases
                )
            found.append(new.chunk)
            if advance:
                advance(new.raw_bytes)
    return found


def store_checkpoint(
    checkpoint: Checkpoint, writer: PackWriter, bases: Bases, progress: Progress
) -> Parts:
    """Writes the chunks of a checkpoint that are not here yet; returns what describes it.

    Raises:
        FormatError: A file changed while it was read.
    """
    done, total = checkpoint.header_bytes, checkpoint.size_bytes

    def advance(size: int) -> None:
        nonlocal done
        done += size
        progress(done, total)

    plain = (checkpoint.files, checkpoint.indexes, checkpoint.documents)
    pieces = chain(
        chain.from_iterable(map(pieces_of_tensor, checkpoint.tensors.values())),
        chain.from_iterable(pieces_of_file(file) for files in plain for file in files.values()),
    )
    chunks = iter(store_pieces(pieces, writer, bases, advance))
    require_unchanged(checkpoint)
    tensors = {
        name: TensorEntry(
            tensor.stored.dtype,
            tensor.stored.shape,
            _next(chunks, cut(DTYPES[tensor.stored.dtype], tensor.stored.shape)),
        )
        for name, tensor in checkpoint.tensors.items()
    }
    weights = Weights(tensors)
    content_files, layout_files, documents = (_entries(files, chunks) for files in plain)
    content = Content(digest_of(weights), content_files)
    layout = Layout(tuple(checkpoint.shards), layout_files)
    manifest = Manifest(digest_of(content), documents, digest_of(layout))
    return Parts(manifest, content, layout, weights)


def _entries(files: dict[str, FileOnDisk], chunks: Iterator[Digest]) -> dict[str, FileEntry]:
    return {
        path: FileEntry(file.size_bytes, _next(chunks, cut_file(file.size_bytes)))
        for path, file in files.items()
    }


def _next(chunks: Iterator[Digest], sizes: Iterable[int]) -> tuple[Digest, ...]:
    """Returns as many chunks as there are sizes."""
    return tuple(islice(chunks, sum(1 for _ in sizes)))


def store_bytes(content: bytes, writer: PackWriter, bases: Bases) -> FileEntry:
    """Writes the chunks of a file's content that are not here yet; returns what describes it."""
    return FileEntry(len(content), tuple(store_pieces(pieces_of_bytes(content), writer, bases)))
