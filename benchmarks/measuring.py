"""A measurement, and how measurements are shown."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        what: What was measured.
        measured: The result, with its unit.
        compared_with: What it is held against; may be empty.
        ratio: Measured by compared with; may be empty.
    """

    what: str
    measured: str
    compared_with: str = ""
    ratio: str = ""


def seconds(step: Callable[[], object], repeats: int = 1) -> float:
    """Returns the time of the quickest of some runs."""
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        step()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def shown(taken_s: float) -> str:
    """Returns a time with a unit that suits it."""
    return f"{taken_s:.2f} s" if taken_s >= 1 else f"{taken_s * 1000:.1f} ms"


def table(rows: Sequence[Row]) -> str:
    """Returns the rows as a Markdown table."""
    cells = [("measured", "result", "compared with", "ratio"), ("---", "---:", "---", "---:")]
    cells += [(row.what, row.measured, row.compared_with, row.ratio) for row in rows]
    widths = [max(len(line[at]) for line in cells) for at in range(4)]
    lines = (zip(line, widths, strict=True) for line in cells)
    return "\n".join("| " + " | ".join(c.ljust(w) for c, w in line) + " |" for line in lines)
