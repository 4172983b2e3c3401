"""One job, from its function's name to how it ended; what every worker does."""

import contextlib
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import cast

from mgit.errors import MgitError
from mgit.execution.port import Done, Finished, Job, Outcome, Raised
from mgit.execution.surroundings import prepared_for


def perform(job: Job) -> Done:
    """Runs a job in this process; whatever it raises is its outcome."""
    started = time.monotonic()
    try:
        with prepared_for(job):
            outcome = _outcome(job)
    except OSError as error:
        reason = f"the log of job {job.id!r} cannot be written: {error}"
        outcome = Raised("MachineError", reason, "look at the disk and at who owns the folder", "")
    return Done(job.id, outcome, time.monotonic() - started)


def _outcome(job: Job) -> Outcome:
    try:
        return Finished(_text(_function(job.function)(job.argument)))
    except BaseException as error:  # noqa: BLE001  # SystemExit too: the worker goes on
        return _raised(error)


def _function(name: str) -> Callable[[str], object]:
    module, _, function = name.partition(":")
    return cast("Callable[[str], object]", getattr(import_module(module), function))


def _text(result: object) -> str:
    if not isinstance(result, str):
        raise TypeError(f"the job returned {type(result).__name__}, not text")
    return result


def _raised(error: BaseException) -> Raised:
    if error.__traceback__:
        error.__traceback__ = error.__traceback__.tb_next  # the first frame is ours
    message = ""
    with contextlib.suppress(Exception):  # some exceptions cannot even be printed
        message = str(error)
    return Raised(
        error=type(error).__name__,
        message=message,
        hint=error.hint if isinstance(error, MgitError) else "",
        trace="".join(traceback.format_exception(error)),
    )
