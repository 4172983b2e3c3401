"""The family, made once and copied."""

import shutil
from pathlib import Path

import pytest

from tests.checkpoints import shared_folder
from tests.repacking.family import Family, family_in

__all__ = ["shared_folder"]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("family")
    family_in(root)
    return root


@pytest.fixture
def family(made: Path, tmp_path: Path) -> Family:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return Family(tmp_path)
