"""Checkpoint files out of a manifest: the same bytes that were added."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from mgit.checkpoint.safetensors import prefix
from mgit.digest import Digest
from mgit.errors import DamagedError, UsageError
from mgit.objects import Content, FileEntry, Layout, Manifest, Shard, TensorEntry, Weights
from mgit.store.files import machine_errors

Fetch = Callable[[Digest], bytes]
Advance = Callable[[int], None]


def write_checkpoint(
    target: Path, parts: tuple[Manifest, Content, Layout, Weights], fetch: Fetch, advance: Advance
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
    plain = [*content.files.items(), *layout.files.items(), *manifest.documents.items()]
    paths = [shard.path for shard in layout.shards] + [path for path, _ in plain]
    if len(set(paths)) < len(paths):
        raise DamagedError("a manifest that names one path twice")
    for shard in layout.shards:
        yield shard.path, _shard_bytes(shard, weights, fetch)
    for path, file in plain:
        yield path, _content(path, file, fetch)


def _shard_bytes(shard: Shard, weights: Weights, fetch: Fetch) -> Iterator[bytes]:
    yield prefix(shard.header)
    for name in shard.order:
        if name not in weights.tensors:
            raise DamagedError(f"{shard.path} names tensor {name!r}, which the weights lack")
        yield from _content(name, weights.tensors[name], fetch)


def _content(what: str, entry: TensorEntry | FileEntry, fetch: Fetch) -> Iterator[bytes]:
    for chunk, size in zip(entry.chunks, entry.chunk_sizes, strict=True):
        raw = fetch(chunk)
        if len(raw) != size:
            raise DamagedError(f"{what!r} has a chunk of {len(raw)} bytes where {size} belong")
        yield raw


def _write_file(path: Path, parts: Iterable[bytes], advance: Advance) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        for part in parts:
            file.write(part)
            advance(len(part))
