"""The commands, by what they are about. Each parses, calls one function of mgit, and prints."""

from importlib import import_module

_MODULES = (
    "models",
    "looking",
    "differences",
    "merging",
    "edits",
    "people",
    "making",
    "checking",
    "cascading",
    "peers",
    "storage",
    "rewriting",
    "repairing",
)


def load() -> None:
    """Registers every command, in the order in which help lists them."""
    for module in _MODULES:
        import_module(f"{__name__}.{module}")
