"""Makes a node again from what is recorded of it, and says whether the same model comes out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mgit.building.again import recipe_of, work_again
from mgit.building.asking import parent_of
from mgit.building.data import given_data
from mgit.building.making import make
from mgit.building.nodes import Model, creation_of
from mgit.building.results import Made, Results
from mgit.building.work import Work
from mgit.digest import Digest
from mgit.errors import AbsentError, NotFoundError
from mgit.execution import open_executor
from mgit.objects import CREATION, EdgeKind
from mgit.provenance import Provenance
from mgit.repository import Repository, Step, record
from mgit.selection import Selection


@dataclass(frozen=True, slots=True)
class Reproduced:
    """What came of making a node again.

    Attributes:
        title: What it is called.
        node: Its id.
        recorded: Its content id.
        content: The content id that came out now.
        duration_s: How long the recipe ran.
        is_signed: Whether this person's key now vouches for it too.
    """

    title: str
    node: Digest
    recorded: Digest
    content: Digest
    duration_s: float
    is_signed: bool

    @property
    def is_equal(self) -> bool:
        """Whether the same model came out, bit for bit."""
        return self.content == self.recorded


def reproduce(
    repository: Repository,
    selector: str,
    *,
    executor: str = "process",
    timeout_s: float | None = None,
    data: Mapping[str, Path] | None = None,
) -> Reproduced:
    """Runs the recipe of a node on its recorded parents, whatever results are known.

    If the same content comes out, this person's key signs that it made the node too: others may
    then take this person's word for it.

    Args:
        repository: Where.
        selector: Which node.
        executor: Where it runs.
        timeout_s: Longest time it may take.
        data: Where data lie now, if they are no longer where they were; remembered.

    Raises:
        NotFoundError: The node has no recipe; or there are no such data.
        TrustError: Its code is not trusted.
        AbsentError: A parent, its weights, or data are not here.
        RunError: The recipe made nothing.
    """
    repository.check_writable()
    key = repository.identity().key.public
    history = repository.history()
    selection = Selection(repository, history)
    node = selection.one(selector)
    given_data(repository, data or {})
    work = _work(repository, selection, node, timeout_s)
    recorded = repository.content_of(history.nodes[node].manifest)
    with open_executor(executor, jobs=1, folder=repository.folder / "work") as opened:
        made = make(repository, work, Results(repository, history), opened)
    output = work.outputs[0]
    content = repository.content_of(made.manifests[output])
    is_signed = content == recorded and _sign(repository, (work, made), node, key)
    return Reproduced(selection.title(node), node, recorded, content, made.duration_s, is_signed)


def _work(
    repository: Repository, selection: Selection, node: Digest, timeout_s: float | None
) -> Work:
    history = selection.provenance.history
    recipe = recipe_of(history, node)
    if recipe is None:
        raise NotFoundError(f"{node.short} has no recipe: it was added as it is", hint="mgit ls")
    edges = [e for e in history.nodes[node].edges if e.kind is EdgeKind.PROVENANCE]
    for edge in edges:
        if edge.parent not in history.nodes:
            raise AbsentError(f"its parent {edge.parent.short} is not here", hint="mgit fetch")
    parents = [
        parent_of(repository, history, e.role, e.parent, title=selection.title(e.parent))
        for e in edges
    ]
    return work_again(
        repository, selection.provenance, {recipe.output: node}, parents, timeout_s=timeout_s
    )


def _sign(repository: Repository, run: tuple[Work, Made], node: Digest, key: bytes) -> bool:
    """Adds this person's own statement of how the node came about, unless there is one."""
    work, made = run
    with repository.writing():
        history = repository.history()
        claims = Provenance(history).about(node, CREATION)
        if any(claim.key == key for claim in claims):
            return True
        known = history.nodes[node]
        replaces = frozenset(known.parents(EdgeKind.VERSION))
        name = Selection(repository, history).title(node)
        model = Model(work.outputs[0], name, replaces, known.type)
        if made.manifests[model.output] != known.manifest:
            return False  # other documents or another layout: it is not this very node
        statement = creation_of(work, made, model, key, "reproduced")
        record(repository, history, Step(f"reproduce {name}", statements=[statement]))
    return True
