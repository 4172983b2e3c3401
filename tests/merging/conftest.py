"""Power cuts have tests of their own: these here need not wait for the disk."""

import os
from pathlib import Path

import pytest

from tests.merging.models import Workshop, workshop


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path)
