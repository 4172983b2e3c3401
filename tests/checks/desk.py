"""A person with tiny models, and checks of them that leave a trace of every run.

The items of a model are the numbers of its tensor ``w``: one above 0 is answered right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgit import sync
from mgit.canonical import Value
from mgit.checks import Report, Row
from mgit.checks.registering import CheckRequest, Registered, add_check
from mgit.checks.running import run_checks
from mgit.digest import Digest
from mgit.objects import Statement
from mgit.provenance import Provenance
from mgit.repository import Repository
from mgit.selection import Selection
from tests.family import Person, add

ANSWERS = """
import mgit


@mgit.check(on="base", gates=[mgit.at_least("accuracy", 0.5)])
def answers(model, *, runs, above=0.0):
    with open(runs, "a") as file:
        file.write("run\\n")
    return mgit.Samples([number > above for number in model.arrays()["w"].tolist()])
"""
GOOD, WORSE, BAD = [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, -1.0], [-1.0, -1.0, -1.0, -1.0]


@dataclass(frozen=True)
class Desk:
    """A repository, and a folder in which its person writes checks."""

    repository: Repository
    person: Person
    project: Path

    def write(self, text: str = ANSWERS, path: str = "tasks.py") -> None:
        (self.project / path).write_text(text)

    def model(self, name: str, items: Sequence[float] = GOOD, *parents: str, **more: Any) -> Digest:
        return add(self.repository, name, {"w": items}, *parents, **more)

    def register(
        self,
        function: str = "tasks:answers",
        *,
        arguments: Mapping[str, Value] | None = None,
        **more: Any,
    ) -> Registered:
        given: dict[str, Value] = {"runs": str(self.trace)} if arguments is None else {**arguments}
        request = CheckRequest(function, arguments=given, roots=(self.project,), **more)
        return add_check(self.repository, request)

    def test(self, selector: str = "", **more: Any) -> Report:
        return run_checks(self.repository, selector, **{"executor": "inline", **more})

    def row(self, selector: str = "", **more: Any) -> Row:
        (row,) = self.test(selector, **more).rows
        return row

    @property
    def trace(self) -> Path:
        return self.project.parent / f"runs of {self.person.name}"

    def runs(self) -> int:
        """How often checks ran since this was asked last."""
        if not self.trace.exists():
            return 0
        count = len(self.trace.read_text().splitlines())
        self.trace.unlink()
        return count

    def node(self, selector: str) -> Digest:
        return Selection(self.repository, self.repository.history()).one(selector)

    def claims(self, selector: str, predicate_type: str) -> list[Statement]:
        provenance = Provenance(self.repository.history())
        return [c.statement for c in provenance.about(self.node(selector), predicate_type)]

    def entries(self) -> int:
        """How many steps anybody has signed here."""
        return len(self.repository.history().ledger.entries)

    def pull(self, other: "Desk") -> None:
        sync.pull(self.repository, str(other.repository.folder.parent))


def desk(root: Path, name: str = "alice") -> Desk:
    """A person with a check that is written, and a model: base."""
    person = Person(name, root)
    found = Desk(person.init(), person, _project(root, name))
    found.write()
    found.model("base")
    return found


def joined(root: Path, name: str, at: Desk) -> Desk:
    """Another person with a clone, and a folder for checks."""
    person = Person(name, root)
    repository = person.clone(str(at.repository.folder.parent))
    found = Desk(repository, person, _project(root, name))
    found.write()
    return found


def _project(root: Path, name: str) -> Path:
    project = root / f"project of {name}"
    project.mkdir()
    return project
