"""One run of a check on one model: as a job, in a worker, and what came of it."""

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from mgit.building import (
    Failure,
    call_of,
    context_in,
    disk_errors,
    failure_of,
    find_data,
    function_in,
    keyless,
    options_for,
    scratch,
)
from mgit.checks.known import code_key
from mgit.checks.registering import Registered
from mgit.checks.returned import measured_from
from mgit.checks.scores import Measured, from_json, to_json
from mgit.checks.subjects import Weighed
from mgit.digest import Digest
from mgit.errors import AbsentError, TrustError
from mgit.execution import Done, Finished, Job
from mgit.loading import LoadedModel
from mgit.objects import Code
from mgit.repository import Presence, Repository, parts_of, presence_of
from mgit.source import Source

_RUN = "mgit.checks.measuring:run"


@dataclass(frozen=True, slots=True)
class Measurement:
    """A check that is to be run on a model.

    Attributes:
        code: What runs.
        source: Its source; None for a check of mgit.
        model: The model.
        content: Its content id.
    """

    code: Code
    source: Source | None
    model: Weighed
    content: Digest

    @property
    def id(self) -> str:
        """What its job is called."""
        return id_of(self.code, self.content)


def id_of(code: Code, content: Digest) -> str:
    """Returns what the job is called that runs this code on this model."""
    return f"check-{code_key(code).hex()[:24]}-{content.hex()[:24]}"


def measurement(repository: Repository, check: Registered, model: Weighed) -> Measurement:
    """Returns the run of a check on a model.

    Raises:
        TrustError: This person has not trusted its code.
        AbsentError: Its source, or the model, is not here.
    """
    if model.content is None:
        raise AbsentError(
            f"{model.title} is not here", hint=f"mgit fetch, or: mgit backfill {model.title}"
        )
    if presence_of(repository, model.manifest) is not Presence.COMPLETE:
        raise AbsentError(
            f"the weights of {model.title} are not here, or damaged",
            hint=f"mgit backfill {model.title}; mgit fsck says what is damaged",
        )
    if check.check.code.source is None:
        return Measurement(check.check.code, None, model, model.content)
    if check.source is None:
        raise AbsentError(f"the source of the check {check.name} is not here", hint="mgit fetch")
    if not repository.home.trusts_code(check.source.verbatim):
        raise TrustError(
            f"the check {check.name} is code that you have not trusted",
            hint=f"read it, then: mgit trust code --check {check.name}",
        )
    return Measurement(check.check.code, check.source, model, model.content)


def job_of(repository: Repository, measured: Measurement, *, timeout_s: float | None = None) -> Job:
    """Returns the job that runs a check; AbsentError where its data are not here."""
    folder, code = repository.folder / "work", measured.code
    data = find_data(repository, code.data)
    described = {
        **call_of(repository, code, measured.source, data),
        "manifest": measured.model.manifest.hex(),
        "threads": 1,
        "work": str(scratch(repository) / measured.id),
    }
    log = folder / "logs" / f"{measured.id}.log"
    return Job(measured.id, _RUN, json.dumps(described), str(log), timeout_s=timeout_s)


def run(argument: str) -> str:
    """Runs a check; called by a worker.

    Args:
        argument: What ``job_of`` wrote.

    Returns:
        JSON of what was measured: ``scores.to_json``.

    Raises:
        MachineError: The disk refused something.
        Exception: Whatever the check raises.
    """
    asked = json.loads(argument)
    repository = Repository.at(Path(asked["repository"]), keyless(Path(asked["cache"])))
    manifest = Digest.from_text(asked["manifest"])
    with disk_errors(), ExitStack() as opened:
        function = opened.enter_context(function_in(asked))
        context = opened.enter_context(context_in(asked))
        model = opened.enter_context(
            LoadedModel(repository, manifest, parts_of(repository, manifest))
        )
        returned = function(model, **options_for(function, asked, context))
        return json.dumps(to_json(measured_from(returned)))


def measured_in(done: Done) -> Measured | Failure:
    """Returns what a job measured, or why it did not."""
    if isinstance(done.outcome, Finished):
        return from_json(json.loads(done.outcome.result))
    return failure_of(done)
