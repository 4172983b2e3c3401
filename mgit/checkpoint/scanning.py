"""What lies in a checkpoint on disk: tensors, files, their layout. Only headers are read."""

import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from mgit.checkpoint.safetensors import Header, StoredTensor, read_header
from mgit.errors import FormatError, NotFoundError, PickleError, UsageError
from mgit.objects import Shard
from mgit.objects.grammar import check_path
from mgit.store.files import machine_errors

_DOCUMENTS = (
    "readme*",
    "license*",
    "notice*",
    "*.md",
    "*.png",
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.svg",
    "*.webp",
    ".gitattributes",
    "*.cdx.json",
)
_PICKLE, _PROTOCOLS = b"\x80", {b"\x02", b"\x03", b"\x04", b"\x05"}
_MAX_INDEX_BYTES = 64 << 20
_SKIPPED_FOLDERS = {".git", ".mgit"}


@dataclass(frozen=True, slots=True)
class FileOnDisk:
    """A file of a checkpoint: where it lies, and its size when it was scanned."""

    source: Path
    size_bytes: int


@dataclass(frozen=True, slots=True)
class TensorOnDisk:
    """A tensor, and the file its bytes are in."""

    source: Path
    stored: StoredTensor


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint on disk. Mappings are in the order in which their bytes are stored.

    Attributes:
        tensors: Tensor name -> tensor.
        files: Path -> file that behaviour may depend on.
        documents: Path -> file that it cannot depend on.
        indexes: Path -> index of shards (``*.index.json``).
        shards: The safetensors files whose tensors are in ``tensors``.
        stamps: File on disk -> inode, size, time of its last change when it was scanned.
    """

    tensors: dict[str, TensorOnDisk] = field(default_factory=dict)
    files: dict[str, FileOnDisk] = field(default_factory=dict)
    documents: dict[str, FileOnDisk] = field(default_factory=dict)
    indexes: dict[str, FileOnDisk] = field(default_factory=dict)
    shards: list[Shard] = field(default_factory=list)
    stamps: dict[Path, tuple[int, ...]] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Bytes of all its files together."""
        files = (*self.files.values(), *self.documents.values(), *self.indexes.values())
        tensors = sum(t.stored.stop - t.stored.start for t in self.tensors.values())
        return sum(f.size_bytes for f in files) + tensors + self.header_bytes

    @property
    def header_bytes(self) -> int:
        """Bytes in front of the tensors in their files."""
        return sum(8 + len(shard.header) for shard in self.shards)


def scan(path: Path, *, exclude: Sequence[str] = ()) -> Checkpoint:
    """Returns what lies in a safetensors file or a checkpoint folder.

    Args:
        path: The file or folder.
        exclude: Patterns of paths below the folder that are left out.

    Raises:
        NotFoundError: Nothing is there.
        PickleError: A file can only be read by unpickling it.
        FormatError: A safetensors file is damaged.
        UsageError: A path that could not be written back everywhere, or an empty folder.
    """
    with machine_errors(f"reading {path}"):
        if not path.exists():
            raise NotFoundError(f"there is no {path}", hint="give a safetensors file or a folder")
        if not (path.is_dir() or path.is_file()):
            raise UsageError(f"{path} is neither a file nor a folder", hint="give one of those")
        found = list(_walk(path, exclude)) if path.is_dir() else [(path.name, path)]
        _check_twins([name for name, _ in found])
        checkpoint = Checkpoint()
        for name, source in sorted(found):
            _sort_in(checkpoint, name, source)
        for name, file in checkpoint.indexes.items():
            _require_shards(name, file)
    if not found:
        raise UsageError(f"{path} holds no file", hint="give the folder of a checkpoint")
    return checkpoint


def _require_shards(name: str, index: FileOnDisk) -> None:
    """Refuses a checkpoint whose index names shards that are not there: a download cut short."""
    if index.size_bytes > _MAX_INDEX_BYTES:
        return
    try:
        described = json.loads(index.source.read_bytes())
    except (ValueError, RecursionError):
        return  # a file of another kind under that name
    named = described.get("weight_map") if isinstance(described, dict) else None
    files = {str(file) for file in named.values()} if isinstance(named, dict) else set()
    shards = {file for file in files if file.endswith(".safetensors")}
    missing = sorted(shard for shard in shards if not (index.source.parent / shard).exists())
    if missing:
        raise UsageError(
            f"{name} names {missing[0]}, which is not there: the checkpoint is not whole",
            hint=f"download it again, or leave the index out: --exclude '{name}'",
        )


