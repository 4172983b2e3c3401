"""What a recipe returned becomes a stored model: checked, hashed once, cut into chunks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mgit.adding.chunking import store_checkpoint, store_pieces
from mgit.adding.layout import layout_of
from mgit.adding.pieces import pieces_of_array
from mgit.adding.relating import Bases, RelatedModel
from mgit.checkpoint import scan
from mgit.errors import MachineError, MgitError, RunError
from mgit.numeric import NUMPY_TYPES
from mgit.objects import (
    Content,
    Manifest,
    PackKind,
    TensorEntry,
    Weights,
    digest_of,
)
from mgit.objects.grammar import printable
from mgit.progress import silent
from mgit.repository import Parts, Repository, coding_of, install_objects
from mgit.store import PackWriter
from mgit.tensors import Array, from_either

_SHOWN = 4
_BLOCK = 1 << 20  # elements that are looked at at once


@dataclass(frozen=True, slots=True)
class Stored:
    """A model in the store, and what it took."""

    parts: Parts
    stored_bytes: int


def store_result(
    repository: Repository, returned: object, model: Parts | None, related: list[Weights]
) -> Stored:
    """Stores what a recipe returned; no name and no node knows of it yet.

    Args:
        repository: Where to.
        returned: Tensor name -> torch tensor or numpy array, or the path of a checkpoint.
        model: The first parent: tensors take the place of its tensors, the files beside them stay.
            None: there is no parent.
        related: Weights that the result resembles.

    Raises:
        RunError: It is something else; its names or shapes are not the parent's; a tensor that is
            not just the parent's holds NaN, or infinity where the parent has not the same.
        MachineError: No space, no permission.
    """
    with repository.store.writer(PackKind.CHUNKS) as writer:
        models = [RelatedModel(weights) for weights in related]
        bases = Bases(repository.store.reader, models, coding_of(repository))
        if isinstance(returned, Path | str):
            parts = _from_folder(Path(returned), model, writer, bases)
        elif isinstance(returned, Mapping):
            parts = _from_tensors(returned, model, writer, bases)
        else:
            raise RunError(
                f"the recipe returned {type(returned).__name__}, neither tensors nor a path",
                hint="return a mapping of names to tensors, or the path of a checkpoint",
            )
        packs = writer.finish()
        install_objects(repository, parts.objects(), packs=packs)
    return Stored(parts, sum(pack.size_bytes for pack in packs))


def _from_folder(path: Path, model: Parts | None, writer: PackWriter, bases: Bases) -> Parts:
    try:
        checkpoint = scan(path)
    except MachineError:
        raise
    except MgitError as error:
        raise RunError(f"what the recipe returned is refused: {error}", hint=error.hint) from error
    if not checkpoint.tensors:
        raise RunError(
            f"what the recipe returned is refused: there is no tensor in {path}",
            hint="return the folder with the safetensors files",
        )
    parts = store_checkpoint(checkpoint, writer, bases, silent)
    before = model.weights.tensors if model else {}
    for name, tensor in checkpoint.tensors.items():
        size = tensor.stored.stop - tensor.stored.start
        if size and parts.weights.tensors[name] != before.get(name):
            raw = np.memmap(tensor.source, np.uint8, "r", tensor.stored.start, size)
            _require_numbers(name, raw.data, parts.weights.tensors[name], before.get(name), bases)
    return parts


def _from_tensors(
    returned: Mapping[object, object], model: Parts | None, writer: PackWriter, bases: Bases
) -> Parts:
    if model is None:
        raise RunError(
            "the recipe returned tensors, and there is no parent whose other files they could take",
            hint="return the path of a whole checkpoint",
        )
    before = model.weights.tensors
    _require_same_names(returned, before)
    tensors = {
        name: _stored(name, returned[name], entry, writer, bases) for name, entry in before.items()
    }
    tied = {name: _tied(name, entry, before, tensors) for name, entry in tensors.items()}
    weights = Weights(tied)
    layout = layout_of(tied, {*model.content.files, *model.manifest.documents}, [model])
    content = Content(digest_of(weights), model.content.files)
    manifest = Manifest(digest_of(content), model.manifest.documents, digest_of(layout))
    return Parts(manifest, content, layout, weights)


def _require_same_names(
    returned: Mapping[object, object], before: Mapping[str, TensorEntry]
) -> None:
    missing = sorted(before.keys() - returned.keys())
    unknown = sorted(str(name) for name in returned.keys() - before.keys())
    if missing or unknown:
        told = [f"lacks {_some(missing)}"] if missing else []
        told += [f"has {_some(unknown)} that its first parent has not"] if unknown else []
        raise RunError(
            f"what the recipe returned {' and '.join(told)}",
            hint="return all tensors of the first parent, or the path of a whole checkpoint",
        )


def _some(names: list[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _stored(
    name: str, value: object, before: TensorEntry, writer: PackWriter, bases: Bases
) -> TensorEntry:
    try:
        dtype, shape, raw = from_either(value)
    except MgitError as error:
        raise RunError(f"tensor {printable(name)!r}: {error}", hint=error.hint) from error
    if shape != before.shape:
        raise RunError(
            f"tensor {printable(name)!r} has shape {list(shape)}, in its first parent"
            f" {list(before.shape)}",
            hint="to change shapes, return the path of a checkpoint with a config.json that fits",
        )
    chunks = store_pieces(pieces_of_array(name, raw, dtype, shape), writer, bases)
    stored = TensorEntry(dtype, shape, tuple(chunks))
    if stored != replace(before, alias=None):  # else it is the parent's, whatever it holds
        _require_numbers(name, raw, stored, before, bases)
    return stored


def _tied(
    name: str,
    entry: TensorEntry,
    before: Mapping[str, TensorEntry],
    tensors: Mapping[str, TensorEntry],
) -> TensorEntry:
    """A tensor is tied to what its parent's was tied to, as long as both are still equal."""
    target = before[name].alias
    if target is None or tensors.get(target) != entry:
        return entry
    return replace(entry, alias=target)


def _require_numbers(
    name: str, raw: memoryview, entry: TensorEntry, before: TensorEntry | None, bases: Bases
) -> None:
    """Refuses NaN and infinity: training that diverged is no model.

    Infinity may stay where the parent has the same: that is a mask.
    """
    if not _is_floating(entry):
        return
    numbers = np.frombuffer(raw, NUMPY_TYPES[entry.dtype])
    old = None
    spoilt = 0
    for at in range(0, numbers.size, _BLOCK):
        block = numbers[at : at + _BLOCK]
        odd = ~np.isfinite(block)
        if odd.any() and before and before.shape == entry.shape and _is_floating(before):
            old = _numbers_of(before, bases) if old is None else old
            odd &= block != old[at : at + _BLOCK]  # NaN is unlike itself
        spoilt += int(np.count_nonzero(odd))
    if spoilt:
        raise RunError(
            f"tensor {printable(name)!r} has NaN or infinity in {spoilt:,} places",
            hint="look at the log of the run; a smaller learning rate often helps",
        )


def _is_floating(entry: TensorEntry) -> bool:
    return entry.dtype in NUMPY_TYPES and np.dtype(NUMPY_TYPES[entry.dtype]).kind in "fcV"


def _numbers_of(entry: TensorEntry, bases: Bases) -> Array:
    raw = b"".join(bases.reader.chunk(chunk) for chunk in entry.chunks)
    return np.frombuffer(raw, NUMPY_TYPES[entry.dtype])
