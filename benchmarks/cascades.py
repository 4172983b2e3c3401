"""What a cascade costs besides the recipes: 13 models below one, two at a time, and all known.

base -> 3 children -> 9 grandchildren      each recipe sleeps, and changes one tensor
"""

from collections.abc import Iterator
from pathlib import Path

from measuring import Row, seconds, shown
from tiny_model import write_tiny

from mgit import adding, editing
from mgit.building import Request, build
from mgit.cascade.running import Means, run_cascade
from mgit.repository import Home, Repository

SLEEP_S, BRANCHES = 0.2, 3
RECIPE = f"""
import time

import mgit


@mgit.recipe
def nudge(parents, *, by):
    time.sleep({SLEEP_S})
    arrays = dict(parents["base"].arrays())
    return {{n: a + a.dtype.type(by) if a.ndim == 2 else a for n, a in arrays.items()}}
"""


def measure(root: Path) -> Iterator[Row]:
    """Yields the time of one cascade under each executor, and of one of which all is known."""
    repository = _family(root)
    steps = BRANCHES + BRANCHES**2
    ideal = steps * SLEEP_S / 2
    for turn, executor in enumerate(("process", "ray"), start=1):
        _change_base(root, repository, turn)
        taken = seconds(lambda e=executor: run_cascade(repository, None, Means(e, jobs=2)))
        yield Row(
            f"cascade of {steps} recipes of {SLEEP_S} s, 2 at once, {executor}, cold",
            shown(taken),
            f"the sleeps alone: {shown(ideal)}",
            f"{taken / ideal:.2f}",
        )
    editing.undo(repository)
    taken = seconds(lambda: run_cascade(repository))
    yield Row(f"the same {steps} steps, all known, published again", shown(taken))
    yield Row("a run with nothing to do", shown(seconds(lambda: run_cascade(repository), 3)))


def _family(root: Path) -> Repository:
    project = root / "cascade-project"
    project.mkdir()
    (project / "steps.py").write_text(RECIPE)
    home = Home(root / "c-home", root / "c-cache")
    repository = editing.init(root / "cascade", home, label="alice")
    _change_base(root, repository, 0)
    for branch in range(BRANCHES):
        _build(repository, project, f"child-{branch}", "base", branch + 1)
        for leaf in range(BRANCHES):
            _build(repository, project, f"leaf-{branch}-{leaf}", f"child-{branch}", leaf + 1)
    return repository


def _build(repository: Repository, project: Path, name: str, parent: str, by: int) -> None:
    request = Request("steps:nudge", [parent], {"by": by / 1000}, roots=[project])
    build(repository, name, request, executor="inline")


def _change_base(root: Path, repository: Repository, seed: int) -> None:
    write_tiny(root / f"cascade-base-{seed}", seed=seed)
    adding.add(repository, root / f"cascade-base-{seed}", "base")
