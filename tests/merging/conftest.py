from pathlib import Path

import pytest

from tests.merging.models import Workshop, workshop


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path)
