"""A run of a recipe as a job: one text in, one text out, wherever an executor runs it.

Knows a repository by its folder and models by their digests. No key is within reach: what is made
here is signed by whoever asked for it, after looking at it.
"""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mgit.building.calling import (
    call_of,
    context_in,
    disk_errors,
    function_in,
    keyless,
    options_for,
    scratch,
)
from mgit.building.storing import Stored, store_result
from mgit.building.work import Work
from mgit.digest import Digest
from mgit.errors import RunError
from mgit.execution import Job
from mgit.loading import LoadedModel
from mgit.objects import digest_of
from mgit.repository import Presence, Repository, now, parts_of, presence_of

_RUN = "mgit.building.working:run"


def job_of(repository: Repository, work: Work, *, id: str, log: Path) -> Job:
    """Returns the job that runs ``work``."""
    described = {
        **call_of(repository, work.code, work.source, work.data),
        "parents": [[parent.role, parent.manifest.hex()] for parent in work.parents],
        "related": [manifest.hex() for manifest in work.related],
        "outputs": work.outputs,
        "threads": work.threads,
        "work": str(scratch(repository) / work.action.hex()),
    }
    return Job(
        id=id,
        function=_RUN,
        argument=json.dumps(described),
        log=str(log),
        threads=work.threads,
        timeout_s=work.timeout_s,
    )


def run(argument: str) -> str:
    """Runs a recipe and stores what it makes; called by a worker.

    Args:
        argument: What ``job_of`` wrote.

    Returns:
        JSON: for every output its manifest and sizes; the environment, start and end.

    Raises:
        RunError: The recipe returned no model; see ``store_result``.
        MachineError: The disk refused something.
        Exception: Whatever the recipe raises.
    """
    asked = json.loads(argument)
    repository = Repository.at(Path(asked["repository"]), keyless(Path(asked["cache"])))
    started = now()
    with disk_errors(), ExitStack() as opened:
        function = opened.enter_context(function_in(asked))
        parents = {
            role: opened.enter_context(_model(repository, Digest.from_text(manifest)))
            for role, manifest in asked["parents"]
        }
        context = opened.enter_context(context_in(asked))
        options = options_for(function, asked, context)
        stored = _store(repository, asked, function(Parents(parents), **options))
    made = {
        output: {"manifest": digest_of(result.parts.manifest).hex(), "bytes": result.stored_bytes}
        for output, result in stored.items()
    }
    return json.dumps({"outputs": made, "started": started, "finished": now()})


class Parents(dict[str, LoadedModel]):
    """Role -> model, ``base`` first."""

    def __missing__(self, role: str) -> LoadedModel:
        shown = ", ".join(self) or "none"
        raise RunError(
            f"the recipe asks for the parent {role!r}; its parents are: {shown}",
            hint=f"name it: --parent MODEL={role}",
        )


def _model(repository: Repository, manifest: Digest) -> LoadedModel:
    return LoadedModel(repository, manifest, parts_of(repository, manifest))


def _store(repository: Repository, asked: Any, returned: object) -> dict[str, Stored]:
    results = _results(asked["outputs"], returned)
    models = [parts_of(repository, Digest.from_text(manifest)) for _, manifest in asked["parents"]]
    others = [Digest.from_text(manifest) for manifest in asked["related"]]
    found = [parts_of(repository, m) for m in others if _is_described(repository, m)]
    related = [model.weights for model in (*models, *found)]
    first = models[0] if models else None
    return {
        output: store_result(repository, result, first, related)
        for output, result in results.items()
    }


def _is_described(repository: Repository, manifest: Digest) -> bool:
    """Whether it can serve as a base; else the result is stored without that one."""
    return presence_of(repository, manifest) is not Presence.NODE_ONLY


def _results(outputs: list[str], returned: object) -> Mapping[str, object]:
    """What was returned, by output; a recipe that makes one model returns just that."""
    if outputs == [""]:
        return {"": returned}
    if not isinstance(returned, Mapping) or not set(outputs) <= returned.keys():
        found = ", ".join(map(str, returned)) if isinstance(returned, Mapping) else type(returned)
        raise RunError(
            f"the recipe returned {found}, not the models it was asked for: {', '.join(outputs)}",
            hint="a recipe of several models returns a mapping of their names to models",
        )
    return {output: returned[output] for output in outputs}
