"""A repack that is cut off anywhere: the repository is as before or as after, and sound."""

import shutil
import tempfile
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from mgit.repacking import repack
from tests.repacking.family import Family, loosen
from tests.repacking.test_cut_off import ended_at

MOST_POINTS = 200
AT_ONCE = timedelta()
NAMES = {"base@v1": "one", "base": "two", "kid": "kid", "other": "other"}


def require_whole(family: Family) -> None:
    assert family.is_sound()
    for name, source in NAMES.items():
        assert family.is_here(name, source)


def sweep(family: Family, points: range) -> int:
    with tempfile.TemporaryDirectory() as name:
        return swept(family, Path(name), points)


def swept(family: Family, root: Path, points: range) -> int:
    for point in points:
        shutil.copytree(family.root, root / str(point))
        cut = Family(root / str(point))
        is_ended = ended_at(point, partial(repack, cut.repository, grace=AT_ONCE))
        require_whole(cut)
        repack(cut.repository, grace=AT_ONCE)
        require_whole(cut)
        assert not repack(cut.repository, grace=AT_ONCE).is_changed
        shutil.rmtree(cut.root)
        if not is_ended:
            return point
    raise AssertionError(f"more than {MOST_POINTS} steps")


@pytest.fixture
def loose(family: Family) -> Family:
    """A family with something to gain."""
    loosen(family)
    return family


def test_ended_at_some_steps_nothing_is_lost(loose: Family) -> None:
    assert sweep(loose, range(1, MOST_POINTS, 3)) > 8


@pytest.mark.slow
def test_ended_at_each_step_nothing_is_lost(loose: Family) -> None:
    assert sweep(loose, range(1, MOST_POINTS)) > 8
