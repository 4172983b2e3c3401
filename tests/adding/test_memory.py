"""Any model streams through: what adding and exporting take does not grow with the model."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from mgit.repository import Repository

SIZE, CHUNK, MIB = 2 << 30, 4 << 20, 1 << 20
STEPS = """
import resource, sys
from pathlib import Path
from mgit.adding import add, export
from mgit.repository import Home, Repository

def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

root = Path(sys.argv[1])
home = Home(root / "homes" / "alice", root / "caches" / "alice")
repository = Repository.open(root / "alice", home)
before = peak_bytes()
for version in ("base", "child"):
    add(repository, root / f"{version}.safetensors", "m")
    export(repository, "m", root / version)
print(peak_bytes() - before)
"""


def write_sparse(path: Path, *, last: float) -> None:
    """A tensor of 2 GiB that takes next to no disk, no chunk of it like another."""
    header = json.dumps(
        {"w": {"dtype": "F32", "shape": [SIZE // 4], "data_offsets": [0, SIZE]}}
    ).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        start = file.tell()
        for at in range(0, SIZE, CHUNK):
            file.seek(start + at)
            file.write(struct.pack("<f", at))
            file.seek(start + at + CHUNK - 4)
            file.write(struct.pack("<f", last))
        file.truncate(start + SIZE)


@pytest.mark.slow
def test_a_large_model_takes_little_memory(alice: Repository, tmp_path: Path) -> None:
    write_sparse(tmp_path / "base.safetensors", last=1)
    write_sparse(tmp_path / "child.safetensors", last=2)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    ran = subprocess.run(
        [sys.executable, "-c", STEPS, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(ran.stdout) < 400 * MIB
    assert (tmp_path / "child" / "child.safetensors").stat().st_size > SIZE
    assert alice.history().names.names() == ("m",)
