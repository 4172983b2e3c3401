"""A person with tiny models that recipes of their own folder made, and a cascade to run on them.

Every recipe notes each of its runs in a file outside of everything, and does what the file of its
model in the folder ``moods`` says: so it can misbehave later without another source.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgit.adding import add
from mgit.cascade import Publish
from mgit.cascade.outcomes import Cascade
from mgit.cascade.planning import Wishes, plan_cascade
from mgit.cascade.running import Means, run_cascade
from mgit.checks.registering import CheckRequest, add_check
from mgit.digest import Digest
from mgit.selection import Selection
from tests.building.projects import Maker, maker
from tests.family import write_checkpoint

RECIPES = """
import os
import signal
import time
from pathlib import Path


def noted(place, called):
    with open(place + "/runs", "a") as file:
        file.write(called + "\\n")
    file = Path(place, "moods", called)
    mood = file.read_text() if file.exists() else ""
    if mood.startswith("once "):
        file.unlink()
    return mood.removeprefix("once ")


def behave(mood, tensors, place):
    match mood:
        case "raises":
            raise ValueError("no such luck")
        case "hangs":
            Path(place, "hanging").write_text(str(os.getpid()))
            time.sleep(600)
        case "is killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "has no memory":
            raise MemoryError("the whole of it")
        case "fills the disk":
            with open("/dev/full", "w") as file:
                file.write("much")
        case "makes NaN":
            return {n: a * np.float32("nan") for n, a in tensors.items()}
        case "makes other shapes":
            return {n: a[:1] for n, a in tensors.items()}
        case "waits":
            Path(place, "starting").write_text(str(os.getpid()))
            Path(place, "starting").rename(place + "/waiting")
            while not Path(place, "go on").exists():
                time.sleep(0.01)
    return tensors


def mixed(parents, by):
    models = [model.arrays() for model in parents.values()]
    return {n: sum(m[n] for m in models) / np.float32(2) + np.float32(by) for n in models[0]}


@mgit.recipe(operation="finetune")
def tune(parents, *, place, called, by=1.0):
    mood = noted(place, called)
    return behave(mood, mixed(parents, by), place)


@mgit.recipe
def constant(parents, *, place, called):
    mood = noted(place, called)
    return {n: np.ones_like(a) for n, a in behave(mood, parents["base"].arrays(), place).items()}


@mgit.recipe
def pair(parents, *, place, called, apart=1):
    mood = noted(place, called)
    tensors = behave(mood, parents["base"].arrays(), place)
    added = {"a": 1, "b": 1 + apart}
    return {output: {n: t + by for n, t in tensors.items()} for output, by in added.items()}
"""
CHECK = """
import os
import signal
from pathlib import Path


@mgit.check(on="base", gates=[mgit.at_least("score", 0.5)])
def score(model, *, place, trouble=""):
    with open(place + "/checked", "a") as file:
        file.write("check\\n")
    file = Path(place, "moods", "score")
    mood = file.read_text() if file.exists() else ""
    if mood.startswith("once "):
        file.unlink()
    match mood.removeprefix("once "):
        case "is killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "has no memory":
            raise MemoryError("the whole of it")
        case "fills the disk":
            with open("/dev/full", "w") as file:
                file.write("much")
        case "raises":
            raise ValueError("cannot measure")
    return {"score": float(model.arrays()["first"][0] < 100)}
