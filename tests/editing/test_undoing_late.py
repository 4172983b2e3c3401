"""A step taken back so late that what it brings back was collected: the name is there, and told.

kid: removed more than 90 days ago, and its weights collected since
"""

from datetime import timedelta
from pathlib import Path

import pytest

from mgit.editing import remove
from mgit.errors import AbsentError
from mgit.repacking import collect
from tests.cli.terminal import Terminal
from tests.repacking.family import Family, family_in

SAID = (
    "the weights of kid are not here: removed by mgit gc, because no name led there any more;"
    " get them: mgit backfill kid, or add the same checkpoint again"
)


@pytest.fixture
def late(tmp_path: Path) -> Family:
    """Kid is gone, name and weights."""
    found = family_in(tmp_path)
    remove(found.repository, "kid")
    found.grow_old(91)
    collect(found.repository, grace=timedelta(0))
    return found


def test_a_name_comes_back_without_its_weights_and_the_command_says_so(late: Family) -> None:
    alice = Terminal("alice", late.root)

    undone = alice.does("undo")

    assert undone.out == "undone: rm kid\n"
    assert undone.err == f"{SAID}\n"
    assert "without weights" in alice.does("show kid").out
    with pytest.raises(AbsentError):
        late.is_here("kid", "kid")
    alice.does(f"add {late.source('kid')} kid")
    assert late.is_here("kid", "kid")
    assert late.is_sound()


@pytest.mark.parametrize("step", ["rm kid", "rename kid other-kid", "tag kid legal"])
def test_where_all_is_here_nothing_is_said(tmp_path: Path, step: str) -> None:
    family_in(tmp_path)
    alice = Terminal("alice", tmp_path)
    alice.does(step)

    assert alice.does("undo").err == ""


def test_of_settings_nothing_is_said(late: Family) -> None:
    alice = Terminal("alice", late.root)
    alice.does("remote add stick /nowhere")

    assert alice.does("undo").err == ""
