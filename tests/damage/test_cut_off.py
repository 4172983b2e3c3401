"""Every command, cut off anywhere: the repository is as before or as after, never between.

Three ways to cut one off: ``kill -9`` at a random moment; the end of the process at each step that
the disk sees, without its clean-up; and the same by ``strace``, at the system calls themselves.
"""

import fcntl
import os
import random
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.damage.scene import (
    STEPS,
    Scene,
    command,
    environment,
    require_before_or_after,
    send_off,
    started,
)

KILLED = 137
MOST_POINTS = 200
AfterStep = Callable[[str], Scene]


def seconds_taken(step: str, scene: Scene) -> float:
    process = started(step, scene)
    begun = time.monotonic()
    send_off(process)
    assert process.wait() == 0
    process.communicate()
    return time.monotonic() - begun


def kill_after(process: "subprocess.Popen[str]", seconds: float) -> None:
    send_off(process)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()


def kill_often(step: str, times: int, root: Path, before: Scene, after: AfterStep) -> None:
    seed = random.randrange(1 << 32)  # noqa: S311
    print(f"{step}: seed {seed}")  # noqa: T201  # shown when it fails
    drawn = random.Random(seed)  # noqa: S311
    longest = seconds_taken(step, before.copied_to(root / "whole"))
    for number in range(times):
        scene = before.copied_to(root / str(number))
        kill_after(started(step, scene), drawn.uniform(0, longest))
        require_before_or_after(scene, step, before, after(step))
        shutil.rmtree(scene.root)


@pytest.mark.parametrize("step", ["add", "push", "clone", "pull"])
def test_killed_at_a_few_random_moments_it_is_before_or_after(
    tmp_path: Path, before: Scene, after: AfterStep, step: str
) -> None:
    kill_often(step, 3, tmp_path, before, after)


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_many_random_moments_it_is_before_or_after(
    tmp_path: Path, before: Scene, after: AfterStep, step: str
) -> None:
    kill_often(step, 10, tmp_path, before, after)


def ended_at(step: str, scene: Scene, point: int) -> bool:
    """Runs a step in a child that ends, as if killed, at its n-th step on the disk."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons fear for threads
        child = os.fork()
    if child == 0:
        try:
            end_at(point)
            STEPS[step](scene)
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, KILLED)
    return status == KILLED


def end_at(point: int) -> None:
    """Ends this process when the disk would be told something for the n-th time."""
    calls = count(1)

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object, **named: object) -> object:
            if next(calls) == point:
                os._exit(KILLED)  # nothing is flushed, nothing cleaned up
            return real(*given, **named)

        return call

    for name in ("fsync", "rename", "replace", "unlink", "mkdir", "rmdir"):
        setattr(os, name, counted(getattr(os, name)))
    fcntl.flock = counted(fcntl.flock)  # type: ignore[assignment]


def sweep(step: str, points: range, root: Path, before: Scene, after: AfterStep) -> int:
    """Ends a step at these points, until it has no more; returns how many there were."""
    for point in points:
        scene = before.copied_to(root / str(point))
        is_ended = ended_at(step, scene, point)
        require_before_or_after(scene, step, before, after(step))
        shutil.rmtree(scene.root)
        if not is_ended:
            return point
    raise AssertionError(f"{step} has more than {MOST_POINTS} steps")


@pytest.mark.parametrize("step", STEPS)
def test_ended_at_some_steps_on_the_disk_it_is_before_or_after(
    tmp_path: Path, before: Scene, after: AfterStep, step: str
) -> None:
    assert sweep(step, range(3, MOST_POINTS, 7), tmp_path, before, after) > 4


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_ended_at_each_step_on_the_disk_it_is_before_or_after(
    tmp_path: Path, before: Scene, after: AfterStep, step: str
) -> None:
    assert sweep(step, range(1, MOST_POINTS), tmp_path, before, after) > 10


def killed_at_call(step: str, scene: Scene, point: int) -> bool:
    calls = "fsync,?rename,?renameat,?renameat2,?unlink,?unlinkat"
    traced = [
        *("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}"),
        *("-e", f"inject={calls}:signal=KILL:when={point}", *command(step, scene)),
    ]
    ran = subprocess.run(
        traced, env=environment(), input="go\n", capture_output=True, text=True, check=False
    )
    assert ran.returncode in (0, -9, KILLED), ran.stderr
    return ran.returncode != 0


def can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    ran = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False)
    return ran.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("step", ["init", "add", "clone", "push"])
def test_killed_at_each_system_call_it_is_before_or_after(
    tmp_path: Path, before: Scene, after: AfterStep, step: str
) -> None:
    if not can_trace():
        pytest.skip("no strace that may trace; the points are swept without it above")
    for point in range(1, MOST_POINTS):
        scene = before.copied_to(tmp_path / str(point))
        is_killed = killed_at_call(step, scene, point)
        require_before_or_after(scene, step, before, after(step))
        shutil.rmtree(scene.root)
        if not is_killed:
            break

    assert 4 < point < MOST_POINTS - 1