"""


@dataclass(frozen=True)
class Workshop(Maker):
    """A person who keeps a family up to date."""

    @property
    def place(self) -> Path:
        """Where recipes leave traces, and read how to behave."""
        return self.project.parent / "place"

    def tuned(self, name: str, *parents: str, recipe: str = "tune", **more: Any) -> Digest:
        """Makes a model, from base unless other parents are said."""
        arguments = {"place": str(self.place), "called": name, **more}
        return self.build(name, f"train:{recipe}", *parents, arguments=arguments).node

    def pair(self, first: str, second: str, **more: Any) -> None:
        arguments = {"place": str(self.place), "called": "pair", **more}
        self.build({"a": first, "b": second}, "train:pair", arguments=arguments)

    def new(self, name: str = "base", first: float = 8.0, note: str = "") -> Digest:
        """Adds a version of a model as it is."""
        tensors = {"first": [first, -1.0, 2.0, 4.0], "second": [1.0, 2.0, 3.0, 4.0]}
        source = write_checkpoint(self.project.parent / f"new {name}", tensors, note)
        return add(self.repository, source, name).node

    def mood(self, name: str, mood: str = "") -> None:
        """Says what the recipe of a model does from now on; empty: what it should."""
        file = self.place / "moods" / name
        file.write_text(mood) if mood else file.unlink(missing_ok=True)

    def runs(self) -> list[str]:
        """Whose recipes ran since this was asked last."""
        return self._taken("runs")

    def checked(self) -> int:
        """How often a check ran since this was asked last."""
        return len(self._taken("checked"))

    def _taken(self, trace: str) -> list[str]:
        file = self.place / trace
        found = file.read_text().split() if file.exists() else []
        file.unlink(missing_ok=True)
        return found

    def check(self, name: str, on: str, **more: Any) -> None:
        self.write(CHECK, "tasks.py")
        arguments = {"place": str(self.place)}
        request = CheckRequest(
            "tasks:score", name, on, arguments=arguments, roots=(self.project,), **more
        )
        add_check(self.repository, request)

    def wishes(self, **wishes: Any) -> Wishes:
        return Wishes(**{"roots": (self.project,), **wishes})

    def plan(self, **wishes: Any) -> dict[str, str]:
        """Title -> what would become of it."""
        plan = plan_cascade(self.repository, self.wishes(**wishes))
        return {step.title: step.action.value for step in plan.steps}

    def cascade(
        self,
        executor: str = "inline",
        *,
        publish: str = "closed",
        timeout_s: float | None = None,
        jobs: int = 1,
        fail_fast: bool = False,
        **wishes: Any,
    ) -> Cascade:
        means = Means(
            executor=executor,
            jobs=jobs,
            publish=Publish(publish),
            timeout_s=timeout_s,
            is_fail_fast=fail_fast,
        )
        return run_cascade(self.repository, self.wishes(**wishes), means)

    def id(self, selector: str) -> Digest:
        return Selection(self.repository, self.repository.history()).one(selector)

    def first(self, selector: str) -> float:
        """The first number of a model: enough to tell what it was made from."""
        return float(self.values(selector)["first"][0])

    def made_from(self, name: str) -> dict[str, Digest]:
        """Role -> parent of the current version."""
        node = self.repository.history().nodes[self.id(name)]
        return {edge.role: edge.parent for edge in node.edges if edge.role}

    def names(self) -> dict[str, frozenset[Digest]]:
        found = self.repository.history().names
        return {name: found.resolve(name) for name in found.names()}

    def entries(self) -> int:
        return len(self.repository.history().ledger.entries)


def workshop(root: Path, *families: str) -> Workshop:
    """A person with base, and a tuned model for each ``name <- parent, role=parent``."""
    made = maker(root)
    found = Workshop(made.repository, made.project)
    (found.place / "moods").mkdir(parents=True)
    found.write(RECIPES)
    for line in families:
        name, _, parents = line.partition(" <- ")
        cited = [parent.strip() for parent in parents.split(",") if parent]
        found.tuned(name, *(_as_role(parent) for parent in cited))
    found.runs()
    return found


def _as_role(cited: str) -> str:
    role, _, parent = cited.rpartition("=")
    return f"{parent}={role}" if role else parent


def states(cascade: Cascade) -> dict[str, str]:
    """Title -> how far it got."""
    return {outcome.step.title: outcome.state.value for outcome in cascade.outcomes}


def reason(cascade: Cascade, title: str) -> str:
    return next(o.reason for o in cascade.outcomes if o.step.title == title)
