r"""Quantised versions: made from the exact ones, tested, named only if they pass.

base --- kid --- grandkid        lone: made from nothing
"""

from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mgit import repair
from mgit.checks import State
from mgit.codecs import STEPS
from mgit.editing import undo
from mgit.errors import NotFoundError, UsageError
from mgit.objects import CHUNK, CREATION, EdgeKind, Ref
from mgit.repacking import Absolute, Relative, repack, repack_lossy
from mgit.store import Row
from tests.checkpoints import parts_of, place_of
from tests.checks.desk import Desk, desk

COUNT = 4096
HALF = Relative(0.5)
Numbers = npt.NDArray[np.float32]

CHECKS = """
import mgit
import numpy as np


@mgit.check(on="base", gates=[mgit.at_least("share", 0.5)])
def positive(model):
    return {"share": float((model.arrays()["w"] >= 0).mean())}


@mgit.check(on="base", gates=[mgit.at_least("sameness", 1.0)])
def exact(model, *, total):
    return {"sameness": float(abs(float(np.float64(model.arrays()["w"]).sum()) - total) < 1e-9)}
"""


def numbers(seed: int, near: Numbers | None = None, by: float = 1e-3) -> Numbers:
    drawn = np.random.default_rng(seed).normal(0, 1, COUNT).astype("<f4")
    moved = np.abs(drawn) if near is None else (near + by * drawn).astype("<f4")
    moved[:50] = 0
    moved[50] = np.inf
    return moved


def read(at: Desk, name: str) -> Numbers:
    store = at.repository.store
    chunks = parts_of(at.repository, name).weights.tensors["w"].chunks
    return np.frombuffer(b"".join(map(store.reader.chunk, chunks)), "<f4")


def farthest(now: Numbers, was: Numbers) -> float:
    """The largest deviation of what was finite."""
    finite = np.isfinite(was)
    return float(np.abs(now[finite].astype("<f8") - was[finite]).max())


def row_of(at: Desk, name: str) -> Row:
    (chunk,) = parts_of(at.repository, name).weights.tensors["w"].chunks
    return place_of(at.repository, Ref(CHUNK, chunk)).row


@pytest.fixture
def family(tmp_path: Path) -> Desk:
    made = desk(tmp_path)
    made.write(CHECKS, "gates.py")
    base = numbers(1)
    kid = numbers(2, base)
    made.model("base", base.tolist())
    made.model("kid", kid.tolist(), "base")
    made.model("grandkid", numbers(3, kid).tolist(), "kid")
    made.model("lone", numbers(4).tolist())
    made.register("gates:positive", arguments={})
    return made


def test_a_quantised_version_takes_little_and_is_nearly_the_same(family: Desk) -> None:
    was = read(family, "kid")

    done = repack_lossy(family.repository, HALF, ["positive"], "kid", executor="inline")

    now, (model,) = read(family, "kid"), done.models
    row, loss = row_of(family, "kid"), model.losses["w"]
    finite = np.isfinite(was)
    off = now[finite].astype("<f8") - was[finite]
    assert done.is_kept
    assert (row.codec, row.stored_bytes * 9 < row.raw_bytes) == (STEPS.number, True)
    assert loss.max_error == farthest(now, was) <= 0.51 * loss.step
    assert loss.rms_error == pytest.approx(np.sqrt((off**2).sum() / COUNT))
    assert loss.step == pytest.approx(0.5 * loss.rms_update)
    assert np.array_equal(now[:51], was[:51])


def test_an_error_that_was_given_is_not_exceeded(family: Desk) -> None:
    base = 100 * numbers(1)  # so large that rounding to float32 adds something to many
    family.model("far", base.tolist())
    family.model("farther", numbers(2, base).tolist(), "far")
    was = read(family, "farther")

    done = repack_lossy(
        family.repository, Absolute(1e-4), ["positive"], "farther", executor="inline"
    )

    (model,) = done.models
    assert 0 < farthest(read(family, "farther"), was) <= 1e-4
    assert model.losses["w"].max_error == farthest(read(family, "farther"), was)


def test_it_is_a_new_version_made_from_the_exact_one_and_says_so(family: Desk) -> None:
    exact, base = family.node("kid"), family.node("base")

    repack_lossy(family.repository, HALF, ["positive"], "kid", executor="inline")

    node = family.repository.history().nodes[family.node("kid")]
    edges = {(edge.kind, edge.parent, edge.role) for edge in node.edges}
    assert edges == {
        (EdgeKind.VERSION, exact, ""),
        (EdgeKind.PROVENANCE, exact, "exact"),
        (EdgeKind.PROVENANCE, base, "base"),
    }
    (said,) = family.claims("kid", CREATION)
    definition = said.predicate["buildDefinition"]
    assert isinstance(definition, dict)
    told = definition["externalParameters"]
    assert (told["operation"], told["bound"]) == ("quantise", "--lossy 0.5")
    assert set(told["losses"]["w"]) >= {"step", "max_error", "rms_error"}


