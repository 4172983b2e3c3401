"""A model to export: its files, and its folder in the cache."""

from pathlib import Path

from mgit.decoded import Decoded
from mgit.objects import digest_of
from mgit.repository import Repository
from tests.checkpoints import Tensor, f32, floats, noise, parts_of, safetensors

MIB = 1 << 20
FIRST = {"encoder.flag": Tensor("U8", (3,), b"abc"), "encoder.w": f32(floats(1, 64), 8, 8)}
SECOND = {"head": noise(2, 3 * MIB), "encoder.b": f32(floats(3, 4))}
FILES = {
    "a.safetensors": safetensors(FIRST, metadata={"format": "pt", "note": "old"}),
    "b.safetensors": safetensors(SECOND, metadata={"format": "pt"}),
    "config.json": b"{}",
    "sub/README.md": b"# sub",
}


def cached_folder(repository: Repository) -> Path:
    kept = Decoded.of(repository).kept(digest_of(parts_of(repository, "m").manifest))
    assert kept is not None
    kept.release()
    return kept.path


def overwrite(path: Path, content: bytes) -> None:
    """Writes in place, and until the clock of the file system has seen it."""
    path.chmod(0o644)
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:
        with path.open("r+b") as file:
            file.write(content)
