"""A collection that is cut off anywhere: nothing kept is lost, and the next one finishes."""

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from mgit.repacking import collect
from tests.repacking.family import Family, loosen, remove

KILLED = 137
MOST_POINTS = 200
AT_ONCE = timedelta()
NAMES = {"base@v1": "one", "base": "two", "kid": "kid"}


@pytest.fixture
def loose(family: Family) -> Family:
    """Something to write anew, to condemn and to remove."""
    remove(family, "other")
    loosen(family)
    family.grow_old(91)
    return family


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not in the family's own."""
    return tmp_path_factory.mktemp("cut")


def copied(family: Family, root: Path) -> Family:
    shutil.copytree(family.root, root, dirs_exist_ok=True)
    return Family(root)


def ended_at(point: int, work: Callable[[], object]) -> bool:
    """Works in a child that ends, as if killed, at its n-th step on the disk."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons fear for threads
        child = os.fork()
    if child == 0:
        try:
            end_at(point)
            work()
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, KILLED)
    return status == KILLED


def end_at(point: int) -> None:
    """Ends this process when the disk would be told something for the n-th time."""
    left = [point]

    def counted(name: str) -> None:
        real = getattr(os, name)

        def call(*given: object, **named: object) -> object:
            left[0] -= 1
            if not left[0]:
                os._exit(KILLED)  # nothing is flushed, nothing cleaned up
            return real(*given, **named)

        setattr(os, name, call)

    for name in ("fsync", "rename", "replace", "unlink", "mkdir", "rmdir", "utime"):
        counted(name)


def require_whole(family: Family) -> None:
    assert family.is_sound()
    for name, source in NAMES.items():
        assert family.is_here(name, source)


def require_finished(family: Family) -> None:
    """Asserts that the next collection ends where one does that was not cut off."""
    require_whole(family)
    collect(family.repository, grace=AT_ONCE)
    require_whole(family)
    again = collect(family.repository, grace=AT_ONCE)
    assert (again.condemned_packs, again.waiting_packs, again.removed_packs) == (0, 0, 0)
    assert again.copied_bytes == 0


def sweep(family: Family, root: Path, points: range) -> int:
    for point in points:
        cut = copied(family, root / str(point))
        is_ended = ended_at(point, partial(collect, cut.repository, grace=AT_ONCE))
        require_finished(cut)
        shutil.rmtree(cut.root)
        if not is_ended:
            return point
    raise AssertionError(f"more than {MOST_POINTS} steps")


def test_ended_at_some_steps_nothing_is_lost(loose: Family, elsewhere: Path) -> None:
    assert sweep(loose, elsewhere, range(2, MOST_POINTS, 5)) > 10


@pytest.mark.slow
def test_ended_at_each_step_nothing_is_lost(loose: Family, elsewhere: Path) -> None:
    assert sweep(loose, elsewhere, range(1, MOST_POINTS)) > 10


def struck_at(family: Family, point: int, what: str) -> bool:
    """Collects in a process whose n-th system call of the disk kills it, or fails."""
    calls = "fsync,?rename,?renameat,?renameat2,?unlink,?unlinkat"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MGIT_CONFIG_HOME": str(family.root / "homes" / "alice"),
    }
    traced = [
        *("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}"),
        *("-e", f"inject={calls}:{what}:when={point}"),
        *(sys.executable, "-m", "mgit", "-C", str(family.root / "alice"), "gc", "--grace", "0"),
    ]
    ran = subprocess.run(traced, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in ran.stderr
    assert ran.returncode in (0, 8, -9, KILLED), ran.stderr
    return ran.returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize("what", ["signal=KILL", "error=EIO", "error=ENOSPC"])
def test_struck_at_each_system_call_nothing_is_lost(
    loose: Family, elsewhere: Path, what: str
) -> None:
    if shutil.which("strace") is None:
        pytest.skip("no strace; the steps are swept without it above")
    is_over = 0
    for point in range(1, MOST_POINTS):
        cut = copied(loose, elsewhere / str(point))
        is_struck = struck_at(cut, point, what)
        require_finished(cut)
        shutil.rmtree(cut.root)
        is_over = 0 if is_struck else is_over + 1  # what is only a hint may fail unseen
        if is_over == 5:
            break

    assert 8 < point < MOST_POINTS - 1
