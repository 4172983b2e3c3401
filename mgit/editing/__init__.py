"""Small steps in a repository: each one signed, each one undoable."""

from mgit.editing.annotating import add_tags, note, remove_tags
from mgit.editing.naming import keep_both, pick, remove, rename
from mgit.editing.starting import init, own_identity
from mgit.editing.trusting import members, trust_add, trust_remove
from mgit.editing.undoing import Operation, not_here, operations, undo

__all__ = [
    "Operation",
    "add_tags",
    "init",
    "keep_both",
    "members",
    "not_here",
    "note",
    "operations",
    "own_identity",
    "pick",
    "remove",
    "remove_tags",
    "rename",
    "trust_add",
    "trust_remove",
    "undo",
]
