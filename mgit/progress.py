"""How long work tells how far it is: a function of bytes done and bytes in all. Draws nothing."""

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], None]  # bytes done, bytes in all


def silent(_done: int, _total: int) -> None:
    """Reports no progress."""
