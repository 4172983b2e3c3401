"""A model of the repository in memory, without writing its checkpoint anywhere.

Tensors are mapped from the decoded cache when they are asked for: processes that load the same
model, or models that share tensors, share memory, and one row of a large tensor costs one row.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from mgit import tensors
from mgit.checkpoint import Source, write_checkpoint
from mgit.decoded import Decoded, KeptFolder
from mgit.digest import Digest
from mgit.errors import MachineError, NotFoundError, UsageError
from mgit.objects import TensorEntry, Weights, digest_of
from mgit.objects.grammar import printable
from mgit.repository import Parts, Repository, require_complete
from mgit.selection import Selection
from mgit.tensors import Array, Raw

if TYPE_CHECKING:
    from mgit.tensors import Tensor

T = TypeVar("T")


def load(repository: Repository, selector: str) -> "LoadedModel":
    """Returns a model; its tensors are read when they are asked for.

    Args:
        repository: Where it is.
        selector: Which node: ``legal``, ``legal@v2``, an id.

    Raises:
        AbsentError: Its weights are not in this copy; the hint says how to get them.
        NotFoundError, ConflictError, UsageError: See ``Selection.one``.
    """
    history = repository.history()
    selection = Selection(repository, history)
    node = selection.one(selector)
    parts = require_complete(repository, selection.title(node), node, history.nodes[node])
    return LoadedModel(repository, node, parts)


class LoadedModel:
    """A node that can be computed with.

    Used as a context, or closed: then it gives no more, and the cache may remove what it gave as
    soon as nothing refers to it. Arrays and tensors that are still in use stay valid, and keep
    their place in the cache; a folder does not.

    Attributes:
        node: Its id.
    """

    def __init__(self, repository: Repository, node: Digest, parts: Parts) -> None:
        """Takes the parts of a node, all of whose chunks are here."""
        self.node = node
        self._parts = parts
        self._source = _Source(repository, Decoded.of(repository))
        self._arrays = Lazy(parts.weights, self._source.array)
        self._tensors = Lazy(parts.weights, self._source.tensor)
        self._folder: KeptFolder | None = None
        self._is_open = True

    def tensors(self) -> "Mapping[str, Tensor]":
        """Returns its tensors for torch, by name, each mapped copy-on-write when asked for.

        Each name is given the same tensor every time. Writing into it reaches neither the
        repository nor anybody else; a tied tensor is the tensor that it is tied to.

        Raises:
            UsageError: (When asked for) torch has no such type.
            DamagedError: (When asked for) a chunk is damaged.
        """
        self._check_open()
        return self._tensors

    def arrays(self) -> Mapping[str, Array]:
        """Returns the same for numpy; its arrays have memory of their own. Never imports torch."""
        self._check_open()
        return self._arrays

    def rows(self, name: str, start: int, stop: int) -> Array:
        """Returns rows ``start`` to ``stop`` (left out) of a tensor, for numpy.

        Rows are those of its first dimension. Only the chunks that hold them are decoded, and
        nothing is kept, unless the tensor is in the decoded cache: then they are mapped from there.
        The array has memory of its own.

        Raises:
            NotFoundError: There is no such tensor.
            UsageError: It has no such rows, or numpy has no such type.
            DamagedError: A chunk is damaged.
        """
        entry = self._entry_of_rows(name, start, stop)
        return tensors.as_array(*self._source.rows(entry, start, stop))

    def tensor_rows(self, name: str, start: int, stop: int) -> "Tensor":
        """Returns the same for torch; raises as ``rows`` does."""
        entry = self._entry_of_rows(name, start, stop)
        return tensors.as_tensor(*self._source.rows(entry, start, stop))

    def _entry_of_rows(self, name: str, start: int, stop: int) -> TensorEntry:
        self._check_open()
        entry = self._parts.weights.tensors.get(name)
        if entry is None:
            raise NotFoundError(
                f"{self.node.short} has no tensor {printable(name)!r}",
                hint="their names: list(model.arrays())",
            )
        if not entry.shape or not 0 <= start <= stop <= entry.shape[0]:
            raise UsageError(
                f"tensor {printable(name)!r} of shape {list(entry.shape)} has no rows"
                f" {start} to {stop}",
                hint="rows are counted from 0 along the first dimension",
            )
        return entry

    def file(self, path: str) -> bytes:
        """Returns the bytes of a file that is kept whole: ``config.json``.

        Raises:
            NotFoundError: There is none, or it consists of tensors.
        """
        self._check_open()
        files = self._parts.files()
        if path not in files:
            shown = ", ".join(sorted(files)) or "none"
            raise NotFoundError(
                f"{self.node.short} has no file {printable(path)!r} that is kept whole;"
                f" it has: {shown}",
                hint="files of tensors are in .folder(), their tensors in .tensors()",
            )
        return b"".join(self._source.fetch(chunk) for chunk in files[path].chunks)

    def folder(self) -> Path:
        """Returns a folder with the checkpoint's files, byte for byte: for ``from_pretrained``.

        It belongs to the cache: for reading only, and only until this model is closed or forgotten.

        Raises:
            MachineError: No space, no permission.
        """
        self._check_open()
        if self._folder is None:
            self._folder = self._source.folder(self._parts)
        return self._folder.path

    def close(self) -> None:
        """Ends all leases but those of arrays and tensors in use; a second time does nothing."""
        if not self._is_open:
            return
        self._is_open = False
        self._arrays.close()
        self._tensors.close()
        if self._folder is not None:
            self._folder.release()
        with suppress(MachineError):  # whoever needs the room tries again
            self._source.cache.trim()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if not self._is_open:
            raise ValueError(f"the model {self.node.short} was closed")


@dataclass(frozen=True, slots=True)
class _Source:
    """Where bytes come from. Knows no model, so that one is freed as soon as it is forgotten."""

    repository: Repository
    cache: Decoded

    def array(self, entry: TensorEntry) -> Array:
        return tensors.as_array(self.cache.tensor(entry, self.fetch), entry.dtype, entry.shape)

    def tensor(self, entry: TensorEntry) -> "Tensor":
        return tensors.as_tensor(self.cache.tensor(entry, self.fetch), entry.dtype, entry.shape)

    def rows(self, entry: TensorEntry, start: int, stop: int) -> tuple[Raw, str, tuple[int, ...]]:
        """Returns bytes, type and shape of some rows of a tensor."""
        shape = (stop - start, *entry.shape[1:])
        row = entry.size_bytes // max(entry.shape[0], 1)
        raw = self.cache.part(entry, start * row, stop * row, self.fetch)
        return raw, entry.dtype, shape

    def folder(self, parts: Parts) -> KeptFolder:
        def write(target: Path) -> None:
            source = Source(self.fetch, self.cache.held)
            write_checkpoint(target, parts, source, lambda _size: None)

        return self.cache.checkpoint(digest_of(parts.manifest), parts.size_bytes, write)

    def fetch(self, chunk: Digest) -> bytes:
        return self.repository.store.reader.chunk(chunk)


class Lazy(Mapping[str, T], Generic[T]):
    """Tensor names -> what is made of a tensor when it is asked for, once; until it is closed."""

    def __init__(self, weights: Weights, make: Callable[[TensorEntry], T]) -> None:
        """Takes the tensors, and what makes one."""
        self._entries = weights.tensors
        self._make = make
        self._made: dict[str, T] = {}
        self._is_open = True

    def __getitem__(self, name: str) -> T:
        if not self._is_open:
            raise ValueError(f"tensor {name!r} of a model that was closed")
        if name not in self._made:
            tied_to = self._tie(name)
            self._made[name] = self[tied_to] if tied_to else self._make(self._entries[name])
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries  # asking makes nothing

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def close(self) -> None:
        """Gives no more, and lets go of what was made."""
        self._is_open = False
        self._made.clear()

    def _tie(self, name: str) -> str | None:
        """Returns what a tensor is tied to, if that is really equal: anybody may write an alias."""
        entry = self._entries[name]
        target = self._entries.get(entry.alias) if entry.alias else None
        return entry.alias if target == replace(entry, alias=None) else None
