"""What a cascade costs of which every result is known: so much a step, however many there are."""

import os
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from tests.cascade.known import long_family
from tests.cascade.workshop import workshop


def test_a_known_step_takes_as_many_calls_among_many_as_among_few(tmp_path: Path) -> None:
    few, more, many = (cost(tmp_path, count)["call"] for count in (20, 40, 80))

    assert many - more < 2.05 * (more - few)  # twice the steps, twice the calls


def test_known_steps_are_made_durable_together(tmp_path: Path) -> None:
    assert cost(tmp_path, 20)["sync"] == cost(tmp_path, 40)["sync"]


def cost(root: Path, count: int) -> Counter[str]:
    """How often Python and the disk are called while so many steps are planned and published."""
    shop = workshop(root / str(count))
    long_family(shop.repository, count)
    counted: Counter[str] = Counter()

    def note(_frame: FrameType, event: str, argument: object) -> None:
        counted[event] += 1
        counted["sync"] += event == "c_call" and argument is os.fsync

    sys.setprofile(note)
    try:
        found = shop.cascade()
    finally:
        sys.setprofile(None)
    assert (found.jobs, len(found.published)) == (0, count)
    return counted
