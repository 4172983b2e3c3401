"""A second reader of repositories, written from ``mgit/store/FORMAT.md`` alone."""

import hashlib
import struct
from pathlib import Path

import msgpack
import zstandard

HEADER, ROW = "<8sQQQIIIB3xQQ", "<32s16sQQQIHBB"


class Pack:
    """One pack, checked as section 6 demands."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        length, self.id, end = struct.unpack("<Q32s8s", data[-48:])
        index = data[len(data) - 48 - length : -48]
        magic, read, _, _, count, bases, _, kind, bodies, _ = struct.unpack_from(HEADER, index)
        assert (magic, read, end) == (b"MGITIDX1", 0, b"MGITPACK")
        assert (hashlib.sha256(index).digest(), bodies) == (self.id, len(data) - 48 - length)
        assert path.name == self.id.hex() + (".meta", ".chunks")[kind]
        kinds = [index[at : at + 16].rstrip(b"\0").decode() for at in range(64, 320, 16)]
        rows = list(struct.iter_unpack(ROW, index[1344 : 1344 + 80 * count]))
        places = sorted((row[2], row[2] + row[3]) for row in rows)
        assert [0, *(end for _, end in places)] == [*(start for start, _ in places), bodies]
        self.rows: dict[tuple[str, bytes], tuple[bytes, int, int, int]] = {}
        for digest, check, offset, stored, raw, first, resting, codec, number in rows:
            body = data[offset : offset + stored]
            assert hashlib.sha256(body).digest()[:16] == check
            assert first + resting <= bases
            self.rows[kinds[number], digest] = (body, raw, resting, codec)


def packs(folder: Path) -> list[Pack]:
    return [Pack(p) for p in (folder / "packs").iterdir() if p.suffix in {".meta", ".chunks"}]


def read(held: list[Pack], kind: str, digest: bytes) -> bytes:
    """Returns an object, or a chunk that is stored without bases."""
    rows = (pack.rows[kind, digest] for pack in held if (kind, digest) in pack.rows)
    body, raw, _, codec = next(row for row in rows if not row[2])
    found = body if codec == 0 else {1: planes, 12: inflated}[codec](body, raw)
    assert (hashlib.sha256(found).digest(), len(found)) == (digest, raw)
    return found


def inflated(body: bytes, size: int) -> bytes:
    assert zstandard.frame_content_size(body) == size
    return zstandard.ZstdDecompressor().decompress(body)


def planes(body: bytes, size: int) -> bytes:
    lane, order, at, out = body[0], body[1], 2 + 5 * body[0], bytearray(size)
    for k in range(lane):
        method, length = struct.unpack_from("<BI", body, 2 + 5 * k)
        plane, at = body[at : at + length], at + length
        out[k::lane] = inflated(plane, size // lane) if method else plane
    form, up = f"<{size // lane}{' BH I   Q'[lane]}", 8 * lane - 1
    return struct.pack(form, *((v >> order) | (v & order) << up for v in struct.unpack(form, out)))


def files(held: list[Pack], manifest: bytes) -> dict[str, bytes]:
    """Returns the files of a checkpoint, put together as section 5 says."""
    top = msgpack.unpackb(read(held, "manifest", manifest))[2]
    content = msgpack.unpackb(read(held, "content", top["content"]))[2]
    layout = msgpack.unpackb(read(held, "layout", top["layout"]))[2]
    weights = msgpack.unpackb(read(held, "weights", content["weights"]))[2]
    chunks = {name: parts for name, _, _, parts, _ in weights["tensors"]}
    found = {p: parts for p, _, parts in content["files"] + layout["files"] + top["files"]}
    joined = {path: b"".join(read(held, "chunk", c) for c in found[path]) for path in found}
    for path, header, order in layout["shards"]:
        parts = [read(held, "chunk", chunk) for name in order for chunk in chunks[name]]
        joined[path] = struct.pack("<Q", len(header)) + header + b"".join(parts)
    return joined
