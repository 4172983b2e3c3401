"""A run that is cut off leaves nothing running and nothing half published, and the next goes on.

base --> a --> b --> c       the driver is a process of its own
base --> other
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mgit.cascade.running import Means, run_cascade
from tests.cascade.known import long_family
from tests.cascade.workshop import Workshop, workshop
from tests.cli.terminal import Terminal

PATIENCE_S = 60


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """The family, with a base that is new, and a recipe of b that waits."""
    found = workshop(tmp_path, "a", "b <- a", "c <- b", "other")
    found.new()
    found.mood("b", "waits")
    return found


@contextmanager
def driver(shop: Workshop) -> Iterator[subprocess.Popen[str]]:
    """``mgit cascade run``, once the recipe of b waits."""
    root = Path(__file__).parents[2]
    path = os.pathsep.join(map(str, (root, root / "remotes", shop.project)))
    home = str(shop.repository.home.config)
    process = subprocess.Popen(
        [sys.executable, "-m", "mgit", "cascade", "run", "--executor", "process", "--jobs", "1"],
        cwd=shop.repository.folder.parent,
        env={**os.environ, "MGIT_CONFIG_HOME": home, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            until((shop.place / "waiting").exists)
            yield process
        finally:
            process.kill()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def worker(shop: Workshop) -> Path:
    """The process in which the recipe of b waits."""
    return Path("/proc", (shop.place / "waiting").read_text())


def goes_on(shop: Workshop) -> None:
    (shop.place / "go on").touch()


def terminal(shop: Workshop) -> Terminal:
    return Terminal("alice", shop.project.parent, {"PYTHONPATH": str(shop.project)})


def test_a_driver_that_is_killed_takes_its_workers_with_it(shop: Workshop) -> None:
    before = shop.state()

    with driver(shop) as process:
        waiting = worker(shop)
        process.kill()
        process.wait()

    until(lambda: not waiting.exists())
    assert shop.state() == before
    assert shop.is_sound()


def test_what_was_made_before_a_crash_is_not_made_again(shop: Workshop) -> None:
    with driver(shop) as process:
        process.kill()
    made = shop.runs()
    goes_on(shop)
    shown = terminal(shop).does("cascade show")

    again = terminal(shop).does("cascade run --executor inline --json").document

    assert made in (["a", "b"], ["a", "other", "b"])
    assert shop.runs() == [name for name in ("b", "c", "other") if name == "b" or name not in made]
    assert sorted(again["published"]) == ["a", "b", "c", "other"]
    assert "cut off" in shown.out
    assert "ended" in terminal(shop).does("cascade show").out


def test_the_first_interrupt_lets_end_what_is_under_way(shop: Workshop) -> None:
    with driver(shop) as process:
        process.send_signal(signal.SIGINT)
        goes_on(shop)
        out, _ = process.communicate(timeout=PATIENCE_S)
    made = shop.runs()

    again = terminal(shop).does("cascade run --executor inline --json").document

    assert process.returncode == 1
    assert "cancelled" in out
    assert "b" in made
    assert "c" not in made
    assert sorted([*made, *shop.runs()]) == ["a", "b", "c", "other"]
    assert "c" in again["published"]


def test_the_second_interrupt_ends_it(shop: Workshop) -> None:
    before = shop.state()

    with driver(shop) as process:
        waiting = worker(shop)
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)  # two at once are one

    assert process.returncode in {130, -signal.SIGINT}  # the third came while it was leaving
    until(lambda: not waiting.exists())
    assert shop.state() == before


def test_a_name_that_another_process_moves_meanwhile_is_told(shop: Workshop) -> None:
    with driver(shop) as process:
        shop.new("b", 32.0)
        goes_on(shop)
        out, err = process.communicate(timeout=PATIENCE_S)
    left = shop.first("b")

    again = terminal(shop).run("cascade run --executor inline --json")

    assert process.returncode == 3
    assert "somebody moved b meanwhile" in out + err
    assert left == 32.0
    assert again.exit_code == 0
    assert sorted(again.document["published"]) == ["c"]


def test_known_results_need_no_executor_however_many_they_are(shop: Workshop) -> None:
    long_family(shop.repository, 200)

    found = run_cascade(shop.repository, shop.wishes(selector="root"), Means("ray"))

    assert found.jobs == 0
    assert len(found.published) == 200
