"""What a checkpoint consists of: weights, content, layout, manifest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Self

from mgit.canonical import Value
from mgit.digest import Digest
from mgit.errors import FormatError, UsageError
from mgit.objects import fields
from mgit.objects.dtypes import DTYPES, cut, cut_file, size_bytes
from mgit.objects.fields import Body, Ref
from mgit.objects.grammar import check_path

CHUNK = "chunk"
MAX_DIMENSIONS = 64
_MAX_TENSOR_BYTES = 1 << 50


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One tensor.

    Attributes:
        dtype: A key of ``DTYPES``.
        shape: As in the checkpoint; ``()`` for a 0-d tensor.
        chunks: Its bytes, cut by ``dtypes.cut``.
        alias: Name of the tensor it is tied to, or None; equal chunks alone are not a tie.
    """

    dtype: str
    shape: tuple[int, ...]
    chunks: tuple[Digest, ...]
    alias: str | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole tensor."""
        return size_bytes(DTYPES[self.dtype], self.shape)

    @property
    def chunk_sizes(self) -> tuple[int, ...]:
        """Bytes of each chunk."""
        return tuple(cut(DTYPES[self.dtype], self.shape))


@dataclass(frozen=True, slots=True)
class FileEntry:
    """The bytes of one file, cut every 4 MiB."""

    size_bytes: int
    chunks: tuple[Digest, ...]

    @property
    def chunk_sizes(self) -> tuple[int, ...]:
        """Bytes of each chunk."""
        return tuple(cut_file(self.size_bytes))


@dataclass(frozen=True, slots=True)
class Weights:
    """Tensor names -> tensors."""

    kind: ClassVar[str] = "weights"
    limit_bytes: ClassVar[int] = 64 << 20
    tensors: Mapping[str, TensorEntry]

    def body(self) -> Body:
        """Returns the fields as values."""
        return {
            "tensors": tuple(
                (name, t.dtype, t.shape, t.chunks, t.alias)
                for name, t in sorted(self.tensors.items())
            )
        }

    def keeps(self) -> set[Ref]:
        """Returns what must stay while this object stays."""
        return {Ref(CHUNK, chunk) for tensor in self.tensors.values() for chunk in tensor.chunks}

    @classmethod
    def parse(cls, body: Body) -> Self:
        """Returns the object with these fields, or raises FormatError."""
        return cls(dict(_parse_tensor(value) for value in fields.rows(body, "tensors")))


@dataclass(frozen=True, slots=True)
class Content:
    """All that the behaviour of a model depends on. Its digest is the content id."""

    kind: ClassVar[str] = "content"
    limit_bytes: ClassVar[int] = 64 << 20
    weights: Digest
    files: Mapping[str, FileEntry]

    def body(self) -> Body:
        """Returns the fields as values."""
        return {"weights": self.weights, "files": _file_rows(self.files)}

    def keeps(self) -> set[Ref]:
        """Returns what must stay while this object stays."""
        return {Ref(Weights.kind, self.weights), *_file_chunks(self.files)}

    @classmethod
    def parse(cls, body: Body) -> Self:
        """Returns the object with these fields, or raises FormatError."""
        return cls(fields.digest(body, "weights"), _parse_files(body))


@dataclass(frozen=True, slots=True)
class Shard:
    """One safetensors file: length of the header in 8 bytes, the header, tensors in ``order``."""

    path: str
    header: bytes
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """How the original files were laid out: needed to write them back, never for meaning.

    Attributes:
        shards: The safetensors files whose tensors are in the weights.
        files: Indexes of the shards (``*.index.json``).
    """

    kind: ClassVar[str] = "layout"
    limit_bytes: ClassVar[int] = 64 << 20
    shards: tuple[Shard, ...]
    files: Mapping[str, FileEntry]

    def body(self) -> Body:
        """Returns the fields as values."""
        return {
            "shards": tuple((shard.path, shard.header, shard.order) for shard in self.shards),
            "files": _file_rows(self.files),
        }

    def keeps(self) -> set[Ref]:
        """Returns what must stay while this object stays."""
        return _file_chunks(self.files)

    @classmethod
    def parse(cls, body: Body) -> Self:
        """Returns the object with these fields, or raises FormatError."""
        return cls(
            tuple(_parse_shard(value) for value in fields.rows(body, "shards")), _parse_files(body)
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything needed to write a checkpoint back.

    Attributes:
        content: Digest of the ``Content``.
        documents: Files that behaviour cannot depend on (``is_document``).
        layout: Digest of the ``Layout``.
    """

    kind: ClassVar[str] = "manifest"
    limit_bytes: ClassVar[int] = 64 << 20
    content: Digest
    documents: Mapping[str, FileEntry]
    layout: Digest

    def body(self) -> Body:
        """Returns the fields as values."""
        return {"content": self.content, "files": _file_rows(self.documents), "layout": self.layout}

    def keeps(self) -> set[Ref]:
        """Returns what must stay while this object stays."""
        return {
            Ref(Content.kind, self.content),
            Ref(Layout.kind, self.layout),
            *_file_chunks(self.documents),
        }

    @classmethod
    def parse(cls, body: Body) -> Self:
        """Returns the object with these fields, or raises FormatError."""
        return cls(
            fields.digest(body, "content"), _parse_files(body), fields.digest(body, "layout")
        )


