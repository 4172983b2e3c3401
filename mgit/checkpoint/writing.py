"""Checkpoint files out of a manifest: the same bytes that were added."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from mgit.checkpoint.safetensors import prefix
from mgit.digest import Digest
from mgit.errors import DamagedError, UsageError
from mgit.objects import Content, FileEntry, Layout, Manifest, Shard, Weights
from mgit.store.files import machine_errors

Fetch = Callable[[Digest], bytes]
Progress = Callable[[int], None]


def write_checkpoint(
    target: Path, parts: tuple[Manifest, Content, Layout, Weights], fetch: Fetch, advance: Progress
) -> None:
    """Writes a checkpoint into a new folder; the folder appears whole or not at all.

    Args:
        target: The folder; it must not exist, or be empty.
        parts: The objects that describe the checkpoint.
        fetch: Chunk id -> raw bytes, verified.
        advance: Is told the number of bytes written.

    Raises:
        UsageError: ``target`` has something in it.
        DamagedError: The parts do not fit together.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100  # unlike resolve, follows no links
    with machine_errors(f"writing {target}"):
        if target.is_symlink() or (target.exists() and not _is_empty_folder(target)):
            raise UsageError(f"{target} is there already", hint="give a folder that does not exist")
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        partial.mkdir()
        try:
            for path, chunks in _files(parts, fetch):
                _write_file(partial / path, chunks, advance)
            partial.rename(target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def _is_empty_folder(target: Path) -> bool:
    return target.is_dir() and not any(target.iterdir())


def _files(
    parts: tuple[Manifest, Content, Layout, Weights], fetch: Fetch
) -> Iterator[tuple[str, Iterable[bytes]]]:
    manifest, content, layout, weights = parts
    plain: dict[str, FileEntry] = {**content.files, **layout.files, **manifest.documents}
    written = set()
    for shard in layout.shards:
        written.add(shard.path)
        yield shard.path, _shard_bytes(shard, weights, fetch)
    for path, file in plain.items():
        if path in written:
            raise DamagedError(f"{path} is named twice in one manifest")
        written.add(path)
        yield path, (fetch(chunk) for chunk in file.chunks)


def _shard_bytes(shard: Shard, weights: Weights, fetch: Fetch) -> Iterator[bytes]:
    yield prefix(shard.header)
    for name in shard.order:
        if name not in weights.tensors:
            raise DamagedError(f"{shard.path} names tensor {name!r}, which the weights lack")
        for chunk in weights.tensors[name].chunks:
            yield fetch(chunk)


def _write_file(path: Path, parts: Iterable[bytes], advance: Progress) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        for part in parts:
            file.write(part)
            advance(len(part))
