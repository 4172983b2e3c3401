"""The bytes of a checkpoint into chunks, one at a time: any model streams through."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from mgit.checkpoint import Checkpoint, FileOnDisk, TensorOnDisk, require_unchanged
from mgit.digest import Digest
from mgit.errors import AbsentError, FormatError
from mgit.objects import (
    DTYPES,
    Content,
    DType,
    Edge,
    FileEntry,
    Layout,
    Manifest,
    TensorEntry,
    Weights,
    digest_of,
)
from mgit.objects.dtypes import RAW_BYTES, cut, cut_file
from mgit.progress import Progress
from mgit.repository import History, Parts, Repository, read_parts
from mgit.store import PackWriter, Reader, add_chunk
from mgit.store.files import machine_errors


@dataclass(frozen=True, slots=True)
class Bases:
    """The chunks of related models that stand where a new chunk will stand.

    Attributes:
        reader: Reads what the store holds.
        models: The weights of the related models.
    """

    reader: Reader
    models: Sequence[Weights]

    def of(self, tensor: str, dtype: str, index: int) -> Iterator[Digest]:
        """Yields chunk ``index`` of the tensors of that name and type."""
        for weights in self.models:
            entry = weights.tensors.get(tensor)
            if entry and entry.dtype == dtype and index < len(entry.chunks):
                yield entry.chunks[index]


def bases_among(repository: Repository, history: History, edges: Iterable[Edge]) -> Bases:
    """Returns the bases for a child with these edges: its parents that are here."""
    models = []
    for parent in sorted({edge.parent for edge in edges} & history.nodes.keys()):
        try:
            models.append(read_parts(repository, history.nodes[parent]).weights)
        except AbsentError:
            continue  # not in this copy: the child is stored without that base
    return Bases(repository.store.reader, models)


def store_checkpoint(
    checkpoint: Checkpoint, writer: PackWriter, bases: Bases, progress: Progress
) -> Parts:
    """Writes the chunks of a checkpoint that are not here yet; returns what describes it.

    Raises:
        FormatError: A file changed while it was read.
    """
    total, done = checkpoint.size_bytes, checkpoint.header_bytes
    with _Source(writer, bases, progress, total, done) as source:
        tensors = {name: source.tensor(tensor) for name, tensor in checkpoint.tensors.items()}
        weights = Weights(tensors)
        content_files, layout_files, documents = (
            {path: source.file(file) for path, file in files.items()}
            for files in (checkpoint.files, checkpoint.indexes, checkpoint.documents)
        )
    require_unchanged(checkpoint)
    content = Content(digest_of(weights), content_files)
    layout = Layout(tuple(checkpoint.shards), layout_files)
    manifest = Manifest(digest_of(content), documents, digest_of(layout))
    return Parts(manifest, content, layout, weights)


def store_bytes(content: bytes, writer: PackWriter, reader: Reader) -> FileEntry:
    """Writes the chunks of a file's content that are not here yet; returns what describes it."""
    at, chunks = 0, []
    for size in cut_file(len(content)):
        raw = content[at : at + size]
        chunks.append(add_chunk(writer, reader, raw, RAW_BYTES, ()))
        at += size
    return FileEntry(len(content), tuple(chunks))


@dataclass(slots=True)
class _Source:
    """Reads the files of a checkpoint chunk by chunk, each file opened once."""

    writer: PackWriter
    bases: Bases
    progress: Progress
    total: int
    done: int
    files: dict[Path, BinaryIO] = field(default_factory=dict)
    opened: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.opened.close()

    def tensor(self, tensor: TensorOnDisk) -> TensorEntry:
        stored, dtype = tensor.stored, DTYPES[tensor.stored.dtype]
        at, chunks = stored.start, []
        for index, size in enumerate(cut(dtype, stored.shape)):
            candidates = self.bases.of(stored.name, stored.dtype, index)
            chunks.append(self._chunk(tensor.source, (at, size), dtype, candidates))
            at += size
        return TensorEntry(stored.dtype, stored.shape, tuple(chunks))

    def file(self, file: FileOnDisk) -> FileEntry:
        at, chunks = 0, []
        for size in cut_file(file.size_bytes):
            chunks.append(self._chunk(file.source, (at, size), RAW_BYTES, ()))
            at += size
        return FileEntry(file.size_bytes, tuple(chunks))

    def _chunk(
        self, path: Path, place: tuple[int, int], dtype: DType, candidates: Iterable[Digest]
    ) -> Digest:
        start, size = place
        with machine_errors(f"reading {path.name}"):
            if path not in self.files:
                self.files[path] = self.opened.enter_context(path.open("rb"))
            raw = os.pread(self.files[path].fileno(), size, start)
        if len(raw) != size:
            raise FormatError(f"{path} changed while it was read", hint="run the command again")
        chunk = add_chunk(self.writer, self.bases.reader, raw, dtype, candidates)
        self.done += size
        self.progress(self.done, self.total)
        return chunk
