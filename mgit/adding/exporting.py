"""A node becomes a checkpoint again: the same bytes that were added."""

import shutil
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

from mgit.adding.narrowing import narrowed
from mgit.checkpoint import Source, copy_folder, new_folder, write_checkpoint
from mgit.decoded import Decoded
from mgit.digest import Digest
from mgit.objects import digest_of
from mgit.progress import Progress, silent
from mgit.repository import Parts, Repository, leased, require_complete
from mgit.selection import Selection

_Advance = Callable[[int], None]


@leased("export", is_writing=False)
def export(
    repository: Repository,
    selector: str,
    target: str | PathLike[str],
    *,
    tensors: Sequence[str] = (),
    link: bool = False,
    progress: Progress = silent,
) -> Digest:
    """Writes the checkpoint of one node into a new folder and returns the node.

    What the decoded cache holds is copied from there; a whole folder of it shares its bytes on disk
    with the copy where the file system can do that.

    Args:
        repository: Where it is.
        selector: Which node.
        target: A folder that does not exist, or is empty.
        tensors: Patterns of tensor names: only those are written, into one ``model.safetensors``.
        link: The files are hard links to those of the decoded cache, for reading only: they take
            no room of their own. Whoever writes into them all the same harms other such links of
            the same node; the cache notices, and makes its own anew.
        progress: Is told how far the writing is.

    Raises:
        AbsentError: Its weights are not in this copy.
        DamagedError: A chunk is damaged; nothing is left behind.
        MachineError: No space, no permission, no hard links between the two places.
        NotFoundError: A pattern fits no tensor.
        UsageError: There is something at ``target``.
    """
    history = repository.history()
    selection = Selection(repository, history)
    node = selection.one(selector)
    title = selection.title(node)
    parts = require_complete(repository, title, node, history.nodes[node])
    parts = narrowed(parts, tensors, title) if tensors else parts
    cache = Decoded.of(repository)
    done = 0

    def advance(size: int) -> None:
        nonlocal done
        done += size
        progress(done, max(done, parts.size_bytes))

    def write(folder: Path) -> None:
        source = Source(repository.store.reader.chunk, cache.held)
        write_checkpoint(folder, parts, source, advance)

    with new_folder(Path(target)) as folder:
        if link:
            cache.link(digest_of(parts.manifest), parts.size_bytes, write, folder)
        elif not _is_copied(cache, parts, folder, advance):
            write(folder)
    return node


def _is_copied(cache: Decoded, parts: Parts, folder: Path, advance: _Advance) -> bool:
    """Copies the checkpoint from the cache, if it is there and stays as it was meanwhile."""
    manifest = digest_of(parts.manifest)
    kept = cache.kept(manifest)
    if kept is None:
        return False
    copy_folder(kept.path, folder, advance)
    kept.release()
    if cache.kept(manifest) is not None:
        return True
    shutil.rmtree(folder)
    folder.mkdir()
    return False
