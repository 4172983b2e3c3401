"""What hf-xet keeps, re-implemented without its server: chunks cut by their content.

Chunks of 8 to 128 KiB, 64 KiB on average, each stored once by its SHA-256, as it is, as LZ4, or as
LZ4 of its bytes grouped by four, whichever is smallest.
"""

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path

import lz4.block
import numpy as np
from pyfastcdc import FastCDC

from benchmarks.storage.coders.calling import call, target
from benchmarks.storage.lineage import Model

CUT = {"min_size": 8 << 10, "avg_size": 64 << 10, "max_size": 128 << 10}
# SHA-256 · how it is stored · first byte in the file of chunks · bytes stored · bytes of the chunk
_ROW = struct.Struct("<32sBQII")
_RAW, _LZ4, _GROUPED = range(3)


def add(models: Sequence[Model], store: Path) -> None:
    """Writes all chunks into one file, an index of it, and the chunk numbers of each model."""
    known: dict[bytes, int] = {}
    at = 0
    with (store / "chunks").open("wb") as chunks, (store / "index").open("wb") as index:
        for model in models:
            data = model.path.read_bytes()
            numbers = []
            for cut in FastCDC(**CUT).cut_buf(data):
                chunk = data[cut.offset : cut.offset + cut.length]
                digest = hashlib.sha256(chunk).digest()
                if digest not in known:
                    known[digest] = len(known)
                    how, stored = _smallest(chunk)
                    chunks.write(stored)
                    index.write(_ROW.pack(digest, how, at, len(stored), len(chunk)))
                    at += len(stored)
                numbers.append(known[digest])
            (store / f"{model.name}.chunks").write_bytes(np.array(numbers, "<u4").tobytes())


def export(models: Sequence[Model], store: Path, folder: Path) -> None:
    """Writes each model back, every chunk compared with its digest."""
    rows = list(_ROW.iter_unpack((store / "index").read_bytes()))
    with (store / "chunks").open("rb") as chunks:
        for model in models:
            numbers = np.frombuffer((store / f"{model.name}.chunks").read_bytes(), "<u4")
            with target(folder, model.name).open("wb") as file:
                for digest, how, begin, stored, length in (rows[number] for number in numbers):
                    chunks.seek(begin)
                    chunk = _restored(how, chunks.read(stored), length)
                    if hashlib.sha256(chunk).digest() != digest:
                        raise ValueError(f"{model.name} is damaged")
                    file.write(chunk)


def _smallest(chunk: bytes) -> tuple[int, bytes]:
    tries = ((_RAW, chunk), (_LZ4, _packed(chunk)), (_GROUPED, _packed(_grouped(chunk))))
    return min(tries, key=lambda each: len(each[1]))


def _packed(data: bytes) -> bytes:
    return bytes(lz4.block.compress(data, store_size=False))


def _restored(how: int, stored: bytes, length: int) -> bytes:
    if how == _RAW:
        return stored
    data = bytes(lz4.block.decompress(stored, uncompressed_size=length))
    return data if how == _LZ4 else _ungrouped(data)


def _grouped(data: bytes) -> bytes:
    whole = len(data) // 4 * 4
    return np.frombuffer(data, np.uint8, whole).reshape(-1, 4).T.tobytes() + data[whole:]


def _ungrouped(data: bytes) -> bytes:
    whole = len(data) // 4 * 4
    return np.frombuffer(data, np.uint8, whole).reshape(4, -1).T.tobytes() + data[whole:]


if __name__ == "__main__":
    call(add, export)
