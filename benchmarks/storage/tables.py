"""What was measured, as Markdown."""

from collections.abc import Sequence

from benchmarks.storage.measuring import Cost
from benchmarks.storage.results import Failure, Result

_HEAD = (
    "peer",
    "stored, MB",
    "ratio",
    "add: CPU s",
    "wall s",
    "peak MB",
    "export: CPU s",
    "wall s",
    "peak MB",
    "load",
    "exact",
    "note",
)


def table_of(found: Sequence[Result | Failure]) -> str:
    """Returns a line for each peer; who could not be measured has the reason in it."""
    return markdown(_HEAD, [_line(each) for each in found])


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Returns a table: words to the left, numbers to the right."""
    rows = [tuple(head), *map(tuple, lines)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in rows
    )


def _line(found: Result | Failure) -> tuple[str, ...]:
    match found:
        case Failure(peer, _, reason):
            return (peer, *[""] * (len(_HEAD) - 2), f"not measured: {reason}")
        case Result():
            return (
                found.peer,
                f"{found.stored_bytes / 1e6:.1f}",
                f"{found.raw_bytes / found.stored_bytes:.2f}",
                *_costs(found.add, found.note),
                *_costs(found.export, found.note),
                f"{found.load:.1f}",
                found.exact,
                found.note,
            )


def _costs(cost: Cost, note: str) -> tuple[str, str, str]:
    # What a re-implementation holds in memory says nothing about the original.
    peak = "" if note.startswith("re-implemented") else f"{cost.peak_bytes / 1e6:.0f}"
    return f"{cost.cpu_s:.1f}", f"{cost.wall_s:.1f}", peak
