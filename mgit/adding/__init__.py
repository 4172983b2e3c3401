"""Checkpoints into the repository and out of it."""

from mgit.adding.exporting import export
from mgit.adding.publishing import Added, Description, add
from mgit.progress import Progress, silent
from mgit.store import Effort

__all__ = ["Added", "Description", "Effort", "Progress", "add", "export", "silent"]
