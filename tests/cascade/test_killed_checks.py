"""A check whose worker dies is tried again as a recipe is, and then speaks for itself only.

base --> a --> b        the check is on a and what is below it
"""

from pathlib import Path

import pytest

from tests.cascade.workshop import Workshop, states, workshop


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """The family, with a base that is new."""
    found = workshop(tmp_path, "a", "b <- a")
    found.new()
    return found


def test_a_check_that_dies_once_is_no_failure(shop: Workshop) -> None:
    shop.check("score", "a")
    shop.mood("score", "once is killed")

    found = shop.cascade("process")

    assert states(found) == {"a": "done", "b": "done"}
    assert shop.runs() == ["a", "b"]
    assert shop.checked() == 3
    assert not any(outcome.is_known for outcome in found.outcomes)


@pytest.mark.parametrize(
    ("severity", "ended", "tries"),
    [("block", {"a": "test failed", "b": "blocked"}, 3), ("warn", {"a": "done", "b": "done"}, 6)],
)
def test_a_check_that_dies_again_and_again_has_measured_nothing(
    shop: Workshop, severity: str, ended: dict[str, str], tries: int
) -> None:
    shop.check("score", "a", severity=severity)
    shop.mood("score", "is killed")

    found = shop.cascade("process")

    assert states(found) == ended
    assert shop.checked() == tries


@pytest.mark.parametrize(("apart", "checked"), [(0, 2), (1, 3)])
def test_of_what_one_run_made_only_that_is_tested_again_that_was_not(
    shop: Workshop, apart: int, checked: int
) -> None:
    shop.pair("left", "right", apart=apart)
    shop.new(first=16.0)
    shop.runs()
    shop.check("score", "left | right")
    shop.mood("score", "once has no memory")

    found = shop.cascade(selector="base", stop=["a"])

    assert states(found) == {"a": "stopped", "left": "done", "right": "done"}
    assert shop.runs() == ["pair"]
    assert shop.checked() == checked
