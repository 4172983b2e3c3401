"""Checkpoints into the repository and out of it."""

from mgit.adding.chunking import Progress, silent
from mgit.adding.exporting import export
from mgit.adding.publishing import Added, Description, add

__all__ = ["Added", "Description", "Progress", "add", "export", "silent"]
