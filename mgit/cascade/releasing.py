"""What a cascade made becomes visible: nodes, statements, and one entry that moves all names."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mgit.building import Model, creation_of, node_of, recipe_of
from mgit.building.work import by_role
from mgit.cascade.closure import Publish, publishable, without_moved
from mgit.cascade.driving import Driver
from mgit.cascade.plan import Binding, Made, PlannedStep, Recorded
from mgit.cascade.states import GOOD, State
from mgit.checks.running import results_of
from mgit.digest import Digest
from mgit.objects import MetaObject, Node, Statement, digest_of
from mgit.repository import History, Step, record


@dataclass(frozen=True, slots=True)
class Released:
    """What was published.

    Attributes:
        nodes: Step -> the new node.
        names: Name -> the node that it points to now.
        moved: Names that somebody moved meanwhile.
    """

    nodes: Mapping[Digest, Digest]
    names: Mapping[str, Digest]
    moved: tuple[str, ...]


def release(driver: Driver, mode: Publish, run: str) -> Released:
    """Publishes what may be: all of it in one entry, or nothing.

    Args:
        driver: A run that is over.
        mode: How much is published if not everything could be made.
        run: What the run is called.
    """
    repository, plan = driver.repository, driver.plan
    steps = publishable(plan, driver.schedule.states, mode)
    if not steps:
        return Released({}, {}, ())
    with repository.writing():
        history = repository.history()
        key = repository.identity().key.public
        moved = _moved(driver, history, key)
        left = without_moved(plan, steps, moved)
        if mode is Publish.ALL and left != steps:
            left = ()
        drafts = _Drafts(driver, key, run)
        for step in left:
            drafts.add(step)
        names = {name: drafts.nodes[step.node] for step in left for name in step.names}
        if not names:  # what no name would point to is for something that is not published
            return Released({}, {}, moved)
        verb = f"cascade {run}: {' '.join(sorted(names))}"
        record(repository, history, Step(verb, names, drafts.objects, drafts.statements))
    return Released(drafts.nodes, names, moved)


def _moved(driver: Driver, history: History, key: bytes) -> tuple[str, ...]:
    """The names that no longer point to what was made again, or came out as it was."""
    states = driver.schedule.states
    good = [step for step in driver.plan.steps if states[step.node] in GOOD]
    planned = {name: step.node for step in good for name in step.names}
    return tuple(
        sorted(name for name, old in planned.items() if history.targets_for(key, name) != {old})
    )


class _Drafts:
    """Nodes of one publication, each after those that it was made from."""

    def __init__(self, driver: Driver, key: bytes, run: str) -> None:
        self._driver = driver
        self._key = key
        self._run = run
        self.nodes: dict[Digest, Digest] = {}
        self.objects: list[MetaObject] = []
        self.statements: list[Statement] = []

    def add(self, step: PlannedStep) -> None:
        driver = self._driver
        result = driver.results[step.group[0]]
        parents = [
            replace(driver.parent(binding), node=self._node(binding)) for binding in step.bindings
        ]
        work = replace(result.work, parents=by_role(parents))
        old = driver.history.nodes[step.node]
        recipe = recipe_of(driver.history, step.node)
        output = recipe.output if recipe else ""
        model = Model(output, step.name or step.title, frozenset({step.node}), old.type)
        node = node_of(work, result.made, model)
        self.nodes[step.node] = digest_of(node)
        self.objects += [work.recipe(output), node]
        self.statements.append(
            creation_of(work, result.made, model, self._key, f"cascade {self._run}")
        )
        self.statements += self._results(step, node)

    def _node(self, binding: Binding) -> Digest:
        match binding.new:
            case Recorded(node):
                return node
            case Made(step) if self._driver.schedule.states[step] is State.UNCHANGED:
                return step
            case Made(step):
                return self.nodes[step]

    def _results(self, step: PlannedStep, node: Node) -> list[Statement]:
        driver = self._driver
        tested = zip(driver.trials.get(step.node, ()), driver.rows.get(step.node, ()), strict=True)
        return [
            said
            for trial, row in tested
            for said in results_of(driver.bench, trial, row, digest_of(node))
        ]
