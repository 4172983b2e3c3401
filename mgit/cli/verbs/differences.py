"""What differs between two models."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from mgit.cli.application import verb
from mgit.cli.grouping import grouped
from mgit.cli.page import Block, Cell, Page, Styled, Table, counted, line, record, size
from mgit.cli.progress import progress
from mgit.cli.session import session
from mgit.cli.verbs.words import names_beginning, wrong_usage

if TYPE_CHECKING:
    from mgit.comparing import Difference, FileDifference, TensorDifference
    from mgit.objects import TensorEntry

_NO = 1
_EQUAL = "equal"
_STYLES = {"added": "good", "removed": "bad", "edited": "name"}


@verb("diff", "mgit diff minilm@v1 minilm", "mgit diff minilm minilm-legal --stat")
def diff(
    left: Annotated[
        str,
        typer.Argument(metavar="A", help="A node: name, id.", autocompletion=names_beginning),
    ],
    right: Annotated[
        str, typer.Argument(metavar="B", help="Another.", autocompletion=names_beginning)
    ],
    is_stat: Annotated[
        bool, typer.Option("--stat", help="One line for tensors that differ by number only.")
    ] = False,
    is_name_only: Annotated[
        bool, typer.Option("--name-only", help="Only what it is called; reads no weights.")
    ] = False,
    tensor: Annotated[
        str, typer.Option("--tensor", metavar="NAME", help="Only this tensor, with both sides.")
    ] = "",
) -> Page:
    """Compares two models, tensor by tensor and file by file. Exits 1 if they differ."""
    from mgit.comparing import diff

    if is_stat + is_name_only + bool(tensor) > 1:
        raise wrong_usage("give one of --stat, --name-only and --tensor")
    with progress("comparing") as advance:
        whole = diff(
            session().repository(), left, right, is_measured=not is_name_only, progress=advance
        )
    found = _only(whole, tensor) if tensor else whole
    show = _names if is_name_only else _both_sides if tensor else _changes
    blocks = _stat(found) if is_stat else show(found)
    return Page(_document(found), answer=tuple(blocks), exit_code=0 if found.is_equal else _NO)


def _only(found: "Difference", tensor: str) -> "Difference":
    from mgit.errors import NotFoundError

    kept = tuple(t for t in found.tensors if t.name == tensor)
    if not kept:
        raise NotFoundError(
            f"neither side has a tensor {tensor!r}", hint="mgit diff A B --name-only lists them"
        )
    return replace(found, tensors=kept, files=())


def _document(found: "Difference") -> dict[str, object]:
    return {
        "left": found.left,
        "right": found.right,
        "is_equal": found.is_equal,
        "equal_tensors": len(found.tensors) - len(_changed(found.tensors)),
        "tensors": [
            record(t, left=_entry(t.left), right=_entry(t.right)) for t in _changed(found.tensors)
        ],
        "files": [file for file in found.files if file.change.value != _EQUAL],
    }


def _entry(tensor: "TensorEntry | None") -> dict[str, object] | None:
    if tensor is None:
        return None
    return {"dtype": tensor.dtype, "shape": tensor.shape, "size_bytes": tensor.size_bytes}


def _changed(tensors: Iterable["TensorDifference"]) -> list["TensorDifference"]:
    return [tensor for tensor in tensors if tensor.change.value != _EQUAL]


def _names(found: "Difference") -> Iterator[Block]:
    changed: Sequence[TensorDifference | FileDifference] = (*_changed(found.tensors), *found.files)
    named = [(p.change.value, p.name if hasattr(p, "name") else p.path) for p in changed]
    yield Table([(_styled(change), name) for change, name in named if change != _EQUAL])


def _changes(found: "Difference") -> Iterator[Block]:
    rows = [(_styled(t.change.value), t.name, _sides(t), *_moved([t])) for t in found.tensors]
    kept = [row for row, t in zip(rows, found.tensors, strict=True) if t.change.value != _EQUAL]
    yield Table([*kept, *_file_rows(found)])
    yield line(_summary(found))


def _stat(found: "Difference") -> Iterator[Block]:
    rows: list[Sequence[Cell]] = []
    for change in _STYLES:
        members = {t.name: t for t in found.tensors if t.change.value == change}
        for called, names in grouped(members).items():
            tensors = [members[name] for name in names]
            rows.append((_styled(change), called, counted(len(names), "tensor"), *_moved(tensors)))
    yield Table([*rows, *_file_rows(found)])
    yield line(_summary(found))


def _both_sides(found: "Difference") -> Iterator[Block]:
    for tensor in found.tensors:
        yield line(
            _styled(tensor.change.value), "  ", tensor.name, "  ", "  ".join(_moved([tensor]))
        )
        sides = [("A", tensor.left), ("B", tensor.right)]
        yield Table(
            [
                (side, _kind(entry), size(entry.size_bytes), counted(len(entry.chunks), "chunk"))
                for side, entry in sides
                if entry
            ],
            indent="  ",
        )


def _file_rows(found: "Difference") -> list[tuple[Cell, ...]]:
    changed = [file for file in found.files if file.change.value != _EQUAL]
    return [(_styled(file.change.value), file.path, "file", "", "") for file in changed]


def _styled(change: str) -> Styled:
    return Styled(change, _STYLES.get(change, "faint"))


def _kind(tensor: "TensorEntry") -> str:
    return f"{tensor.dtype} {list(tensor.shape)}"


def _sides(tensor: "TensorDifference") -> str:
    """The type and shape of a tensor; of both sides where they differ."""
    kinds = [_kind(side) for side in (tensor.left, tensor.right) if side]
    return " -> ".join(dict.fromkeys(kinds))


def _moved(tensors: Sequence["TensorDifference"]) -> tuple[str, str]:
    """How far weights moved, at most; empty where that was not measured."""
    distances = [t.relative_l2 for t in tensors if t.relative_l2 is not None]
    shares = [t.fraction_changed for t in tensors if t.fraction_changed is not None]
    return (
        f"l2 {max(distances):.2e}" if distances else "",
        f"{max(shares):.1%} of elements" if shares else "",
    )


def _summary(found: "Difference") -> str:
    changes = [tensor.change.value for tensor in found.tensors]
    files = sum(1 for file in found.files if file.change.value != _EQUAL)
    counts = ", ".join(f"{changes.count(change)} {change}" for change in (*_STYLES, _EQUAL))
    return f"tensors: {counts}; {counted(files, 'file')} changed"
