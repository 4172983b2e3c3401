"""Where a merge starts from, and where its result goes.

start <── ours        ours and theirs are made from start; all three are names
   ^───── theirs

m@v1 <- m (by alice)      `apart`: a conflicted name
     <- m (by bob)
"""

from pathlib import Path

import pytest

import mgit
from mgit import editing, sync
from mgit.combine import Side
from mgit.digest import Digest
from mgit.errors import AbsentError, ConflictError, MovedError, UsageError
from mgit.merging import ByKeys, Clean, Conflict, NeedsTest
from mgit.objects import EdgeKind
from mgit.repository import Repository
from mgit.store import Reader
from tests.family import Person, names, trusted
from tests.merging.models import Workshop, elements, f32, shifted, workshop

START = {
    "embed": f32(*elements(16)),
    "l.0": f32(*elements(8), shape=(2, 4)),
    "l.1": f32(*elements(8), shape=(2, 4)),
}
OURS = {"l.0": shifted(START["l.0"], 1)}
THEIRS = {"l.0": shifted(START["l.0"], 2), "l.1": shifted(START["l.1"], 5)}


# --- the base ---


def test_models_without_a_common_ancestor_are_unrelated(shop: Workshop) -> None:
    shop.add("one", START)
    shop.add("other", {**START, **OURS})

    with pytest.raises(UsageError, match="unrelated") as refused:
        mgit.merge(shop.repository, "one", "other")

    assert "--base" in refused.value.hint


def test_a_base_can_be_chosen_and_is_then_a_parent(shop: Workshop) -> None:
    base = shop.add("base", START)
    one = shop.add("one", {**START, **OURS})
    other = shop.add("other", {**START, **THEIRS})

    merged = mgit.merge(
        shop.repository,
        "one",
        "other",
        base="base",
        method="task_arithmetic",
        is_untested_allowed=True,
    )

    assert merged.node
    edges = shop.repository.history().nodes[merged.node].edges
    assert {(edge.kind, edge.parent, edge.role) for edge in edges} == {
        (EdgeKind.VERSION, one, ""),
        (EdgeKind.PROVENANCE, other, "merged"),
        (EdgeKind.PROVENANCE, base, "base"),
    }
    assert shop.tensors("one")["l.0"] == shifted(START["l.0"], 3)


def test_several_lowest_ancestors_are_named(shop: Workshop) -> None:
    """Two mothers, and two children that are made from both."""
    shop.add("one", START)
    shop.add("other", {**START, **OURS})
    shop.add("x", {**START, **OURS, "more": f32(1)}, "one", "other")
    shop.add("y", {**START, **THEIRS}, "one", "other")

    with pytest.raises(UsageError, match=r"2 lowest common ancestors: one .*, other ") as refused:
        mgit.merge(shop.repository, "x", "y")

    assert "mgit merge x y --base" in refused.value.hint


# --- names ---


def test_a_name_of_its_own_leaves_both_sides_as_they_are(shop: Workshop) -> None:
    _, ours, theirs = shop.family(START, OURS, THEIRS)

    merged = mgit.merge(
        shop.repository,
        "ours",
        "theirs",
        into="both",
        method="average",
        is_untested_allowed=True,
    )

    assert names(shop.repository)["both"] == {merged.node}
    assert names(shop.repository)["ours"] == {ours}
    assert names(shop.repository)["theirs"] == {theirs}
    assert merged.node
    edges = shop.repository.history().nodes[merged.node].edges
    assert {(e.kind, e.parent, e.role) for e in edges} == {
        (EdgeKind.PROVENANCE, ours, "merged"),
        (EdgeKind.PROVENANCE, theirs, "merged"),
    }


def test_a_result_of_ids_needs_a_name(shop: Workshop) -> None:
    _, ours, theirs = shop.family(START, OURS, {"l.1": THEIRS["l.1"]})

    with pytest.raises(UsageError, match="name"):
        mgit.merge(shop.repository, ours.hex(), theirs.hex())

    assert mgit.merge(shop.repository, ours.hex(), theirs.hex(), is_dry_run=True).name == ""


# --- conflicted names ---


@pytest.fixture
def apart(tmp_path: Path) -> Workshop:
    """Alice's repository, in which she and Bob moved ``m`` without knowing of each other."""
    alice, bob = workshop(tmp_path), Person("bob", tmp_path)
    alice.add("m", START)
    trusted(alice.repository, bob)
    his = Workshop(bob.clone(str(tmp_path / "alice")), tmp_path, bob)
    alice.add("m", {**START, **OURS})
    his.add("m", {**START, **THEIRS})
    sync.fetch(alice.repository, str(tmp_path / "bob"))
    return alice


def sides(repository: Repository) -> frozenset[Digest]:
    return names(repository)["m"]


def test_merging_both_sides_settles_a_conflicted_name(apart: Workshop) -> None:
    before = sides(apart.repository)
    assert len(before) == 2

    merged = mgit.merge(
        apart.repository, "m@alice", "m@bob", method="average", is_untested_allowed=True
    )

    assert merged.name == "m"
    assert sides(apart.repository) == {merged.node}
    assert merged.node
    edges = apart.repository.history().nodes[merged.node].edges
    assert {(edge.kind, edge.parent) for edge in edges} == {
        (EdgeKind.VERSION, side) for side in before
    }


