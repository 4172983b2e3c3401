"""The person whose repository it is."""

from tests.checkpoints import alice, beginning, shared_folder

__all__ = ["alice", "beginning", "shared_folder"]
