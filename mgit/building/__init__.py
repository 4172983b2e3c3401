"""Models made by recipes: run, stored, signed; and made again to see whether the same comes out."""

from mgit.building.again import (
    is_changed_on_disk,
    recipe_of,
    sources_of,
    trusted_source,
    work_again,
)
from mgit.building.asking import Function, Request, code_of, find_function, parent_of
from mgit.building.calling import (
    Context,
    call_of,
    context_in,
    disk_errors,
    function_in,
    keyless,
    options_for,
    scratch,
)
from mgit.building.data import find_data
from mgit.building.making import Failure, FailureKind, failure_of, result_of
from mgit.building.nodes import Model, creation_of, node_of
from mgit.building.publishing import Built, Words, build
from mgit.building.reading import Code, code_of_node
from mgit.building.reproducing import Reproduced, reproduce
from mgit.building.results import Made, Results
from mgit.building.work import BASE, Parent, Work
from mgit.building.working import job_of

__all__ = [
    "BASE",
    "Built",
    "Code",
    "Context",
    "Failure",
    "FailureKind",
    "Function",
    "Made",
    "Model",
    "Parent",
    "Reproduced",
    "Request",
    "Results",
    "Words",
    "Work",
    "build",
    "call_of",
    "code_of",
    "code_of_node",
    "context_in",
    "creation_of",
    "disk_errors",
    "failure_of",
    "find_data",
    "find_function",
    "function_in",
    "is_changed_on_disk",
    "job_of",
    "keyless",
    "node_of",
    "options_for",
    "parent_of",
    "recipe_of",
    "reproduce",
    "result_of",
    "scratch",
    "sources_of",
    "trusted_source",
    "work_again",
]
