"""Merging two models of a real repository.

start <── ours        ours and theirs are made from start; all three are names
   ^───── theirs
"""

from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mgit
from mgit import editing
from mgit.combine import Side
from mgit.errors import ConflictError
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
    shifted,
    values,
    workshop,
)

START = {
    "embed": f32(*elements(16)),
    "l.0": f32(*elements(8), shape=(2, 4)),
    "l.1": f32(*elements(8), shape=(2, 4)),
}
NAMES = count()


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
    long = np.arange((1 << 20) + 8, dtype="<f4") / 64
    shop.family({"w": f32(*long)}, {"w": f32(*(long + 1))}, {"w": f32(*(long + 2))})

    mgit.merge(shop.repository, "ours", "theirs", method="average", is_untested_allowed=True)

    assert len(shop.parts("ours").weights.tensors["w"].chunks) == 2
    assert np.array_equal(np.frombuffer(shop.tensors("ours")["w"].raw, "<f4"), long + 1.5)


tensors = st.lists(st.integers(-50, 50), min_size=20, max_size=20).map(lambda v: f32(*v))
models = st.fixed_dictionaries({"a": tensors, "b": tensors}, optional={"c": tensors})


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """One repository for all cases of a property."""
    return workshop(tmp_path_factory.mktemp("hall"))


@pytest.mark.parametrize("method", ["average", "task_arithmetic"])
@given(base=models, one=models, other=models)
@settings(max_examples=6)
def test_the_result_is_the_same_whoever_is_ours(
    hall: Workshop,
    method: str,
    base: dict[str, Tensor],
    one: dict[str, Tensor],
    other: dict[str, Tensor],
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
    shop.add("start", START)
    shop.add("ours", {**START, **OURS}, "start")
    shop.add("theirs", {**START, **OURS}, "start", files={**CONFIG, "README.md": "theirs"})

    merged = mgit.merge(shop.repository, "ours", "theirs")

    assert merged.outcome == Clean(Side.OURS)
    assert merged.is_new  # a node that has both above it
    assert shop.tensors("ours") == {**START, **OURS}


def test_twins_are_merged_so_that_both_are_remembered(shop: Workshop) -> None:
    """The same checkpoint, made in two ways."""
    shop.add("start", START)
    ours = shop.add("ours", {**START, **OURS}, "start")
    theirs = shop.add("theirs", {**START, **OURS}, "start=teacher")

    merged = mgit.merge(shop.repository, "ours", "theirs")

    nodes = shop.repository.history().nodes
    assert merged.node
    assert nodes[merged.node].manifest == nodes[ours].manifest == nodes[theirs].manifest
    assert set(nodes[merged.node].parents()) == {ours, theirs}


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


def test_a_node_merged_with_itself_is_itself(shop: Workshop) -> None:
    node = shop.add("model", START)

    merged = mgit.merge(shop.repository, "model", "model@v1")

    assert (merged.node, merged.is_new, merged.outcome) == (node, False, Clean(Side.OURS))


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
            "equal": 1,
            "both": 0,
            "ours": 0,
            "theirs": 1,
            "base": 0,
            "combined": 1,
            "conflict": 0,
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
