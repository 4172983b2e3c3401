"""What no name leads to any more stays here, unless somebody names its id.

alice:  base      secret (fine-tuned from base; its name was removed)
"""

from pathlib import Path

import pytest

from mgit import editing, sync
from mgit.digest import Digest
from mgit.repository import Presence, Repository, presence
from tests.family import Person, add, names, tuned, weights

BASE = weights("base")
WIDE = ("all()", "family(base)", "descendants(base)")


@pytest.fixture
def alice(tmp_path: Path) -> Repository:
    repository = Person("alice", tmp_path).init()
    add(repository, "base", BASE)
    add(repository, "secret", tuned(BASE, "secret"), "base")
    return repository


@pytest.fixture
def secret(alice: Repository) -> Digest:
    (node,) = names(alice)["secret"]
    editing.remove(alice, "secret")
    return node


@pytest.mark.parametrize("selector", WIDE)
def test_it_is_pushed_only_by_its_id(
    alice: Repository, secret: Digest, tmp_path: Path, selector: str
) -> None:
    (tmp_path / "stick").mkdir()

    wide = sync.push(alice, str(tmp_path / "stick"), selector)
    by_id = sync.push(alice, str(tmp_path / "stick"), secret.short)

    assert (wide.nodes, by_id.nodes) == (1, 1)
    assert by_id.chunks > 0


@pytest.mark.parametrize("selector", WIDE)
def test_it_is_cloned_and_fetched_only_by_its_id(
    secret: Digest, tmp_path: Path, selector: str
) -> None:
    his = Person("bob", tmp_path).clone(str(tmp_path / "alice"), select=selector)

    sync.fetch(his, selector=selector)
    assert secret not in his.history().nodes
    sync.fetch(his, selector=f"base | {secret.short}")

    assert presence(his, his.history().nodes[secret]) is Presence.COMPLETE


def test_its_weights_are_filled_in_only_by_its_id(alice: Repository, tmp_path: Path) -> None:
    his = Person("bob", tmp_path).clone(str(tmp_path / "alice"), weights=False)
    (node,) = names(his)["secret"]
    editing.remove(alice, "secret")
    sync.fetch(his)

    wide = sync.backfill(his, "missing()")
    state = presence(his, his.history().nodes[node])
    by_id = sync.backfill(his, node.short)

    assert (wide.nodes, state, by_id.nodes) == (1, Presence.WITHOUT_WEIGHTS, 1)
