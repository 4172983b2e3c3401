"""Runs the checks that are for some models, and signs what came out: ``mgit test``."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from mgit.checks.bench import Bench, Trial
from mgit.checks.known import scores_fact
from mgit.checks.measuring import Measurement, job_of
from mgit.checks.registering import Registered, registered
from mgit.checks.reporting import Report, Row, State
from mgit.checks.subjects import Subject, Subjects, subjects
from mgit.digest import Digest
from mgit.errors import AbsentError, NotFoundError
from mgit.execution import Executor, open_executor
from mgit.objects import SCORES, Check, Node, Ref, Statement, digest_of
from mgit.objects import Subject as About
from mgit.objects.statement import descriptor
from mgit.progress import Progress, silent
from mgit.provenance import Provenance, result_statement
from mgit.repository import History, Repository, Step, record

_RESULTS = {State.PASSED: "PASSED", State.INCONCLUSIVE: "WARNED"}
_NOT_MEASURED = frozenset({State.UNTRUSTED, State.ABSENT})


def run_checks(
    repository: Repository,
    selector: str = "",
    *,
    only: Collection[str] = (),
    executor: str = "process",
    jobs: int = 1,
    timeout_s: float | None = None,
    progress: Progress = silent,
) -> Report:
    """Runs the checks of some models; what is known already is judged, not run again.

    Args:
        repository: Where.
        selector: Which models; empty: all that names point to.
        only: Names of checks; empty: all that are for the models.
        executor: Where they run: ``inline``, ``process`` or ``ray``.
        jobs: How many at once.
        timeout_s: Longest time that one may take.
        progress: Is told how many of the measurements are done.

    Raises:
        NotFoundError: There is no such check.
        MachineError: The disk refused something; nothing is signed. What was measured is kept.
        MgitError: See ``Selection.nodes``.
    """
    history = repository.history()
    known = registered(history)
    unknown = sorted(set(only) - {check.name for check in known})
    if unknown:
        names = ", ".join(check.name for check in known) or "none"
        raise NotFoundError(f"there is no check {unknown[0]!r}", hint=f"there are: {names}")
    seen = subjects(repository, history)
    nodes = _nodes(history, seen, selector)
    trials = [
        trial
        for node in nodes
        for trial in trials_of(seen, seen.of_node(node), known)
        if not only or trial.check.name in only
    ]
    bench = Bench.of(repository, history)
    wanted = bench.wanted(trials)
    if wanted:
        folder = repository.folder / "work"
        with open_executor(executor, jobs=jobs, folder=folder) as opened:
            measure(bench, wanted, opened, timeout_s=timeout_s, progress=progress)
    rows = [bench.row(trial) for trial in trials]
    _sign(repository, bench, trials, rows)
    return Report(tuple(rows))


def trials_of(seen: Subjects, subject: Subject, checks: Iterable[Registered]) -> list[Trial]:
    """Returns the trials that a model has to stand."""
    return [Trial(check, subject) for check in checks if seen.is_for(check, subject)]


def measure(
    bench: Bench,
    wanted: Mapping[str, Measurement],
    executor: Executor,
    *,
    timeout_s: float | None = None,
    progress: Progress = silent,
) -> None:
    """Runs measurements and lets the bench take them; raises as ``Bench.take`` does."""
    running = 0
    for one in wanted.values():
        try:
            executor.submit(job_of(bench.repository, one, timeout_s=timeout_s))
            running += 1
        except AbsentError as error:
            bench.refuse(one, error)
    for done in range(running):
        progress(done, running)
        ended = executor.wait()
        if ended is None:
            raise ValueError("an executor that waits without end gave nothing")
        bench.take(wanted[ended.job], ended)


def _nodes(history: History, seen: Subjects, selector: str) -> Sequence[Digest]:
    if selector:
        chosen = seen.selection.nodes(selector)
    else:
        names = history.names
        targets = {target for name in names.names() for target in names.resolve(name)}
        chosen = frozenset(targets & history.nodes.keys())
    return sorted(chosen, key=seen.selection.title)


def _sign(
    repository: Repository, bench: Bench, trials: Sequence[Trial], rows: Sequence[Row]
) -> None:
    """Claims what came out, unless it is what this person claims already."""
    if repository.home.key_in_use() is None:
        return  # looking needs no key
    with repository.writing():
        history = repository.history()
        key, provenance = repository.identity().key.public, Provenance(history)
        statements = [
            statement
            for trial, row in zip(trials, rows, strict=True)
            for statement in results_of(bench, trial, row)
            if key not in history.signers(digest_of(statement.payload()))  # scores
            and not _is_result_of(provenance, key, statement)
        ]
        if statements:
            record(repository, history, Step("test", statements=statements))


def _is_result_of(provenance: Provenance, key: bytes, statement: Statement) -> bool:
    """Whether a key claims the same already, but for the nonce of a result."""
    (subject,) = statement.subjects
    said = provenance.about(subject.ref.digest, statement.predicate_type)
    return any(
        claim.key == key
        and {**claim.statement.predicate, "nonce": ""} == {**statement.predicate, "nonce": ""}
        for claim in said
    )


def results_of(bench: Bench, trial: Trial, row: Row, node: Digest | None = None) -> list[Statement]:
    """Returns what is claimed of a node after a trial: scores, and the result (in-toto).

    Args:
        bench: What was measured.
        trial: The trial.
        row: What became of it.
        node: The node that the model has become; else that of the subject.
    """
    node = node or trial.subject.node
    if node is None or row.state in _NOT_MEASURED:
        return []
    check, title = trial.check, trial.subject.model.title
    result: dict[str, object] = {
        "result": _RESULTS.get(row.state, "FAILED"),
        "configuration": [descriptor(About(Ref(Check.kind, check.digest), check.name))],
        "annotations": {"sentences": list(row.sentences), "state": row.state.value},
    }
    statements = [result_statement(title, node, result)]
    measured = bench.measured(check, row.content)
    if measured:
        fact = scores_fact(row.content, check.check.code, measured)
        statements.append(Statement((About(Ref(Node.kind, node), title),), SCORES, fact))
    return statements
