"""What a cascade came to, as values: for the report, the journal and the publication."""

from collections.abc import Mapping
from dataclasses import dataclass

from mgit.building import Made, Work
from mgit.cascade.plan import Plan, PlannedStep
from mgit.cascade.states import BAD, State
from mgit.checks import Row
from mgit.digest import Digest

_BAD = BAD | {State.MANUAL, State.UNTRUSTED, State.CHANGED, State.ABSENT, State.BLOCKED}


@dataclass(frozen=True, slots=True)
class Result:
    """A unit that was made: how, and what came out.

    Attributes:
        work: What ran.
        made: What it made.
        is_known: It did not run: the result was known.
    """

    work: Work
    made: Made
    is_known: bool


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What became of one step.

    Attributes:
        step: The step.
        state: How far it got.
        reason: Why it got no further; or why it was to be made.
        content: Content id of what was made; None where nothing was.
        is_known: It did not run: the result was known.
        duration_s: How long its recipe ran, when it ran.
        rows: What its checks said.
        published: The node that its names point to now; None: nothing was published.
    """

    step: PlannedStep
    state: State
    reason: str
    content: Digest | None = None
    is_known: bool = False
    duration_s: float = 0.0
    rows: tuple[Row, ...] = ()
    published: Digest | None = None


@dataclass(frozen=True, slots=True)
class Cascade:
    """What a cascade came to.

    Attributes:
        run: What it is called.
        plan: What was planned.
        outcomes: What became of each step, in the order of the plan.
        published: Name -> node that it points to now.
        moved: Names that somebody moved meanwhile: nothing that rests on them was published.
        jobs: How many recipes and checks ran.
    """

    run: str
    plan: Plan
    outcomes: tuple[StepOutcome, ...]
    published: Mapping[str, Digest]
    moved: tuple[str, ...]
    jobs: int

    @property
    def is_stopped_by_machine(self) -> bool:
        """Whether something could not be made or tested only because of this machine."""
        return any(outcome.state is State.MACHINE for outcome in self.outcomes)

    @property
    def is_ok(self) -> bool:
        """Whether everything that was to be made was made, or is as it was."""
        return not any(outcome.state in _BAD for outcome in self.outcomes)
