"""Checkpoints into the repository and out of it."""

from mgit.adding.add import Added, Description, add
from mgit.adding.chunking import Progress, silent
from mgit.adding.export import export

__all__ = ["Added", "Description", "Progress", "add", "export", "silent"]
