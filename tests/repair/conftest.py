"""Two copies of one family, made once and copied: one to be damaged, one that stays good."""

import shutil
from pathlib import Path

import pytest

from tests.repair.copies import Copies, copies_in


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("copies")
    copies_in(root)
    return root


@pytest.fixture
def copies(made: Path, tmp_path: Path) -> Copies:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return Copies(tmp_path)
