"""A push into a repository in which another process collects garbage meanwhile.

The hub condemned the weights of ``other``, and somebody who has them counts on them.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mgit import sync
from mgit.adding import add
from mgit.editing import own_identity
from mgit.repacking import collect
from mgit.repository import Repository
from tests.checkpoints import home_of
from tests.repacking.family import Family, remove
from tests.sync.wires import Meanwhile, push_via

COLLECTOR = """
import sys
from datetime import timedelta
from pathlib import Path
from mgit.repacking import collect
from mgit.repository import Home, Repository
repository = Repository.at(Path(sys.argv[1]), Home(Path(sys.argv[2]), Path(sys.argv[3])))
print(collect(repository, grace=timedelta()).removed_packs)
"""


def collected_elsewhere(hub: Repository) -> int:
    """Collects garbage in another process; returns how many packs went."""
    given = (hub.folder, hub.home.config, hub.home.cache)
    done = subprocess.run(
        [sys.executable, "-c", COLLECTOR, *map(str, given)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout)


@pytest.fixture
def his(family: Family, tmp_path: Path) -> Repository:
    """A copy from before ``other`` was condemned at the family's."""
    home = home_of("bob", tmp_path)
    own_identity(home, "bob")
    copy = sync.clone(str(family.repository.folder.parent), tmp_path / "bob", home).repository
    remove(family, "other")
    family.grow_old(91)
    assert collect(family.repository).condemned_packs == 1
    return copy


def test_what_goes_over_there_during_a_push_is_sent(family: Family, his: Repository) -> None:
    node = add(his, family.source("other"), "again").node
    hub, removed = family.repository, []
    wire = Meanwhile(hub.folder.parent, lambda: removed.append(collected_elsewhere(hub)))

    pushed = push_via(his, wire)

    assert removed == [1]
    assert pushed.packs == 2  # metadata, and then the weights
    assert family.is_sound()
    assert family.is_here(node.hex(), "other")
