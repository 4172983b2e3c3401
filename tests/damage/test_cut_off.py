"""Commands killed at a random moment: all is as before or as after, never between."""

import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.damage.scene import (
    STEPS,
    Scene,
    require_before_or_after,
    send_off,
    started,
)

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


@pytest.mark.parametrize("step", ["push", "clone"])
def test_killed_at_a_few_random_moments_it_is_before_or_after(
    tmp_path: Path, before: Scene, after: AfterStep, step: str
) -> None:
    kill_often(step, 2, tmp_path, before, after)


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_many_random_moments_it_is_before_or_after(
    tmp_path: Path, before: Scene, after: AfterStep, step: str
) -> None:
    kill_often(step, 10, tmp_path, before, after)