def test_the_other_person_gets_the_settled_name(apart: Workshop) -> None:
    merged = mgit.merge(
        apart.repository, "m@alice", "m@bob", method="average", is_untested_allowed=True
    )

    his = Repository.open(apart.root / "bob", Person("bob", apart.root).home)
    sync.pull(his, str(apart.root / "alice"))

    assert sides(his) == {merged.node}
    assert mgit.verify(his, "m").is_verified


def test_a_settled_name_can_be_in_conflict_again_by_undo(apart: Workshop) -> None:
    before = sides(apart.repository)
    mgit.merge(apart.repository, "m@alice", "m@bob", method="average", is_untested_allowed=True)

    editing.undo(apart.repository)

    assert sides(apart.repository) == before


def test_a_conflicted_name_is_not_settled_by_something_else(apart: Workshop) -> None:
    apart.add("other", {**START, **OURS}, "m@v1")

    with pytest.raises(ConflictError, match="not its sides"):
        mgit.merge(apart.repository, "m@alice", "other", method="average")

    assert len(sides(apart.repository)) == 2


def test_sides_that_agree_are_settled_without_a_method(tmp_path: Path) -> None:
    """The same weights, each with a card of its own."""
    alice, bob = workshop(tmp_path), Person("bob", tmp_path)
    alice.add("m", START)
    trusted(alice.repository, bob)
    his = Workshop(bob.clone(str(tmp_path / "alice")), tmp_path, bob)
    alice.add("m", {**START, **OURS}, files={"README.md": "alice"})
    his.add("m", {**START, **OURS}, files={"README.md": "bob"})
    sync.fetch(alice.repository, str(tmp_path / "bob"))

    merged = mgit.merge(alice.repository, "m@alice", "m@bob")

    assert merged.outcome == Clean(Side.OURS)
    assert sides(alice.repository) == {merged.node}


# --- people and copies ---


def test_a_key_without_a_role_merges_beside_the_name(tmp_path: Path) -> None:
    alice, bob = workshop(tmp_path), Person("bob", tmp_path)
    alice.family(START, OURS, THEIRS)
    his = bob.clone(str(tmp_path / "alice"))

    merged = mgit.merge(his, "ours", "theirs", method="average", is_untested_allowed=True)

    assert merged.is_aside
    assert his.history().names.aside()[bob.key] == {"ours": {merged.node}}
    assert names(his) == names(alice.repository)


def test_a_name_that_was_moved_meanwhile_is_not_overrun(shop: Workshop) -> None:
    shop.family(START, OURS, THEIRS)
    newer: list[Digest] = []

    def add_meanwhile(_done: int, _total: int) -> None:
        newer.append(shop.add("ours", {**START, "l.1": shifted(START["l.1"], 9)}))

    with pytest.raises(MovedError):
        mgit.merge(
            shop.repository,
            "ours",
            "theirs",
            method="average",
            is_untested_allowed=True,
            progress=add_meanwhile,
        )

    assert names(shop.repository)["ours"] == set(newer)


def test_a_dry_run_reads_no_weights(shop: Workshop) -> None:
    shop.family(START, OURS, THEIRS)
    expected = mgit.merge(shop.repository, "ours", "theirs", method="average", is_dry_run=True)
    shop.remove_chunk_packs()

    planned = mgit.merge(shop.repository, "ours", "theirs", method="average", is_dry_run=True)
    undecided = mgit.merge(shop.repository, "ours", "theirs", is_dry_run=True)

    assert planned == expected
    assert planned.outcome == NeedsTest((), ("l.1",), ("l.0",))
    assert undecided.node is None


def test_a_dry_run_of_a_conflict_measures_nothing(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.family(START, OURS, THEIRS)
    read: list[Digest] = []
    monkeypatch.setattr(Reader, "chunk", lambda _reader, digest: read.append(digest))

    planned = mgit.merge(shop.repository, "ours", "theirs", is_dry_run=True)

    assert planned.outcome == Conflict(("l.0",), ())
    assert read == []


def test_a_dry_run_says_what_it_could_not_read(shop: Workshop) -> None:
    shop.add("start", START, files={"config.json": "{}"})
    shop.add("ours", START, "start", files={"config.json": '{"ours": 1}'})
    shop.add("theirs", START, "start", files={"config.json": '{"theirs": 1}'})
    shop.remove_chunk_packs()

    planned = mgit.merge(shop.repository, "ours", "theirs", is_dry_run=True)

    (file,) = planned.decisions.files
    assert isinstance(file, ByKeys)
    assert file.content is None
    assert planned.outcome == NeedsTest((), (), ("config.json",))


def test_a_dry_run_writes_nothing(shop: Workshop) -> None:
    shop.family(START, OURS, THEIRS)
    before = names(shop.repository), shop.packs()

    planned = mgit.merge(
        shop.repository,
        "ours",
        "theirs",
        method="average",
        is_untested_allowed=True,
        is_dry_run=True,
    )

    assert planned.node is None
    assert (names(shop.repository), shop.packs()) == before


def test_weights_that_are_not_here_are_asked_for(tmp_path: Path) -> None:
    alice, bob = workshop(tmp_path), Person("bob", tmp_path)
    alice.family(START, OURS, THEIRS)
    his = bob.clone(str(tmp_path / "alice"), weights=False)

    with pytest.raises(AbsentError, match="not here") as refused:
        mgit.merge(his, "ours", "theirs", method="average", is_untested_allowed=True)
    conflict = mgit.merge(his, "ours", "theirs")

    assert "backfill" in refused.value.hint
    assert conflict.node is None  # told without numbers
