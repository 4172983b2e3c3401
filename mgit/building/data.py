"""Data that recipes and checks are given: named by digest, found where they last lay.

The data themselves are not kept: they may be larger than all models. What is recorded is their
digest, so that the same name on another day is not taken for the same data.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from mgit import canonical
from mgit.digest import Digest
from mgit.errors import AbsentError, NotFoundError
from mgit.repository import Repository
from mgit.store import Facts
from mgit.store.files import machine_errors


def digest_of_data(path: Path) -> Digest:
    """Returns the digest of a file, or of all files below a folder with their paths.

    Raises:
        NotFoundError: Nothing is there.
    """
    with machine_errors(f"reading {path}"):
        if path.is_file():
            return _digest_of_file(path)
        if not path.is_dir():
            raise NotFoundError(f"there is no {path}", hint="--data NAME=FILE or --data NAME=DIR")
        files = sorted(found for found in path.rglob("*") if found.is_file())
        rows = tuple((file.relative_to(path).as_posix(), _digest_of_file(file)) for file in files)
        return Digest.of(canonical.encode(("data", rows)))


def _digest_of_file(path: Path) -> Digest:
    with path.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").digest())


def given_data(repository: Repository, paths: Mapping[str, Path]) -> dict[str, Digest]:
    """Returns the digests of data that a person named, and remembers where they lie."""
    facts = _places(repository)
    found = {}
    for name, path in sorted(paths.items()):
        found[name] = digest_of_data(path)
        facts.append({"data": found[name].hex(), "path": str(path.resolve())})
    return found


def find_data(repository: Repository, wanted: Mapping[str, Digest]) -> dict[str, Path]:
    """Returns where data lie.

    Raises:
        AbsentError: They are not where they last were, or are others now.
    """
    if not wanted:
        return {}
    places: dict[str, list[Path]] = {}
    for fact in _places(repository):
        places.setdefault(str(fact.get("data")), []).append(Path(str(fact.get("path"))))
    found = {}
    for name, digest in wanted.items():
        candidates = dict.fromkeys(reversed(places.get(digest.hex(), [])))
        here = (path for path in candidates if path.exists() and digest_of_data(path) == digest)
        place = next(here, None)
        if place is None:
            last = next(iter(candidates), None)
            where = f"; they last lay in {last}" if last else ""
            raise AbsentError(
                f"the data {name!r} ({digest.short}) are not here{where}",
                hint=f"say where they are: --data {name}=PATH",
            )
        found[name] = place
    return found


def _places(repository: Repository) -> Facts:
    return Facts(repository.home.cache_of(repository.folder) / "data")
