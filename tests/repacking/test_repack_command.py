"""``mgit repack`` at a terminal.

base <── legal <── tax      all numbers are positive
"""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from mgit.adding import Description, add
from mgit.repository import Repository
from tests.checkpoints import Tensor, home_of, safetensors, written
from tests.cli.terminal import Terminal

CHECK = """
import mgit


@mgit.check(on="base", gates=[mgit.at_least("least", {least})])
def {name}(model):
    return {{"least": float(model.arrays()["w"].min())}}
"""


@pytest.fixture
def alice(tmp_path: Path) -> Terminal:
    person = Terminal("alice", tmp_path)
    person.does("init --as alice")
    repository = Repository.open(person.folder, home_of("alice", tmp_path))
    random = np.random.default_rng(0)
    base = random.uniform(1, 2, 4096).astype("<f4")
    legal, tax = (base + random.normal(0, 1e-4, (2, 4096)).cumsum(axis=0)).astype("<f4")
    parents: list[str] = []
    for name, values in (("base", base), ("legal", legal), ("tax", tax)):
        path = tmp_path / name / "a.safetensors"
        data = struct.pack("<4096f", *values)
        written(path, safetensors({"w": Tensor("F32", (64, 64), data)}))
        add(repository, path, name, description=Description(parents=parents))
        parents = [name]
    for name, least in (("positive", 0.5), ("huge", 1e6)):
        written(person.folder / f"{name}s.py", CHECK.format(name=name, least=least).encode())
        person.does(f"check add {name}s:{name}")
    return person


def test_it_says_that_nothing_is_to_gain(alice: Terminal) -> None:
    ran = alice.does("repack")

    assert ran.out.startswith("3 models, ")
    assert "nothing to gain, nothing was changed" in ran.out


def test_a_quantised_version_is_told_with_its_errors(alice: Terminal) -> None:
    ran = alice.does("repack legal --lossy 0.5 --gate positive --json")

    (model,) = ran.document["models"]
    assert ran.document["is_kept"]
    assert 0 < model["losses"]["w"]["max_error"] < 1e-3
    again = alice.does("repack legal --lossy 0.5 --gate positive").out
    assert "as before:\n  legal  quantised already" in again
    assert "exact" not in again


def test_people_are_told_that_nothing_is_saved_yet(alice: Terminal) -> None:
    ran = alice.does("repack legal --error 1e-4 --gate positive")

    assert ran.out.splitlines()[0].split("  ")[0] == "NAME"
    assert "nothing is saved yet: the exact versions stay" in ran.err


def test_people_are_told_what_is_behind_now(alice: Terminal) -> None:
    ran = alice.does("repack legal --lossy 0.5 --gate positive")

    assert "behind now (mgit cascade plan): tax\n" in ran.out


def test_people_are_told_that_nothing_is_selected(alice: Terminal) -> None:
    ran = alice.does("repack tag:nope --lossy 0.5 --gate positive")

    assert ran.out == "nothing is selected\n"


def test_a_largest_error_is_not_told_as_more_than_what_was_given(alice: Terminal) -> None:
    ran = alice.does("repack legal --error 1.25e-5 --gate positive")

    assert 1.2e-5 < float(ran.out.splitlines()[1].split()[-3]) <= 1.25e-5


def test_a_gate_that_is_not_passed_exits_with_1(alice: Terminal) -> None:
    before = alice.does("show legal --json").document

    ran = alice.run("repack legal --lossy 0.5 --gate huge")

    assert ran.exit_code == 1
    assert "not passed: no name moved" in ran.out
    assert alice.does("show legal --json").document == before


@pytest.mark.parametrize(
    "words",
    [
        "--fast --max",
        "--lossy 0.5 --error 1e-4 --gate positive",
        "--lossy 0.5 --dry-run --gate positive",
        "--gate positive",
        "--executor inline",
        "--fast --lossy 0.5 --gate positive",
        "--lossy 0.5",
        "--lossy 0 --gate positive",
    ],
)
def test_words_that_make_no_sense_together_are_refused(alice: Terminal, words: str) -> None:
    ran = alice.run(f"repack {words}")

    assert ran.exit_code == 2
    assert json.loads(alice.run(f"repack {words} --json").err)["schema"] == "mgit.error/v1"


def test_what_does_not_go_with_a_loss_is_named(alice: Terminal) -> None:
    ran = alice.run("repack --lossy 0.5 --dry-run --gate positive")

    assert "--dry-run does not go with --lossy or --error" in ran.err
