"""A schedule that is told and read by label, over a small family.

a@1 ══ a@2
 └── b ──┬── c ──┐
         └── d ──┴── e          f (made from a@1, too)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from mgit.cascade import Blocked, Plan, Policy, Retry, Schedule, State
from mgit.digest import Digest
from tests.cascade.families import Family, family

FAMILY = family(
    *("a@1", "a@2", "b@1 <- a@1", "c@1 <- b@1", "d@1 <- b@1", "e@1 <- left=c@1, right=d@1"),
    "f@1 <- a@1",
)
HEADS = family(  # ner and qa are made together
    *("a@1", "a@2", "ner@1 <- a@1", "qa@1 <- a@1"),
    *("low-ner@1 <- ner@1", "low-qa@1 <- qa@1", "other@1 <- a@1"),
)

T = TypeVar("T")


@dataclass
class Run:
    """A schedule that is told and read by label."""

    family: Family
    schedule: Schedule

    def ready(self, limit: int | None = None) -> list[str]:
        units = self.schedule.ready(limit)
        return [" ".join(sorted(self.family.label(node)[:-2] for node in u)) for u in units]

    def start(self, *labels: str) -> None:
        for label in labels:
            self.schedule.started(self.family.id(label))

    def make(self, *labels: str) -> None:
        for label in labels:
            self.start(label)
            self.schedule.made(self.family.id(label))

    def finish(self, *labels: str) -> None:
        for label in labels:
            self.make(label)
            self.passed(label)

    def passed(self, *labels: str) -> None:
        for label in labels:
            self.schedule.passed(self.family.id(label))

    def unchanged(self, *labels: str) -> None:
        for label in labels:
            self.schedule.unchanged(self.family.id(label))

    def fail(self, label: str, state: State = State.FAILED, reason: str = "") -> set[str] | float:
        """What is blocked, or after how many seconds it is tried again."""
        match self.schedule.failed(self.family.id(label), state, reason):
            case Blocked(steps):
                return {self.family.label(node)[:-2] for node in steps}
            case Retry(delay_s):
                return delay_s

    def due(self, label: str) -> None:
        self.schedule.due(self.family.id(label))

    @property
    def states(self) -> dict[str, str]:
        states = self.schedule.states.items()
        return {self.family.label(node)[:-2]: state.value for node, state in states}

    def is_over(self) -> bool:
        return self.schedule.is_over

    def read(self, by_node: Mapping[Digest, T]) -> dict[str, T]:
        return {label[:-2]: by_node[n] for label, n in self.family.ids.items() if n in by_node}


def run(family: Family = FAMILY, plan: Plan | None = None, policy: Policy | None = None) -> Run:
    return Run(family, Schedule(plan or family.plan(), policy or Policy()))


def together(policy: Policy | None = None) -> Run:
    return run(HEADS, HEADS.plan(groups=["ner qa"]), policy)
