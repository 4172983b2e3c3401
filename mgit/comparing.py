"""What differs between two nodes: from manifests first, then from the weights that were edited."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from mgit.comparison import Distance, distance, is_measurable
from mgit.digest import Digest
from mgit.objects import FileEntry, TensorEntry
from mgit.progress import Progress, silent
from mgit.repository import Parts, Repository, read_parts, require_complete
from mgit.selection import Selection
from mgit.store import Reader


class Change(Enum):
    """What became of a tensor or a file."""

    EQUAL = "equal"
    EDITED = "edited"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class TensorDifference:
    """One tensor on both sides.

    Attributes:
        name: Its name.
        change: What became of it.
        left: As it was; None if it was added.
        right: As it is; None if it was removed.
        relative_l2: ||right - left|| / ||left||; None where it was not or cannot be measured.
        fraction_changed: Share of elements that differ; None as above.
    """

    name: str
    change: Change
    left: TensorEntry | None
    right: TensorEntry | None
    relative_l2: float | None = None
    fraction_changed: float | None = None


@dataclass(frozen=True, slots=True)
class FileDifference:
    """One file on both sides."""

    path: str
    change: Change


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two nodes; by name, equal ones included."""

    left: Digest
    right: Digest
    tensors: tuple[TensorDifference, ...]
    files: tuple[FileDifference, ...]

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        changes = [t.change for t in self.tensors] + [f.change for f in self.files]
        return all(change is Change.EQUAL for change in changes)


def diff(
    repository: Repository,
    left: str,
    right: str,
    *,
    is_measured: bool = True,
    progress: Progress = silent,
) -> Difference:
    """Compares two nodes.

    Args:
        repository: Where they are.
        left: Selector of the one.
        right: Selector of the other.
        is_measured: Whether the weights of edited tensors are read to say how far they moved.
        progress: Is told how far the reading is.

    Raises:
        AbsentError: A manifest, or weights that are to be read, are not here.
    """
    history = repository.history()
    selection = Selection(repository, history)
    sides, described = (selection.one(left), selection.one(right)), []
    for side in sides:
        node = history.nodes[side]
        if is_measured:
            described.append(require_complete(repository, selection.title(side), side, node))
        else:
            described.append(read_parts(repository, node))
    tensors = _tensors(*described)
    if is_measured:
        tensors = _measured(repository.store.reader, tensors, progress)
    return Difference(*sides, tuple(tensors), tuple(_files(*described)))


def _change(left: object, right: object) -> Change:
    if left is None:
        return Change.ADDED
    if right is None:
        return Change.REMOVED
    return Change.EQUAL if left == right else Change.EDITED


def _tensors(left: Parts, right: Parts) -> list[TensorDifference]:
    before, after = left.weights.tensors, right.weights.tensors
    return [
        TensorDifference(name, _change(before.get(name), after.get(name)), *both)
        for name in sorted({*before, *after})
        for both in [(before.get(name), after.get(name))]
    ]


def _files(left: Parts, right: Parts) -> Iterator[FileDifference]:
    before: Mapping[str, FileEntry] = left.files()
    after: Mapping[str, FileEntry] = right.files()
    for path in sorted({*before, *after}):
        yield FileDifference(path, _change(before.get(path), after.get(path)))


def _measured(
    reader: Reader, tensors: list[TensorDifference], progress: Progress
) -> list[TensorDifference]:
    total = sum(t.left.size_bytes for t in tensors if t.left and _is_measured(t))
    done, measured = 0, []
    for tensor in tensors:
        found = _distance(reader, tensor)
        if found is None or tensor.left is None:
            measured.append(tensor)
            continue
        done += tensor.left.size_bytes
        progress(done, total)
        measured.append(
            replace(
                tensor,
                relative_l2=found.relative_l2,
                fraction_changed=found.fraction_changed,
            )
        )
    return measured


def _distance(reader: Reader, tensor: TensorDifference) -> Distance | None:
    left, right = tensor.left, tensor.right
    if left is None or right is None or not _is_measured(tensor):
        return None
    chunks = zip(left.chunks, right.chunks, strict=True)
    pairs = ((reader.chunk(a), reader.chunk(b)) for a, b in chunks)
    return distance(pairs, left.dtype, right.dtype)


def _is_measured(tensor: TensorDifference) -> bool:
    """Whether a distance can be told: both sides are there, of one shape, and numbers."""
    left, right = tensor.left, tensor.right
    if tensor.change is not Change.EDITED or left is None or right is None:
        return False
    is_number = is_measurable(left.dtype) and is_measurable(right.dtype)
    return is_number and left.shape == right.shape