def require_unchanged(checkpoint: Checkpoint) -> None:
    """Raises FormatError if a file of the checkpoint is not as it was when it was scanned.

    What was read of it may then be a mixture that never existed.
    """
    for source, stamp in checkpoint.stamps.items():
        with machine_errors(f"reading {source}"):
            if _stamp(source) != stamp:
                raise FormatError(f"{source} changed while it was read", hint="add it again")


def _stamp(source: Path) -> tuple[int, ...]:
    found = source.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def is_document(path: str) -> bool:
    """Returns whether behaviour cannot depend on a file of this name (list in ``FORMAT.md``)."""
    name = path.rsplit("/", 1)[-1].lower()
    return any(fnmatch(name, pattern) for pattern in _DOCUMENTS)


def _walk(folder: Path, exclude: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yields every file below a folder with its path; nothing is left out unless it is excluded."""

    def is_kept(path: Path) -> bool:
        name = path.relative_to(folder).as_posix()
        return not any(fnmatch(name, pattern) for pattern in exclude)

    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = sorted(set(folders) - _SKIPPED_FOLDERS)
        for source in (Path(parent, name) for name in (*folders, *files)):
            is_odd = source.is_symlink() if source.is_dir() else not source.is_file()
            if is_odd and is_kept(source):
                raise UsageError(
                    f"{source} is a link to a folder, or no file at all",
                    hint="put a copy in its place, or leave it out with --exclude",
                )
            if source.is_file() and is_kept(source):
                yield source.relative_to(folder).as_posix(), source


def _raise(error: OSError) -> None:
    raise error


def _check_twins(names: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(check_path(name).casefold(), name)
        if twin != name:
            raise UsageError(
                f"{twin!r} and {name!r} are one file on some systems",
                hint="rename one, or leave one out with --exclude",
            )


def _sort_in(checkpoint: Checkpoint, name: str, source: Path) -> None:
    file = FileOnDisk(source, source.stat().st_size)
    checkpoint.stamps[source] = _stamp(source)
    header = _header(file) if name.endswith(".safetensors") else None
    if header is None and _is_pickle(source):
        raise _pickle_error(name)
    if header and checkpoint.tensors.keys().isdisjoint(t.name for t in header.tensors):
        checkpoint.shards.append(
            Shard(name, header.verbatim, tuple(t.name for t in header.tensors))
        )
        checkpoint.tensors.update({t.name: TensorOnDisk(source, t) for t in header.tensors})
    elif name.endswith(".index.json"):
        checkpoint.indexes[name] = file
    elif is_document(name):
        checkpoint.documents[name] = file
    else:  # also a safetensors file whose tensors others have, or that is no plain sequence
        checkpoint.files[name] = file


def _header(file: FileOnDisk) -> Header | None:
    with file.source.open("rb") as opened:
        try:
            return read_header(opened, file.size_bytes)
        except FormatError as error:
            if _is_pickle(file.source):  # under a wrong name
                raise _pickle_error(file.source.name) from error
            raise FormatError(f"{file.source.name}: {error}", hint=error.hint) from error


def _pickle_error(name: str) -> PickleError:
    return PickleError(
        f"{name} is a pickle: reading it could run code, so mgit does not take it",
        hint="save the model as safetensors, or leave the file out: --exclude "
        f"'{name}' (conversion in a child process, weights only, is planned)",
    )


def _is_pickle(source: Path) -> bool:
    with source.open("rb") as file:
        start = file.read(4)
        if start[:1] == _PICKLE and start[1:2] in _PROTOCOLS:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"."  # the last instruction of every pickle
    if start != b"PK\x03\x04":
        return False
    try:
        with zipfile.ZipFile(source) as archive:
            return any(member.endswith("data.pkl") for member in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError):
        return False
