"""A part of a model as a checkpoint of its own. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from mgit.adding.layout import format_of, new_shard
from mgit.errors import NotFoundError
from mgit.objects import Content, Layout, Manifest, TensorEntry, Weights, digest_of
from mgit.objects.grammar import printable
from mgit.repository import Parts

FILE = "model.safetensors"
_SHOWN = 8


def narrowed(parts: Parts, globs: Sequence[str], title: str) -> Parts:
    """Returns a checkpoint of one file that holds some tensors of a model, and nothing else.

    Args:
        parts: The model.
        globs: Patterns of tensor names: ``encoder.*``; a tensor that any of them fits is taken.
        title: What the model is called.

    Raises:
        NotFoundError: A pattern fits no tensor.
    """
    chosen: dict[str, TensorEntry] = {}
    for glob in globs:
        found = [name for name in parts.weights.tensors if fnmatchcase(name, glob)]
        if not found:
            names = sorted(parts.weights.tensors)
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            raise NotFoundError(
                f"{title} has no tensor {printable(glob)!r};"
                f" it has: {', '.join(map(printable, names[:_SHOWN])) or 'none'}{more}",
                hint="patterns are of whole names: 'encoder.*', '*.weight'",
            )
        chosen |= {name: replace(parts.weights.tensors[name], alias=None) for name in found}
    weights = Weights(chosen)
    content = Content(digest_of(weights), {})
    layout = Layout((new_shard(FILE, chosen, format_of([parts])),), {})
    return Parts(Manifest(digest_of(content), {}, digest_of(layout)), content, layout, weights)
