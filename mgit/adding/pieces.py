"""What becomes one chunk each: where its bytes are, and what they are. Read when its turn comes."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mgit.checkpoint import FileOnDisk, TensorOnDisk
from mgit.codecs.form import RAW_FORM, Form
from mgit.errors import FormatError
from mgit.objects import DTYPES
from mgit.objects.dtypes import cut, cut_file, row_elements
from mgit.store.files import machine_errors


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk to be.

    Attributes:
        read: Gives its bytes; called once, on any thread.
        form: What they are.
        tensor: Name of the tensor that it is a part of; None: it is one of a file.
        index: Which part of it, counted from 0.
    """

    read: Callable[[], bytes]
    form: Form
    tensor: str | None = None
    index: int = 0


def pieces_of_tensor(tensor: TensorOnDisk) -> Iterator[Piece]:
    """Yields the chunks to be of a tensor on disk, in order; reading raises as ``_read`` does."""
    stored, dtype = tensor.stored, DTYPES[tensor.stored.dtype]
    form = Form(stored.dtype, row_elements(dtype, stored.shape))
    at = stored.start
    for index, size in enumerate(cut(dtype, stored.shape)):
        yield Piece(partial(_read, tensor.source, at, size), form, stored.name, index)
        at += size


def pieces_of_array(
    name: str, raw: memoryview, dtype: str, shape: tuple[int, ...]
) -> Iterator[Piece]:
    """Yields the chunks to be of a tensor in memory, in order."""
    form = Form(dtype, row_elements(DTYPES[dtype], shape))
    at = 0
    for index, size in enumerate(cut(DTYPES[dtype], shape)):
        yield Piece(partial(bytes, raw[at : at + size]), form, name, index)
        at += size


def pieces_of_file(file: FileOnDisk) -> Iterator[Piece]:
    """Yields the chunks to be of a file on disk, in order; reading raises as ``_read`` does."""
    at = 0
    for size in cut_file(file.size_bytes):
        yield Piece(partial(_read, file.source, at, size), RAW_FORM)
        at += size


def pieces_of_bytes(content: bytes) -> Iterator[Piece]:
    """Yields the chunks to be of a file in memory, in order."""
    at = 0
    for size in cut_file(len(content)):
        yield Piece(partial(bytes, memoryview(content)[at : at + size]), RAW_FORM)
        at += size


def _read(path: Path, start: int, size: int) -> bytes:
    """Returns a range of a file; FormatError where it is shorter, MachineError of the system."""
    with machine_errors(f"reading {path.name}"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            raw = os.pread(descriptor, size, start)
        finally:
            os.close(descriptor)
    if len(raw) != size:
        raise FormatError(f"{path} changed while it was read", hint="run the command again")
    return raw
