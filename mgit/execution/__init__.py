"""Where work runs: in this process, in processes of this machine, or on Ray.

The driver is the process that submits jobs; a worker is where a job runs. An executor decides
nothing: what a job is, whether it is tried again and what its result is worth is known above.
Weights never pass through here, and no key ever enters a worker process.

**Nothing is left.** Every process that an executor starts is ended with it, whether the executor is
closed, or the driver is killed, by signal 9 too: a guard sees to it (``guard``).

**Nothing is printed.** What a job prints goes to its log, what workers and Ray print besides goes
to ``executor.log`` in the executor's folder.
"""

from mgit.execution.opening import open_executor, require_executor
from mgit.execution.port import (
    Done,
    Executor,
    Finished,
    Job,
    Lost,
    LostReason,
    Outcome,
    Raised,
)

__all__ = [
    "Done",
    "Executor",
    "Finished",
    "Job",
    "Lost",
    "LostReason",
    "Outcome",
    "Raised",
    "open_executor",
    "require_executor",
]
