"""How far a long step is: on stderr, on a terminal, and only when it takes longer than a second."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

from mgit.cli.session import session

Progress = Callable[[int, int], None]  # bytes done, bytes in all
_PATIENCE_S = 1.0


@contextmanager
def progress(doing: str) -> Iterator[Progress]:
    """Gives a function that is told how far a step is, and shows it if that is wanted."""
    here = session()
    if here.is_quiet or not here.stderr.isatty() or here.environment.get("TERM") == "dumb":
        yield _silent
        return
    with ExitStack() as shown:
        yield _shown_later(doing, here.stderr, shown)


def _silent(_done: int, _total: int) -> None:
    """Shows nothing."""


def _shown_later(doing: str, stderr: TextIO, shown: ExitStack) -> Progress:
    started = time.monotonic()
    show: Progress | None = None

    def advance(done: int, total: int) -> None:
        nonlocal show
        if show is None and time.monotonic() - started > _PATIENCE_S:
            show = _bar(doing, stderr, shown)
        if show is not None:
            show(done, total)

    return advance


def _bar(doing: str, stderr: TextIO, shown: ExitStack) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    is_colorless = session().is_colorless or bool(session().environment.get("NO_COLOR"))
    console = Console(file=stderr, no_color=is_colorless)
    bars = shown.enter_context(Progress(*columns, console=console, transient=True))
    task = bars.add_task(doing, total=None)
    return lambda done, total: bars.update(task, completed=done, total=total)
