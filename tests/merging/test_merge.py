"""Merging two models of a real repository.

    start <── ours        ours and theirs are made from start; all three are names
       ^───── theirs
"""

import json
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

import mgit
from mgit import adding, editing
from mgit.combine import Side
from mgit.errors import ConflictError, UsageError
from mgit.merging import Clean, Conflict, Conflicted, NeedsTest
from mgit.objects import CREATION, EdgeKind
from mgit.provenance import Provenance
from tests.family import names
from tests.merging.models import (
    CONFIG,
    Tensor,
    Workshop,
    elements,
    f32,
    i64,
    moved,
    noise,
    values,
    workshop,
)

START = {
    "embed": f32(*elements(16)),
    "l.0": f32(*elements(8), shape=(2, 4)),
    "l.1": f32(*elements(8), shape=(2, 4)),
}
NAMES = count()


def shifted(tensor: Tensor, by: float) -> Tensor:
    return f32(*(v + by for v in values(tensor)), shape=tensor.shape)


OURS = {"l.0": shifted(START["l.0"], 1)}
THEIRS = {"l.0": shifted(START["l.0"], 2), "l.1": shifted(START["l.1"], 5)}


# --- what comes out ---


def test_what_both_changed_is_combined_and_what_one_changed_is_taken(shop: Workshop) -> None:
    start, ours, theirs = shop.family(START, OURS, THEIRS)

    merged = mgit.merge(
        shop.repository, "ours", "theirs", method="task_arithmetic", is_untested_allowed=True
    )

    assert merged.outcome == NeedsTest((), ("l.1",), ("l.0",))
    assert (merged.base, merged.ours, merged.theirs) == (start, ours, theirs)
    assert names(shop.repository)["ours"] == {merged.node}
    assert shop.tensors("ours") == {
        "embed": START["embed"],
        "l.0": shifted(START["l.0"], 3),
        "l.1": THEIRS["l.1"],
    }


@pytest.mark.parametrize(
    ("method", "by"),
    [
        ("ours", 1),
        ("theirs", 2),
        ("base", 0),
        ("average", 1.5),
        ("task_arithmetic", 3),
        ("task_arithmetic:weight=0.5", 1.5),
        ("task_arithmetic:weight=0", 0),
    ],
)
def test_each_method_does_what_it_is_called(shop: Workshop, method: str, by: float) -> None:
    shop.family(START, OURS, THEIRS)

    mgit.merge(shop.repository, "ours", "theirs", method=method, is_untested_allowed=True)

    assert shop.tensors("ours")["l.0"] == shifted(START["l.0"], by)


def test_a_strategy_is_for_what_it_names_and_the_method_for_the_rest(shop: Workshop) -> None:
    theirs = {name: shifted(tensor, 2) for name, tensor in START.items()}
    shop.family(START, {name: shifted(tensor, 1) for name, tensor in START.items()}, theirs)

    mgit.merge(
        shop.repository,
        "ours",
        "theirs",
        method="task_arithmetic",
        strategies=["embed=ours", "l.1=average"],
        is_untested_allowed=True,
    )

    assert {name: values(t)[0] for name, t in shop.tensors("ours").items()} == {
        "embed": 1,
        "l.0": 3,
        "l.1": 1.5,
    }


def test_many_chunks_are_combined_each_in_its_place(shop: Workshop) -> None:
    wide = np.arange(3 * (1 << 20), dtype="<f4") / 64
    base = f32(*wide, shape=(3, 1 << 20))
    ours, theirs = (f32(*(wide + by), shape=base.shape) for by in (1, 2))
    shop.family({"w": base}, {"w": ours}, {"w": theirs})

    mgit.merge(shop.repository, "ours", "theirs", method="average", is_untested_allowed=True)

    assert len(shop.parts("ours").weights.tensors["w"].chunks) == 3
    assert np.array_equal(np.frombuffer(shop.tensors("ours")["w"].raw, "<f4"), wide + 1.5)


tensors = st.lists(st.integers(-50, 50), min_size=20, max_size=20).map(lambda v: f32(*v))
models = st.fixed_dictionaries({"a": tensors, "b": tensors}, optional={"c": tensors})


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """One repository for all cases of a property."""
    return workshop(tmp_path_factory.mktemp("hall"))


@pytest.mark.parametrize("method", ["average", "task_arithmetic"])
@given(base=models, one=models, other=models)
@settings(max_examples=10)
def test_the_result_is_the_same_whoever_is_ours(
    hall: Workshop, method: str, base: dict[str, Tensor], one: dict[str, Tensor], other: dict[str, Tensor]
) -> None:
    case = f"{method.replace('_', '-')}-{next(NAMES)}"
    hall.add(f"{case}/base", base)
    for side, tensors in (("one", one), ("other", other)):
        hall.add(f"{case}/{side}", tensors, f"{case}/base")

    merges = [
        mgit.merge(
            hall.repository,
            f"{case}/{ours}",
            f"{case}/{theirs}",
            into=f"{case}/{ours}-first",
            method=method,
            is_untested_allowed=True,
        )
        for ours, theirs in (("one", "other"), ("other", "one"))
    ]

    kinds = {type(merge.outcome) for merge in merges}
    if Conflict in kinds:
        assert kinds == {Conflict}
        return
    assert hall.parts(f"{case}/one-first").manifest.content == (
        hall.parts(f"{case}/other-first").manifest.content
    )


