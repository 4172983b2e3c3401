"""The person whose repository it is, and a model to export."""

from pathlib import Path

import pytest

from mgit import loading
from mgit.adding import add
from mgit.digest import Digest
from mgit.objects import CHUNK
from mgit.repository import Repository
from mgit.store import Place, Reader
from tests.adding.exported import FILES
from tests.checkpoints import alice, beginning, shared_folder, written
from tests.loading.models import again

__all__ = ["alice", "beginning", "shared_folder"]


@pytest.fixture
def kept(alice: Repository, tmp_path: Path) -> Repository:
    """A repository with the model ``m``, of two shards."""
    for path, content in FILES.items():
        written(tmp_path / "in" / path, content)
    add(alice, tmp_path / "in", "m")
    return again(alice)


@pytest.fixture
def warm(kept: Repository) -> Repository:
    """The cache holds the folder of the model."""
    with loading.load(kept, "m") as model:
        model.folder()
    return again(kept)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Digest]:
    """The chunks that are decoded from now on."""
    found, decode = list[Digest](), Reader.decoded

    def noting(reader: Reader, place: Place) -> bytes:
        if place.row.ref.kind == CHUNK:
            found.append(place.row.ref.digest)
        return decode(reader, place)

    monkeypatch.setattr(Reader, "decoded", noting)
    return found