def test_errors_do_not_add_up_along_a_chain(family: Desk) -> None:
    was = read(family, "grandkid")

    done = repack_lossy(family.repository, HALF, ["positive"], executor="inline")

    losses = {model.name: model.losses["w"] for model in done.models}
    kid = family.node("kid")
    assert farthest(read(family, "grandkid"), was) <= 0.51 * losses["grandkid"].step
    assert kid in family.repository.history().nodes[family.node("grandkid")].parents()
    assert row_of(family, "grandkid").bases == (row_of(family, "kid").ref.digest,)
    assert set(done.skipped) >= {"lone"}


def test_nothing_moves_unless_everything_passes(family: Desk) -> None:
    total = float(np.float64(read(family, "kid")[np.isfinite(read(family, "kid"))]).sum())
    family.register("gates:exact", arguments={"total": total})
    before = {name: family.node(name) for name in ("kid", "grandkid")}
    entries = family.entries()

    done = repack_lossy(family.repository, HALF, ["positive", "exact"], executor="inline")

    assert not done.is_kept
    assert done.report is not None
    assert State.FAILED in {row.state for row in done.report.rows}
    assert {name: family.node(name) for name in before} == before
    assert family.entries() == entries


def test_what_is_quantised_is_not_quantised_again(family: Desk) -> None:
    repack_lossy(family.repository, HALF, ["positive"], "kid", executor="inline")
    node = family.node("kid")

    done = repack_lossy(family.repository, HALF, ["positive"], "kid", executor="inline")

    assert (done.models, done.is_kept) == ((), False)
    assert done.skipped == {"kid": "quantised already: for another bound go back first (mgit undo)"}
    assert family.node("kid") == node


def test_after_going_back_a_model_can_be_quantised_in_another_way(family: Desk) -> None:
    repack_lossy(family.repository, HALF, ["positive"], "kid", executor="inline")
    tried = family.node("kid")
    undo(family.repository)

    done = repack_lossy(family.repository, Relative(0.1), ["positive"], "all()", executor="inline")

    assert {model.name for model in done.models} == {"kid", "grandkid"}
    assert done.skipped[tried.short] == "no name points to it"
    with pytest.raises(UsageError, match=f"no name points to {tried.short}"):
        repack_lossy(family.repository, HALF, ["positive"], tried.hex(), executor="inline")


def test_models_made_from_one_that_was_replaced_are_behind(family: Desk) -> None:
    alone = repack_lossy(family.repository, HALF, ["positive"], "kid", executor="inline")
    undo(family.repository)
    together = repack_lossy(family.repository, HALF, ["positive"], executor="inline")

    assert (alone.behind, together.behind) == (("grandkid",), ())


def test_writing_packs_anew_keeps_what_quantising_gained(family: Desk) -> None:
    repack_lossy(family.repository, HALF, ["positive"], executor="inline")
    before = row_of(family, "grandkid")

    repack(family.repository, grace=timedelta())

    after = row_of(family, "grandkid")
    assert (after.codec, after.stored_bytes) == (before.codec, before.stored_bytes)
    assert repair.check(family.repository).is_clean


@pytest.mark.parametrize("bound", [Relative(0), Relative(-1), Absolute(float("nan"))])
def test_a_bound_that_makes_no_sense_is_refused(family: Desk, bound: Relative | Absolute) -> None:
    with pytest.raises(UsageError, match="no amount"):
        repack_lossy(family.repository, bound, ["positive"], executor="inline")


def test_without_a_check_nothing_is_lost(family: Desk) -> None:
    with pytest.raises(UsageError, match="nothing would tell"):
        repack_lossy(family.repository, HALF, [], executor="inline")
    with pytest.raises(NotFoundError, match="no check 'none'"):
        repack_lossy(family.repository, HALF, ["none"], executor="inline")


def test_a_check_that_demands_nothing_is_no_test(family: Desk) -> None:
    family.register("gates:positive", arguments={}, name="vain", gates=[])

    with pytest.raises(UsageError, match="the check 'vain' demands nothing"):
        repack_lossy(family.repository, HALF, ["positive", "vain"], executor="inline")


def test_an_executor_that_does_not_exist_is_refused_before_anything_is_made(family: Desk) -> None:
    packs = dict(family.repository.store.catalog.packs)

    with pytest.raises(UsageError, match="no executor is called 'bad'"):
        repack_lossy(family.repository, HALF, ["positive"], executor="bad")

    assert family.repository.store.catalog.packs == packs