# --- clean ---


def test_identical_edits_are_that_edit(shop: Workshop) -> None:
    shop.family(START, OURS, OURS)

    merged = mgit.merge(shop.repository, "ours", "theirs")

    assert merged.outcome == Clean(Side.OURS)
    assert merged.is_new  # a node that has both above it
    assert shop.tensors("ours") == {**START, **OURS}


def test_a_side_that_changed_nothing_leaves_the_other(shop: Workshop) -> None:
    shop.add("start", START)
    shop.add("ours", START, "start", files={**CONFIG, "README.md": "ours"})
    shop.add("theirs", {**START, **THEIRS}, "start")

    merged = mgit.merge(shop.repository, "ours", "theirs")

    assert merged.outcome == Clean(Side.THEIRS)
    assert shop.tensors("ours") == {**START, **THEIRS}
    assert shop.file("ours", "README.md") == "ours"


def test_a_finetune_is_merged_back_into_what_it_was_made_from(shop: Workshop) -> None:
    start, _, theirs = shop.family(START, OURS, THEIRS)

    merged = mgit.merge(shop.repository, "start", "theirs")
    node = shop.repository.history().nodes[merged.node or start]

    assert merged.outcome == Clean(Side.THEIRS)
    assert node.manifest == shop.repository.history().nodes[theirs].manifest
    assert node.parents(EdgeKind.VERSION) == (start,)
    assert node.parents(EdgeKind.PROVENANCE) == (theirs,)


def test_what_is_merged_already_is_not_merged_again(shop: Workshop) -> None:
    shop.family(START, OURS, THEIRS)
    first = mgit.merge(
        shop.repository, "ours", "theirs", method="average", is_untested_allowed=True
    )
    packs = shop.packs()

    again = mgit.merge(shop.repository, "ours", "theirs")

    assert (again.node, again.is_new) == (first.node, False)
    assert shop.packs() == packs


def test_a_newer_version_is_moved_to_and_not_made_again(shop: Workshop) -> None:
    old = shop.add("model", START)
    new = shop.add("model", {**START, **OURS})
    editing.pick(shop.repository, "model", "model@v1")

    merged = mgit.merge(shop.repository, "model", new.hex())

    assert (merged.node, merged.is_new) == (new, False)
    assert names(shop.repository)["model"] == {new}
    assert old in shop.repository.history().lineage.version_ancestors(new)


# --- needs a test ---


def test_disjoint_edits_are_refused_without_a_test(shop: Workshop) -> None:
    shop.family(START, OURS, {"l.1": THEIRS["l.1"]})
    before = names(shop.repository), shop.packs()

    merged = mgit.merge(shop.repository, "ours", "theirs")

    assert merged.outcome == NeedsTest(("l.0",), ("l.1",), ())
    assert merged.node is None
    assert (names(shop.repository), shop.packs()) == before


def test_the_statement_says_how_it_was_made_and_that_nobody_tested_it(shop: Workshop) -> None:
    start, ours, theirs = shop.family(START, OURS, THEIRS)

    merged = mgit.merge(
        shop.repository,
        "ours",
        "theirs",
        method="task_arithmetic:weight=0.5",
        strategies=["l.*=average"],
        is_untested_allowed=True,
        message="both tasks",
    )
    assert merged.node
    (claim,) = Provenance(shop.repository.history()).about(merged.node, CREATION)
    build = claim.statement.predicate["buildDefinition"]

    assert isinstance(build, dict)
    assert build["externalParameters"] == {
        "operation": "merge",
        "name": "ours",
        "ours": str(ours),
        "theirs": str(theirs),
        "base": str(start),
        "method": "task_arithmetic:weight=0.5",
        "strategies": ["l.*=average"],
        "outcome": "needs-test",
        "tested": False,
        "tensors": {
            "equal": 1, "both": 0, "ours": 0, "theirs": 1, "base": 0, "combined": 1, "conflict": 0,
        },
        "message": "both tasks",
    }
    assert claim.is_trusted
    assert shop.repository.history().nodes[merged.node].operation == "merge"


# --- conflicts ---


def test_a_conflict_moves_nothing_and_says_how_far_the_sides_moved(shop: Workshop) -> None:
    shop.family(START, OURS, THEIRS)
    before = names(shop.repository), shop.packs()

    merged = mgit.merge(shop.repository, "ours", "theirs", is_untested_allowed=True)

    (conflict,) = (d for d in merged.decisions.tensors if isinstance(d, Conflicted))
    assert merged.outcome == Conflict(("l.0",), ())
    assert merged.node is None
    assert (names(shop.repository), shop.packs()) == before
    assert conflict.statistics
    norm = float(np.linalg.norm(values(START["l.0"])))
    assert conflict.statistics.moved_ours == pytest.approx(8**0.5 / norm)
    assert conflict.statistics.moved_theirs == pytest.approx(2 * 8**0.5 / norm)
    assert conflict.statistics.cosine == pytest.approx(1)
    assert conflict.statistics.signs_against == 0


