"""Source on disk: in a folder named after its digest, from which it can be run."""

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from mgit.digest import Digest
from mgit.errors import TrustError, UsageError
from mgit.objects.grammar import printable
from mgit.source.files import MAX_FILES, Source, check_size, is_module_path, read_source


def materialise(source: Source, folder: Path) -> Path:
    """Writes a source into a folder of its own, whole or not at all; once is enough.

    Args:
        source: What to write.
        folder: Where the folders of sources lie; it is made.

    Returns:
        The folder of this source: ``folder`` / its verbatim digest in hex.

    Raises:
        TrustError: That folder is there, with something else in it.
        MachineError: No space, no permission.
    """
    from mgit.store.files import machine_errors, replace  # here, as in read_source

    unsafe = [path for path in source.files if not is_module_path(path)]
    if unsafe:
        raise ValueError(f"no path of a module: {unsafe[0]!r}")
    target = folder / source.verbatim.hex()
    if not os.path.lexists(target):
        partial = folder / f".{target.name[:12]}.{secrets.token_hex(8)}.part"
        with machine_errors(f"writing source into {folder}"):
            try:
                _write(source, partial)
                replace(partial, target)
            except OSError:
                if not target.is_dir():  # else somebody was faster
                    raise
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    verified(target, source.verbatim)
    return target


def _write(source: Source, folder: Path) -> None:
    from mgit.store.files import sync_folder, write_whole

    for path, text in source.files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, text.encode())
    for below in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync_folder(below)


def verified(folder: Path, verbatim: Digest) -> Source:
    """Returns the source in a folder, each file read once.

    Raises:
        TrustError: The files there are not those of this digest, or something lies beside them.
    """
    files: dict[str, str] = {}
    size_bytes = 0
    try:
        for path, file in _files_below(folder):
            files[path] = read_source(file, path)
            size_bytes += len(files[path].encode())
            check_size(size_bytes, path)
    except UsageError as error:
        raise _refusal(folder, str(error)) from error
    source = Source(files)
    if source.verbatim != verbatim:
        raise _refusal(folder, f"its files are not those of {verbatim.short}")
    return source


def _files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yields what could be modules; TrustError where there is anything else, or no end."""
    count = 0
    for file in folder.rglob("*"):
        path = file.relative_to(folder).as_posix()
        if file.is_dir() and not file.is_symlink():
            continue
        count += 1
        if file.is_symlink() or not file.is_file() or not is_module_path(path):
            raise _refusal(folder, f"{printable(path)} does not belong there")
        if count > MAX_FILES:
            raise _refusal(folder, f"more than {MAX_FILES:,} files")
        yield path, file


def _refusal(folder: Path, reason: str) -> TrustError:
    return TrustError(
        f"the source in {folder} was changed: {reason}",
        hint=f"look at it, remove it and run again: rm -r {folder}",
    )
