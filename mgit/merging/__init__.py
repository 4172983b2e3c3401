"""Models out of models: a pure plan, then values."""

from mgit.merging.outcome import Clean, Conflict, NeedsTest, Outcome
from mgit.merging.plan import (
    ByKeys,
    Combined,
    Conflicted,
    FileDecision,
    Origin,
    Plan,
    Reason,
    Taken,
    TensorDecision,
)
from mgit.merging.three_way import Merge, merge

__all__ = [
    "ByKeys",
    "Clean",
    "Combined",
    "Conflict",
    "Conflicted",
    "FileDecision",
    "Merge",
    "NeedsTest",
    "Origin",
    "Outcome",
    "Plan",
    "Reason",
    "Taken",
    "TensorDecision",
    "merge",
]
