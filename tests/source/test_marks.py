"""Marks for people: they cost nothing, and change nothing."""

import subprocess
import sys
from typing import assert_type

import pytest

from mgit.source import check, recipe


def test_a_mark_leaves_the_function_as_it_is() -> None:
    def tune(parents: dict[str, int], *, lr: float) -> float:
        return parents["base"] * lr

    assert recipe(tune) is tune
    assert recipe(level="tolerant", operation="tune")(tune) is tune
    assert tune({"base": 2}, lr=0.5) == 1.0
    assert vars(tune) == {"__mgit__": "recipe"}


def test_a_check_is_marked_as_one() -> None:
    @check(on="type:x", severity="warn", gates=["anything", object()])
    def score(model: str) -> int:
        return len(model)

    assert_type(score("abc"), int)
    assert vars(score) == {"__mgit__": "check"}


def test_a_misspelt_option_is_refused() -> None:
    with pytest.raises(TypeError, match="levle"):
        recipe(levle="bitwise")  # type: ignore[call-overload]


def test_marks_load_nothing_heavy() -> None:
    probe = "import sys, mgit.source.marks; print(*sys.modules)"

    ran = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)

    assert not {"numpy", "torch", "ray", "zstandard", "cryptography"} & set(ran.stdout.split())
