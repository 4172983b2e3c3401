"""What a cascade is told: what the caller wants, and the facts that are not in the graph."""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from mgit.digest import Digest


class Action(Enum):
    """What becomes of an affected model."""

    BUILD = "build"
    SKIP = "skip"
    STOP = "stop"
    PINNED = "pinned"
    MANUAL = "manual"
    UNTRUSTED = "untrusted"
    CHANGED = "changed"
    ABSENT = "absent"
    BLOCKED = "blocked"


KEPT = frozenset({Action.SKIP, Action.STOP, Action.PINNED})
OBSTACLES = frozenset({Action.MANUAL, Action.UNTRUSTED, Action.CHANGED, Action.ABSENT})


class Opaque(Enum):
    """What a model without a recipe means for what was made from it."""

    STOP = "stop"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a model cannot be made again here.

    Attributes:
        action: ``MANUAL``: it has no recipe. ``UNTRUSTED``: its code is not trusted. ``CHANGED``:
            its source is no longer what was recorded. ``ABSENT``: weights or data are not here.
        reason: The same for people, with the facts.
    """

    action: Action
    reason: str

    def __post_init__(self) -> None:
        if self.action not in OBSTACLES:
            raise ValueError(f"{self.action.value!r} is no obstacle")


@dataclass(frozen=True, slots=True)
class Choices:
    """What is wanted, and what is known.

    Whatever holds for one member of a group holds for all of them.

    Attributes:
        skip: Keep their version; what was made from an older version of them gets this one.
        stop: Keep their version, and are no reason to make anything again.
        pinned: The same, because somebody pinned them.
        obstacles: What cannot be made here, and why.
        opaque: ``KEEP``: what has no recipe is skipped instead of being an obstacle.
        takes_latest: What is made again gets the current version of every parent, not only of
            those in the cascade.
        groups: What one run of one recipe made together -> the same value for all of these.
        estimates: Seconds that making it takes, at least 0; for a group those of the one run.
        titles: How nodes are called; else their name, else their short id.
    """

    skip: Collection[Digest] = frozenset()
    stop: Collection[Digest] = frozenset()
    pinned: Collection[Digest] = frozenset()
    obstacles: Mapping[Digest, Obstacle] = field(default_factory=dict)
    opaque: Opaque = Opaque.STOP
    takes_latest: bool = False
    groups: Mapping[Digest, Hashable] = field(default_factory=dict)
    estimates: Mapping[Digest, float] = field(default_factory=dict)
    titles: Mapping[Digest, str] = field(default_factory=dict)
