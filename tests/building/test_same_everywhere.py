"""Wherever a recipe runs, the same model comes out."""

from pathlib import Path

import pytest

from mgit.building import reproduce
from mgit.objects import EdgeKind
from tests.building.projects import ADD, Maker, maker

DRAWN = """
import helper


@mgit.recipe
def tune(parents, *, scale=0.5, seed, context):
    drawn = np.random.default_rng(seed)
    print("running on", context.threads)
    return {
        n: helper.moved(a, scale * drawn.standard_normal(a.shape))
        for n, a in parents["base"].arrays().items()
    }
"""
HELPER = "\ndef moved(array, by):\n    return (array + by).astype(np.float32)\n"
TORCH = """
import torch


@mgit.recipe
def tune(parents, *, seed):
    torch.manual_seed(seed)
    found = {n: t.clone().requires_grad_() for n, t in parents["base"].tensors().items()}
    optimizer = torch.optim.Adam(found.values(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        sum((t * torch.randn(t.shape)).pow(2).sum() for t in found.values()).backward()
        optimizer.step()
    return found
"""


@pytest.fixture
def alice(tmp_path: Path) -> Maker:
    alice = maker(tmp_path)
    alice.write(DRAWN)
    alice.write(HELPER, "helper.py")
    return alice


@pytest.fixture
def bob(tmp_path: Path) -> Maker:
    """Another repository, with the same base; it knows no results of alice."""
    bob = maker(tmp_path, "bob")
    bob.write(DRAWN)
    bob.write(HELPER, "helper.py")
    return bob


def test_a_process_makes_what_this_process_makes(alice: Maker, bob: Maker) -> None:
    inline = alice.build(seed=3)
    process = bob.build(seed=3, executor="process")

    assert not process.is_known
    assert inline.content == process.content
    assert alice.values("tuned") == bob.values("tuned") != alice.values("base")
    assert reproduce(alice.repository, "tuned", executor="process").is_equal


@pytest.mark.slow
def test_ray_makes_what_this_process_makes(alice: Maker) -> None:
    pytest.importorskip("ray")
    alice.build(seed=3)

    assert reproduce(alice.repository, "tuned", executor="ray").is_equal


def test_torch_makes_the_same_in_a_process(alice: Maker) -> None:
    pytest.importorskip("torch")
    alice.write(TORCH, "learning.py")
    alice.build("learned", "learning:tune", seed=5)

    found = reproduce(alice.repository, "learned", executor="process")

    assert found.is_equal
    assert found.is_signed


def test_another_outcome_is_told_and_not_signed(alice: Maker) -> None:
    alice.write("""
import os


@mgit.recipe
def tune(parents):
    return {n: a + np.float32(os.getpid()) for n, a in parents["base"].arrays().items()}
""")
    built = alice.build()
    before = alice.state()

    found = reproduce(alice.repository, "tuned", executor="process")

    assert not found.is_equal
    assert not found.is_signed
    assert found.recorded == built.content != found.content
    assert alice.state() == before


def test_a_version_is_made_again_from_the_parents_it_had(alice: Maker) -> None:
    alice.write(ADD)
    alice.tune(by=1.0)
    alice.tune(by=2.0)
    alice.build("base", seed=1)

    newer = reproduce(alice.repository, "tuned", executor="inline")
    older = reproduce(alice.repository, "tuned@v1", executor="inline")

    assert newer.is_equal
    assert older.is_equal


def test_what_runs_again_is_what_was_recorded_not_what_lies_there_now(alice: Maker) -> None:
    alice.write(ADD)
    alice.tune()
    alice.write(ADD.replace("+ np", "- np"))

    assert reproduce(alice.repository, "tuned", executor="inline").is_equal


def test_nested_arguments_are_made_again(alice: Maker) -> None:
    alice.write("""
@mgit.recipe
def tune(parents, *, plan):
    by = np.float32(plan["rates"][1]["high"] + len(plan["on"]))
    return {n: a + by for n, a in parents["base"].arrays().items()}
""")
    plan = {"rates": (1, {"high": 2.5}), "on": "abc"}
    built = alice.build(arguments={"plan": plan})

    found = reproduce(alice.repository, "tuned", executor="inline")

    assert found.is_equal
    assert alice.values("tuned")["first"][0] == 0.5 + 2.5 + 3
    node = alice.node(built)
    assert [e.kind for e in node.edges] == [EdgeKind.PROVENANCE]
