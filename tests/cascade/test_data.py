"""Data that were moved are found again where a person says that they are.

base --> a      the recipe of a, and the check of it, are given the same text
"""

from pathlib import Path

import pytest

from mgit.checks.registering import CheckRequest, add_check
from tests.cascade.workshop import Workshop, workshop
from tests.cli.terminal import Terminal

READS = """
@mgit.recipe
def read(parents, *, context):
    by = np.float32(context.data["text"].stat().st_size)
    return {n: t + by for n, t in parents["base"].arrays().items()}
"""
COUNTS = """
@mgit.check
def count(model, *, context):
    return {"size": float(context.data["text"].stat().st_size)}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """The family, with a base that is new, and data that lie elsewhere now."""
    found = workshop(tmp_path)
    text = tmp_path / "text"
    text.write_text("four")
    found.write(READS, "reads.py")
    found.write(COUNTS, "counts.py")
    found.build("a", "reads:read", data={"text": text})
    add_check(
        found.repository,
        CheckRequest("counts:count", "count", "a", data={"text": text}, roots=(found.project,)),
    )
    found.new()
    text.rename(tmp_path / "moved")
    return found


@pytest.fixture
def alice(shop: Workshop) -> Terminal:
    return Terminal("alice", shop.project.parent, {"PYTHONPATH": str(shop.project)})


def test_a_plan_finds_data_where_it_is_told(alice: Terminal) -> None:
    lost = alice.does("cascade plan").out
    found = alice.does("cascade plan --data text=../moved").out

    assert lost.startswith("absent")
    assert found.startswith("build")
    assert alice.does("cascade plan").out == found


def test_a_run_gives_data_to_recipes_and_checks(alice: Terminal, shop: Workshop) -> None:
    lost = alice.run("cascade run --executor inline --json")
    found = alice.does("cascade run --executor inline --data text=../moved --json").document

    assert lost.exit_code == 1
    assert shop.first("a") == 8 + 4
    assert [row["scores"] for row in found["steps"][0]["checks"]] == [{"size": 4.0}]


def test_data_that_are_not_there_are_told(alice: Terminal, shop: Workshop) -> None:
    before = shop.state()

    assert alice.run("cascade run --data text=../nowhere").exit_code == 4
    assert alice.run("cascade plan --data text").exit_code == 2
    assert shop.state() == before