def test_integers_are_chosen_and_not_averaged(shop: Workshop) -> None:
    shop.family({"ids": i64(1, 2)}, {"ids": i64(1, 3)}, {"ids": i64(1, 5)})

    refused = mgit.merge(shop.repository, "ours", "theirs", method="average")
    chosen = mgit.merge(shop.repository, "ours", "theirs", method="theirs")

    assert refused.outcome == Conflict(("ids",), ())
    assert chosen.outcome == Clean(Side.THEIRS)
    assert shop.tensors("ours") == {"ids": i64(1, 5)}


def test_a_method_that_gives_no_numbers_moves_nothing(shop: Workshop) -> None:
    huge = Tensor("F16", (2,), np.array([60000.0, 1.0], "<f2").tobytes())
    zero = Tensor("F16", (2,), np.array([0.0, 1.0], "<f2").tobytes())
    other = Tensor("F16", (2,), np.array([50000.0, 1.0], "<f2").tobytes())
    shop.family({"w": zero}, {"w": huge}, {"w": other})
    before = names(shop.repository), shop.packs()

    with pytest.raises(ConflictError, match="1 elements of 'w'"):
        mgit.merge(
            shop.repository, "ours", "theirs", method="task_arithmetic", is_untested_allowed=True
        )

    assert (names(shop.repository), shop.packs()) == before
    assert list((shop.repository.folder / "incoming").glob("*")) == []


# --- files ---


def configured(**keys: object) -> dict[str, str]:
    return {"config.json": json.dumps({"model_type": "tiny", **keys})}


def test_configurations_are_joined_by_keys(shop: Workshop) -> None:
    shop.add("start", START, files=configured(drop=0.1))
    shop.add("ours", START, "start", files=configured(drop=0.2))
    shop.add("theirs", START, "start", files=configured(drop=0.1, labels=3))

    merged = mgit.merge(shop.repository, "ours", "theirs", is_untested_allowed=True)

    assert merged.outcome == NeedsTest((), (), ("config.json",))
    assert json.loads(shop.file("ours", "config.json")) == {
        "model_type": "tiny",
        "drop": 0.2,
        "labels": 3,
    }


def test_a_key_that_both_changed_is_a_conflict_that_can_be_chosen(shop: Workshop) -> None:
    shop.add("start", START, files=configured(drop=0.1))
    shop.add("ours", START, "start", files=configured(drop=0.2))
    shop.add("theirs", START, "start", files=configured(drop=0.3))

    refused = mgit.merge(shop.repository, "ours", "theirs")
    mgit.merge(shop.repository, "ours", "theirs", strategies=["config.json=theirs"])

    (file,) = refused.decisions.files
    assert isinstance(file, Conflicted)
    assert file.keys == ("drop",)
    assert shop.file("ours", "config.json") == configured(drop=0.3)["config.json"]


def test_a_document_of_theirs_is_left_out_where_both_changed_it(shop: Workshop) -> None:
    shop.add("start", START, files={**CONFIG, "README.md": "start"})
    shop.add("ours", START, "start", files={**CONFIG, "README.md": "ours"})
    shop.add("theirs", START, "start", files={**CONFIG, "README.md": "theirs", "NOTICE": "new"})

    merged = mgit.merge(shop.repository, "ours", "theirs")

    assert merged.decisions.overruled == ("README.md",)
    assert shop.file("ours", "README.md") == "ours"
    assert shop.file("ours", "NOTICE") == "new"


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
    """Two parents, crossed: each child is made from both."""
    mothers = [shop.add(name, {**START, "l.0": f32(*elements(8), shape=(2, 4))}) for name in "ab"]
    shop.add("x", {**START, **OURS}, "a", "b")
    shop.add("y", {**START, **THEIRS}, "a", "b")
    # the twins a and b have the same manifest, hence are one node
    assert len(set(mothers)) == 1

    shop.add("c", {**START, "l.1": f32(*elements(8, start=9), shape=(2, 4))})
    for name, change in (("x", OURS), ("y", THEIRS)):
        shop.add(f"{name}2", {**START, **change, "more": f32(1)}, "a", "c")
    with pytest.raises(UsageError, match=r"2 lowest common ancestors: .*\(.*\), .*\(") as refused:
        mgit.merge(shop.repository, "x2", "y2")

    assert "--base" in refused.value.hint


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
    assert (names(shop.repository)["ours"], names(shop.repository)["theirs"]) == (
        {ours},
        {theirs},
    )
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


def conflicted(shop: Workshop) -> tuple[mgit.Digest, mgit.Digest]:  # type: ignore[name-defined]
    """``start`` moved by two people who did not know of each other."""
    raise NotImplementedError
