"""The plan of a cascade in a real repository: what is behind, and what stands in the way."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

from mgit.building import find_data, is_changed_on_disk, recipe_of, trusted_source
from mgit.building.data import given_data
from mgit.cascade.choices import Action, Choices, Obstacle, Opaque
from mgit.cascade.plan import Plan, PlannedStep, Recorded, make_plan
from mgit.cascade.replacing import default_updates
from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError, NotFoundError, TrustError
from mgit.objects import CREATION, Code, EdgeKind
from mgit.provenance import PINNED, Provenance
from mgit.repository import History, Repository, require_complete
from mgit.selection import Selection


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person wants of a cascade.

    Attributes:
        selector: Models whose new versions are followed; empty: all.
        skip: Selectors of models that keep their version; what is below them goes on.
        stop: Selectors of models at which it ends.
        opaque: What a model without a recipe means for what is below it.
        takes_latest: What is made again gets the newest version of every parent.
        is_recorded_source: What runs is what was recorded, though it was changed on disk.
        roots: Folders in which a person's modules lie.
        data: Where data lie now, if they are no longer where they were; remembered.
    """

    selector: str = ""
    skip: Sequence[str] = ()
    stop: Sequence[str] = ()
    opaque: Opaque = Opaque.STOP
    takes_latest: bool = False
    is_recorded_source: bool = False
    roots: Sequence[Path] = field(default=())
    data: Mapping[str, Path] = field(default_factory=dict)


def plan_cascade(repository: Repository, wishes: Wishes | None = None) -> Plan:
    """Returns what has to be made again, in order, and why; nothing runs.

    Args:
        repository: Where.
        wishes: What is wanted; None: all that is behind.

    Raises:
        UsageError: Models would each have to be made before the other.
        NotFoundError: There are no such data.
        MgitError: See ``Selection.nodes``.
    """
    return draw_up(repository, repository.history(), wishes or Wishes())


def draw_up(repository: Repository, history: History, wishes: Wishes) -> Plan:
    """Returns the plan for a history; see ``plan_cascade``."""
    given_data(repository, wishes.data)
    selection = Selection(repository, history)
    names = targets(history)
    chosen = selection.nodes(wishes.selector) if wishes.selector else None
    updates = default_updates(history.lineage, names, chosen)
    pinned = frozenset(n for n in names.values() if PINNED in selection.provenance.tags(n))
    choices = Choices(
        skip=_selected(selection, wishes.skip),
        stop=_selected(selection, wishes.stop),
        pinned=pinned,
        opaque=wishes.opaque,
        takes_latest=wishes.takes_latest,
        groups=_groups(history, names.values()),
        titles={node: selection.title(node) for node in history.nodes},
    )
    plan = make_plan(history.lineage, names, updates, choices)
    found = _Obstacles(repository, selection.provenance, wishes)
    obstacles = {step.node: obstacle for step in plan.steps if (obstacle := found.of(step))}
    estimates = _estimates(selection.provenance, plan)
    choices = replace(choices, obstacles=obstacles, estimates=estimates)
    return make_plan(history.lineage, names, updates, choices)


def targets(history: History) -> dict[str, Digest]:
    """Returns what every name points to that is not conflicted and whose node is here."""
    resolved = {name: history.names.resolve(name) for name in history.names.names()}
    here = history.nodes.keys()
    return {
        n: next(iter(found)) for n, found in resolved.items() if len(found) == 1 and found <= here
    }


def _selected(selection: Selection, texts: Iterable[str]) -> frozenset[Digest]:
    return frozenset().union(*(selection.nodes(text) for text in texts))


def _groups(history: History, nodes: Iterable[Digest]) -> Mapping[Digest, Hashable]:
    """What one run made together: the same code on the same parents, with other outputs."""
    groups: dict[Digest, Hashable] = {}
    for node in nodes:
        recipe = recipe_of(history, node)
        if recipe and recipe.output:
            edges = (e for e in history.nodes[node].edges if e.kind is EdgeKind.PROVENANCE)
            groups[node] = (str(recipe.code.value()), frozenset(edges))
    return groups


class _Obstacles:
    """What stands in the way of steps; parents, data and functions on disk are looked at once."""

    def __init__(self, repository: Repository, provenance: Provenance, wishes: Wishes) -> None:
        self._repository = repository
        self._provenance = provenance
        self._is_recorded_source = wishes.is_recorded_source
        self._require = cache(partial(_require, repository, provenance.history))
        self._find_data = cache(lambda data: find_data(repository, dict(data)))
        self._is_changed = cache(partial(is_changed_on_disk, roots=wishes.roots))

    def of(self, step: PlannedStep) -> Obstacle | None:
        recipe = recipe_of(self._provenance.history, step.node)
        try:
            trusted_source(self._repository, self._provenance, step.node, step.title)
            self._find_data(frozenset(recipe.code.data.items() if recipe else ()))
            for binding in step.bindings:
                if isinstance(binding.new, Recorded):
                    self._require(binding.new.node)
        except NotFoundError as error:
            is_absent = isinstance(error, AbsentError)
            return Obstacle(Action.ABSENT if is_absent else Action.MANUAL, str(error))
        except DamagedError as error:
            return Obstacle(Action.ABSENT, str(error))
        except TrustError as error:
            return Obstacle(Action.UNTRUSTED, f"{error}: {error.hint}")
        return self._changed(step, recipe.code) if recipe else None

    def _changed(self, step: PlannedStep, code: Code) -> Obstacle | None:
        if self._is_recorded_source or code.source is None:
            return None
        if not self._is_changed(code.function, code.source):
            return None
        reason = f"{code.function} on disk is not what was recorded: build {step.title} anew"
        return Obstacle(Action.CHANGED, f"{reason}, or run it as --recorded")


def _require(repository: Repository, history: History, node: Digest) -> None:
    if node not in history.nodes:
        raise AbsentError(f"the parent {node.short} is not here", hint="mgit fetch")
    require_complete(repository, node.short, node, history.nodes[node])


def _estimates(provenance: Provenance, plan: Plan) -> dict[Digest, float]:
    """How long it took the last time, as whoever made it says."""
    found: dict[Digest, float] = {}
    for step in plan.steps:
        for claim in provenance.about(step.node, CREATION):
            match claim.statement.predicate:
                case {
                    "buildDefinition": {
                        "internalParameters": {"duration_s": int() | float() as seconds}
                    }
                } if 0 <= seconds < 1e9:
                    found[step.node] = float(seconds)
                case _:
                    continue
    return found