def _file_rows(files: Mapping[str, FileEntry]) -> Value:
    return tuple((path, file.size_bytes, file.chunks) for path, file in sorted(files.items()))


def _file_chunks(files: Mapping[str, FileEntry]) -> set[Ref]:
    return {Ref(CHUNK, chunk) for file in files.values() for chunk in file.chunks}


def _parse_tensor(value: Value) -> tuple[str, TensorEntry]:
    name, dtype, shape, chunks, alias = fields.row(value, 5, "tensor")
    name = fields.typed(name, str, "name")
    tensor = TensorEntry(
        fields.typed(dtype, str, "dtype"),
        tuple(fields.integer(n, "dimension") for n in fields.typed(shape, tuple, "shape")),
        fields.as_digests(chunks, "chunk"),
        None if alias is None else fields.typed(alias, str, "alias"),
    )
    if tensor.dtype not in DTYPES or len(tensor.shape) > MAX_DIMENSIONS:
        raise FormatError(f"{name!r} has dtype {tensor.dtype!r} and {len(tensor.shape)} dimensions")
    try:
        is_too_large = tensor.size_bytes > _MAX_TENSOR_BYTES
    except ValueError as error:
        raise FormatError(f"{name!r}: {error}") from error
    if is_too_large or not _has_length(cut(DTYPES[tensor.dtype], tensor.shape), len(tensor.chunks)):
        raise FormatError(
            f"{name!r} has {len(tensor.chunks)} chunks, not what its shape {tensor.shape} needs"
        )
    return name, tensor


def _has_length(items: Iterable[int], length: int) -> bool:
    return sum(1 for _ in islice(items, length + 1)) == length


def _parse_files(body: Body) -> dict[str, FileEntry]:
    files: dict[str, FileEntry] = {}
    for value in fields.rows(body, "files"):
        path, size, chunks = fields.row(value, 3, "file")
        path = safe_path(fields.typed(path, str, "path"))
        entry = FileEntry(fields.integer(size, "size"), fields.as_digests(chunks, "chunk"))
        if not _has_length(cut_file(entry.size_bytes), len(entry.chunks)):
            raise FormatError(
                f"{path!r} has {len(entry.chunks)} chunks for {entry.size_bytes} bytes"
            )
        files[path] = entry
    return files


def _parse_shard(value: Value) -> Shard:
    path, header, order = fields.row(value, 3, "shard")
    return Shard(
        safe_path(fields.typed(path, str, "path")),
        fields.typed(header, bytes, "header"),
        fields.texts(order, "order"),
    )


def safe_path(path: str) -> str:
    """Returns the path in a stored object; FormatError where it must never be written."""
    try:
        return check_path(path)
    except UsageError as error:
        raise FormatError(str(error)) from error
