"""What was made from a model is made again when the model changes."""

from mgit.cascade.choices import KEPT, OBSTACLES, Action, Choices, Obstacle, Opaque
from mgit.cascade.closure import Publish, publishable, without_moved
from mgit.cascade.plan import Binding, Made, Plan, PlannedStep, Recorded, make_plan
from mgit.cascade.replacing import Unit, default_updates
from mgit.cascade.schedule import Schedule
from mgit.cascade.states import BAD, GOOD, UNDER_WAY, Blocked, Policy, Retry, State

__all__ = [
    "BAD",
    "GOOD",
    "KEPT",
    "OBSTACLES",
    "UNDER_WAY",
    "Action",
    "Binding",
    "Blocked",
    "Choices",
    "Made",
    "Obstacle",
    "Opaque",
    "Plan",
    "PlannedStep",
    "Policy",
    "Publish",
    "Recorded",
    "Retry",
    "Schedule",
    "State",
    "Unit",
    "default_updates",
    "make_plan",
    "publishable",
    "without_moved",
]
