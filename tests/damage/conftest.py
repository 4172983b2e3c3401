"""The person whose repository it is, and the scene in which commands are cut off."""

from tests.checkpoints import alice, beginning, shared_folder
from tests.damage.scene import after, before

__all__ = ["after", "alice", "before", "beginning", "shared_folder"]
