"""How the files of a model made here are laid out: as in a model it comes from, or anew. Pure."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count

from mgit.objects import DTYPES, Layout, Shard, TensorEntry
from mgit.objects.dtypes import size_bytes
from mgit.repository import Parts

Tensors = Mapping[str, TensorEntry]

# The order in which the safetensors library writes element types, first to last.
_ORDER = (
    *("U64", "I64", "F64", "C64", "F32", "U32", "I32", "BF16", "F16", "U16", "I16"),
    *("F8_E8M0", "F8_E4M3", "F8_E5M2", "I8", "U8", "F6_E3M2", "F6_E2M3", "F4", "BOOL"),
)
_ALIGNMENT = 8


def layout_of(tensors: Tensors, files: Collection[str], models: Sequence[Parts]) -> Layout:
    """Returns the layout of a model.

    That of the first of ``models`` that fits: the same tensors, types and shapes. If none fits: one
    file, as the safetensors library would write it.

    Args:
        tensors: What is to be laid out.
        files: Paths of the model's other files.
        models: What it comes from, the likeliest first.
    """
    for model in models:
        paths = {shard.path for shard in model.layout.shards} | model.layout.files.keys()
        if _kinds(model.weights.tensors) == _kinds(tensors) and paths.isdisjoint(files):
            return model.layout
    if not tensors:
        return Layout((), {})
    taken = {path.casefold() for path in files}
    path = next(path for path in _paths() if path not in taken)
    return Layout((new_shard(path, tensors, format_of(models)),), {})


def new_shard(path: str, tensors: Tensors, metadata: Mapping[str, str]) -> Shard:
    """Returns a shard with all these tensors, laid out as the safetensors library does it."""
    order = sorted(tensors, key=lambda name: (_ORDER.index(tensors[name].dtype), name))
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name in order:
        entry = tensors[name]
        end = at + size_bytes(DTYPES[entry.dtype], entry.shape)
        header[name] = {"dtype": entry.dtype, "shape": entry.shape, "data_offsets": [at, end]}
        at = end
    written = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return Shard(path, written + b" " * (-len(written) % _ALIGNMENT), tuple(order))


def format_of(models: Sequence[Parts]) -> dict[str, str]:
    """Returns which framework wrote them: transformers refuses a file that does not say it.

    Whatever else stands in that place is about the old file.
    """
    for shard in (shard for model in models for shard in model.layout.shards):
        match json.loads(shard.header).get("__metadata__"):
            case {"format": str(written_by)}:
                return {"format": written_by}
            case _:
                continue
    return {}


def _kinds(tensors: Tensors) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (entry.dtype, entry.shape) for name, entry in tensors.items()}


def _paths() -> Iterator[str]:
    yield "model.safetensors"
    yield from (f"model-{number}.safetensors" for number in count(2))
