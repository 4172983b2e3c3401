"""Measures mgit on this machine and prints one table; `make bench`.

    python benchmarks/run.py            # two minutes; needs what `make demo` installs
    python benchmarks/run.py --repeats 5

Times are compared with what the same machine needs for the same bytes in the same run: ``cp`` and a
SHA-256. Nothing is asserted: a time says as much about the machine as about the program.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "remotes"), str(ROOT / "examples" / "01_first_family")]

import cascades  # noqa: E402  # beside this file; the paths above are for what it imports
import models  # noqa: E402
import names  # noqa: E402
import starting  # noqa: E402
from measuring import Row, table  # noqa: E402


def rows(root: Path, repeats: int) -> Iterator[Row]:
    """Yields what is measured, as it is measured."""
    yield from starting.measure(ROOT, repeats)
    yield from names.measure(root, repeats)
    yield from cascades.measure(root)
    yield from models.measure(root)


def main() -> int:
    """Prints the table and returns an exit code."""
    parser = argparse.ArgumentParser(description="Measures mgit on this machine.")
    parser.add_argument("--repeats", type=int, default=3, help="of what takes less than seconds")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mgit-bench-") as name:
        try:
            found = list(rows(Path(name), chosen.repeats))
        except FileNotFoundError as error:
            print(f"run.py: {error}\n  `make demo` installs it", file=sys.stderr)
            return 1
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
