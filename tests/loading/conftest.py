"""The person whose repository it is, and models in it."""

import pytest

from mgit import loading
from mgit.repository import Repository
from tests.checkpoints import alice, beginning, noise, shared_folder
from tests.loading.models import MODEL, again, bits, keep

__all__ = ["alice", "beginning", "shared_folder"]


@pytest.fixture
def kept(alice: Repository) -> Repository:
    """A repository with the model ``m``."""
    return keep(alice, "m", MODEL)


@pytest.fixture
def warm(kept: Repository) -> Repository:
    """The model has been loaded before."""
    bits(loading.load(kept, "m"))
    return again(kept)


@pytest.fixture
def three(alice: Repository) -> Repository:
    """Three models, each as large as the other."""
    for number, name in enumerate("abc"):
        keep(alice, name, {"weight": noise(number, 1000)})
    return again(alice)
