"""Jobs and outcomes as lines of JSON, between processes.

A worker runs code of others, so what it says is checked here.
"""

import contextlib
import json
from dataclasses import asdict
from typing import assert_never

from mgit.execution.port import Done, Finished, Job, Lost, LostReason, Outcome, Raised

# An outcome is a digest, some scores, a traceback; a worker must not fill the driver's memory.
MAX_BYTES = 64 << 20


def job_text(job: Job) -> str:
    """Returns a job as text, in one line."""
    return json.dumps(asdict(job))


def job_from(text: str | bytes) -> Job:
    """Returns the job that a text describes; for text of our own."""
    return Job(**json.loads(text))


def done_text(done: Done) -> str:
    """Returns what ended as text, in one line."""
    return json.dumps([done.job, _fields(done.outcome), done.duration_s])


def done_from(text: str | bytes) -> Done:
    """Returns what ended.

    Raises:
        ValueError: The text does not say so, or is too long.
    """
    if len(text) > MAX_BYTES:
        raise ValueError(f"answered with more than {MAX_BYTES >> 20} MiB")
    with contextlib.suppress(ValueError, RecursionError):
        match json.loads(text):
            case [str(job), ["finished", str(result)], float(duration_s)]:
                return Done(job, Finished(result), duration_s)
            case [str(job), ["raised", str(e), str(m), str(h), str(t)], float(duration_s)]:
                return Done(job, Raised(e, m, h, t), duration_s)
            case [str(job), ["lost", str(reason), str(detail)], float(duration_s)]:
                return Done(job, Lost(LostReason(reason), detail), duration_s)
            case _:
                pass
    raise ValueError(f"answered with what is no outcome: {text[:100]!r}")


def _fields(outcome: Outcome) -> list[str]:
    match outcome:
        case Finished(result):
            return ["finished", result]
        case Raised(error, message, hint, trace):
            return ["raised", error, message, hint, trace]
        case Lost(reason, detail):
            return ["lost", reason.value, detail]
        case _:
            assert_never(outcome)
