"""What a command costs before it does anything."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from measuring import Row, seconds, shown

COMMANDS = {
    "python -m mgit --help": ("-m", "mgit", "--help"),
    "import of what add needs": ("-c", "import mgit; mgit.add, mgit.open"),
}


def measure(root: Path, repeats: int) -> Iterator[Row]:
    """Yields the time of each start, beside that of the bare interpreter."""
    bare = seconds(partial(_run, root, ("-c", "pass")), repeats)
    for title, words in COMMANDS.items():
        _run(root, words)  # so that what was never imported is compiled
        taken = seconds(partial(_run, root, words), repeats)
        yield Row(title, shown(taken), f"python -c pass: {shown(bare)}", f"{taken / bare:.1f}")


def _run(root: Path, words: tuple[str, ...]) -> None:
    path = os.pathsep.join([str(root), str(root / "remotes")])
    subprocess.run(
        [sys.executable, *words],
        check=True,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": path},
    )
