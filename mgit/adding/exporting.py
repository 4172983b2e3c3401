"""A node becomes a checkpoint again: the same bytes that were added."""

from os import PathLike
from pathlib import Path

from mgit.checkpoint import write_checkpoint
from mgit.digest import Digest
from mgit.progress import Progress, silent
from mgit.repository import Repository, require_complete
from mgit.selection import Selection


def export(
    repository: Repository,
    selector: str,
    target: str | PathLike[str],
    *,
    progress: Progress = silent,
) -> Digest:
    """Writes the checkpoint of one node into a new folder and returns the node.

    Args:
        repository: Where it is.
        selector: Which node.
        target: A folder that does not exist, or is empty.
        progress: Is told how far the writing is.

    Raises:
        AbsentError: Its weights are not in this copy.
        DamagedError: A chunk is damaged; nothing is left behind.
        UsageError: There is something at ``target``.
    """
    history = repository.history()
    selection = Selection(repository, history)
    node = selection.one(selector)
    title = selection.title(node)
    parts = require_complete(repository, title, node, history.nodes[node])
    done = 0

    def advance(size: int) -> None:
        nonlocal done
        done += size
        progress(done, max(done, parts.size_bytes))

    described = (parts.manifest, parts.content, parts.layout, parts.weights)
    write_checkpoint(Path(target), described, repository.store.reader.chunk, advance)
    return node
