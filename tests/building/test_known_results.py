"""What was made before is not made again; what would be something else is.

The recipe notes each of its runs in a file outside of everything.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mgit import editing, sync
from mgit.building import Built, reproduce
from mgit.objects import CHUNK, Ref
from mgit.repository import Repository
from tests.building.projects import Maker, maker
from tests.checkpoints import parts_of, place_of, spoil
from tests.family import Person

COUNTED = """
from steps import step


@mgit.recipe(level={level!r})
def tune(parents, *, by=1.0, seed):
    with open({runs!r}, "a") as file:
        file.write("run ")
    return {{n: step(a, by) + np.float32(seed) for n, a in parents["base"].arrays().items()}}
"""
STEP = "\ndef step(array, by):\n    return array + np.float32(by)\n"


class Counted:
    """A maker whose recipe counts."""

    def __init__(self, root: Path, level: str = "bitwise") -> None:
        self.file = root / "runs"
        self.maker = maker(root)
        self.maker.write(STEP, "steps.py")
        self.maker.write(COUNTED.format(runs=str(self.file), level=level))

    @property
    def runs(self) -> int:
        return len(self.file.read_text().split()) if self.file.exists() else 0

    def edit(self, old: str, new: str, path: str = "train.py") -> None:
        file = self.maker.project / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))


@pytest.fixture
def counted(tmp_path: Path) -> Counted:
    return Counted(tmp_path)


def test_the_same_call_runs_once(counted: Counted) -> None:
    first = counted.maker.tune()

    again = counted.maker.tune()

    assert counted.runs == 1
    assert (first.is_new, first.is_known) == (True, False)
    assert (again.is_new, again.is_known) == (False, True)
    assert again.node == first.node


def comment(c: Counted) -> Built:
    c.edit("@mgit.recipe", "# a comment\n@mgit.recipe")
    return c.maker.tune()


def docstring(c: Counted) -> Built:
    c.edit("seed):\n", 'seed):\n    """Says what it does."""\n')
    return c.maker.tune()


def comment_in_a_helper(c: Counted) -> Built:
    c.edit("np.float32(by)", "np.float32(by)  # narrow", "steps.py")
    return c.maker.tune()


def renamed_parent(c: Counted) -> Built:
    editing.rename(c.maker.repository, "base", "origin")
    return c.maker.build("tuned", "train:tune", "origin")


def other_name(c: Counted) -> Built:
    return c.maker.build("another")


def default_that_is_said(c: Counted) -> Built:
    return c.maker.build(arguments={"by": 1.0}, seed=0)


@pytest.mark.parametrize(
    "change",
    [
        comment,
        docstring,
        comment_in_a_helper,
        renamed_parent,
        other_name,
        default_that_is_said,
    ],
)
def test_what_changes_nothing_does_not_run(
    counted: Counted, change: Callable[[Counted], Built]
) -> None:
    first = counted.maker.tune()

    again = change(counted)

    assert again.is_known
    assert counted.runs == 1
    assert again.content == first.content


def argument(c: Counted) -> Built:
    return c.maker.tune(by=2.0)


def other_type_of_argument(c: Counted) -> Built:
    return c.maker.tune(by=1)


def seed(c: Counted) -> Built:
    return c.maker.build(seed=1)


def code(c: Counted) -> Built:
    c.edit('"run "', '"ran "')
    return c.maker.tune()


def helper(c: Counted) -> Built:
    c.edit("np.float32(by)", "np.float64(by)", "steps.py")
    return c.maker.tune()


def level(c: Counted) -> Built:
    c.edit("'bitwise'", "'tolerant'")
    return c.maker.tune()


def parent(c: Counted) -> Built:
    c.maker.add("base", {"first": np.ones(4, np.float32)})
    return c.maker.tune()


def role(c: Counted) -> Built:
    return c.maker.build("tuned", "train:tune", "base", "base=teacher")


def threads(c: Counted) -> Built:
    return c.maker.build(threads=2)


@pytest.mark.parametrize(
    "change",
    [argument, other_type_of_argument, seed, code, helper, level, parent, role, threads],
)
def test_what_may_change_the_result_runs_again(
    counted: Counted, change: Callable[[Counted], Built]
) -> None:
    counted.maker.tune()

    again = change(counted)

    assert not again.is_known
    assert counted.runs == 2


@pytest.mark.parametrize("found", ["tolerant", "stochastic"])
def test_threads_do_not_matter_where_bits_are_not_promised(tmp_path: Path, found: str) -> None:
    counted = Counted(tmp_path, found)
    counted.maker.tune()

    again = counted.maker.build(threads=2)

    assert again.is_known
    assert counted.runs == 1


def test_a_change_that_is_taken_back_runs_nothing(counted: Counted) -> None:
    first = counted.maker.tune()
    counted.maker.tune(by=2.0)

    back = counted.maker.tune()

    assert back.is_known
    assert back.is_new
    assert back.content == first.content
    assert counted.runs == 2


def test_a_result_is_known_after_its_name_is_gone(counted: Counted) -> None:
    first = counted.maker.tune()
    editing.remove(counted.maker.repository, "tuned")

    again = counted.maker.tune()

    assert again.is_known
    assert again.content == first.content


def test_a_damaged_result_is_made_again(counted: Counted) -> None:
    first = counted.maker.tune()
    repository = counted.maker.repository
    chunk = next(iter(parts_of(repository, "tuned").chunks()))
    packs = {path: path.read_bytes() for path in (repository.folder / "packs").iterdir()}
    spoil(repository, place_of(repository, Ref(CHUNK, chunk)))
    assert packs != {path: path.read_bytes() for path in (repository.folder / "packs").iterdir()}
    assert not counted.maker.is_sound()

    again = counted.maker.tune()

    assert counted.runs == 2
    assert not again.is_known
    assert again.content == first.content
    assert counted.maker.values("tuned")


def test_a_result_whose_pack_is_gone_is_made_again(counted: Counted) -> None:
    first = counted.maker.tune()
    repository = counted.maker.repository
    chunk = next(iter(parts_of(repository, "tuned").chunks()))
    repository.store.path_of(place_of(repository, Ref(CHUNK, chunk)).pack).unlink()
    fresh = Maker(Repository.open(repository.folder, repository.home), counted.maker.project)

    again = fresh.tune()

    assert counted.runs == 2
    assert not again.is_known
    assert again.content == first.content
    assert fresh.values("tuned")


def test_what_a_trusted_key_made_is_known_here(counted: Counted, tmp_path: Path) -> None:
    counted.maker.tune()
    alice = counted.maker.repository
    theirs = Person("bob", tmp_path).clone(str(alice.folder.parent), "bob")
    bob = Maker(theirs, counted.maker.project)

    built = bob.build("mine")

    assert built.is_known
    assert built.is_aside
    assert counted.runs == 1


def test_what_a_key_without_role_made_is_not_known_here(counted: Counted, tmp_path: Path) -> None:
    alice = counted.maker.repository
    theirs = Person("mallory", tmp_path).clone(str(alice.folder.parent), "mallory")
    Maker(theirs, counted.maker.project).tune()
    sync.add_remote(alice, "mallory", str(tmp_path / "mallory"))
    sync.fetch(alice, "mallory")
    assert len(alice.history().nodes) == 2

    built = counted.maker.tune()

    assert not built.is_known
    assert counted.runs == 2


def test_reproducing_runs_whatever_is_known(counted: Counted) -> None:
    counted.maker.tune()

    found = reproduce(counted.maker.repository, "tuned", executor="inline")

    assert found.is_equal
    assert counted.runs == 2


def test_one_run_that_failed_is_not_remembered(counted: Counted) -> None:
    counted.edit("return {", "if not hasattr(np, 'mended'): raise ValueError\n    return {")
    with pytest.raises(Exception, match="ValueError"):
        counted.maker.tune()
    np.mended = True  # type: ignore[attr-defined]

    try:
        built = counted.maker.tune()
    finally:
        del np.mended  # type: ignore[attr-defined]

    assert not built.is_known
    assert counted.runs == 2
