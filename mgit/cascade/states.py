"""How far a step is, and what follows from a failure, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from mgit.digest import Digest


class State(Enum):
    """How far a step is."""

    WAITING = "waiting"
    RUNNING = "running"
    TESTING = "testing"
    DONE = "done"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    CRASHED = "crashed"
    MACHINE = "could not run here"
    TEST_FAILED = "test failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    PINNED = "pinned"
    STOPPED = "stopped"
    MANUAL = "manual"
    UNTRUSTED = "untrusted"
    CHANGED = "changed"
    ABSENT = "absent"
    BLOCKED = "blocked"


UNDER_WAY = frozenset({State.RUNNING, State.TESTING})
OPEN = UNDER_WAY | {State.WAITING}
GOOD = frozenset({State.DONE, State.UNCHANGED})
BAD = frozenset(
    {
        State.FAILED,
        State.TIMED_OUT,
        State.OUT_OF_MEMORY,
        State.CRASHED,
        State.MACHINE,
        State.TEST_FAILED,
        State.CANCELLED,
    }
)


def _retries() -> Mapping[State, int]:
    return MappingProxyType({State.CRASHED: 2, State.OUT_OF_MEMORY: 1})


@dataclass(frozen=True, slots=True)
class Policy:
    """What follows from a failure.

    Attributes:
        is_fail_fast: Nothing more is started after the first one.
        retries: How often a run, or the tests of one model, are tried again after ending so; what
            is not listed: never.
        delays_s: How long to wait before the first retry, the second …; then as the last.
            What ran out of memory is tried again at once, with nothing beside it.
    """

    is_fail_fast: bool = False
    retries: Mapping[State, int] = field(default_factory=_retries)
    delays_s: tuple[float, ...] = (1.0, 4.0)


@dataclass(frozen=True, slots=True)
class Retry:
    """It is tried again: tell `Schedule.due` after ``delay_s``, and it is ready."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Blocked:
    """It has failed for good, and these can no longer be made."""

    steps: frozenset[Digest]
