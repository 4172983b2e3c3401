"""A merge that may be kept becomes a node: chunks, parts, statement and entry, visible together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mgit.adding.relating import bases_among
from mgit.checks import Report, Row
from mgit.checks.bench import Bench, Trial
from mgit.checks.registering import registered
from mgit.checks.running import measure, results_of, trials_of
from mgit.checks.subjects import subjects
from mgit.digest import Digest
from mgit.errors import MovedError
from mgit.execution import open_executor
from mgit.merging.carrying import Carrier
from mgit.merging.outcome import Clean, NeedsTest, Outcome
from mgit.merging.plan import ByKeys, Combined, Plan
from mgit.merging.rules import Rules
from mgit.merging.task import Task
from mgit.objects import MetaObject, Node, PackKind, digest_of
from mgit.progress import Progress
from mgit.provenance import creation_statement
from mgit.repository import Chunks, Parts, Step, coding_of, install_objects, now, record
from mgit.store import FinishedPack


@dataclass(frozen=True, slots=True)
class Settled:
    """What is to be kept, and why.

    Attributes:
        plan: What becomes of every tensor and file; nothing undecided.
        outcome: What that amounts to.
        rules: What the person asked for.
        message: Why, in words.
        executor: Where checks run that the result has to pass; None: it is kept untested.
    """

    plan: Plan
    outcome: Outcome
    rules: Rules
    message: str
    executor: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What the name points to now, if the result was kept; see ``Merge``."""

    node: Digest | None
    is_new: bool = False
    is_aside: bool = False
    stored_bytes: int = 0
    report: Report | None = None


def keep(
    task: Task, models: tuple[Parts, Parts, Parts], settled: Settled, progress: Progress
) -> Kept:
    """Makes the merged model, and points the name to it if it passes what it has to pass.

    Args:
        task: What is merged.
        models: Base, ours, theirs.
        settled: What is kept.
        progress: Is told how far the combining is.

    Raises:
        AbsentError, DamagedError: Weights that the result needs are not here, or damaged.
        ConflictError: A method gives no numbers.
        MovedError: Somebody else moved the name meanwhile.
    """
    wants_test = bool(settled.executor) and isinstance(settled.outcome, NeedsTest)
    if wants_test and not _trials(task, task.history.nodes[task.ours].manifest):
        return Kept(None)  # nothing is combined that nothing could vouch for
    decisions = (*settled.plan.tensors, *settled.plan.files)
    is_base_read = any(isinstance(decision, Combined | ByKeys) for decision in decisions)
    for node in (*sorted(task.sides), *((task.base,) if is_base_read else ())):
        task.complete_parts(node)
    with task.repository.store.writer(PackKind.CHUNKS) as writer:
        sources = [*sorted(task.sides), task.base]
        coding = coding_of(task.repository)
        bases = bases_among(task.repository, task.history, sources, coding)
        parts = Carrier(writer, bases, progress).carry_out(settled.plan, models)
        packs = writer.finish()
        trials: list[tuple[Trial, Row]] = []
        bench = Bench.of(task.repository, task.history)
        if settled.executor and wants_test:
            install_objects(task.repository, parts.objects(), packs=packs)
            trials = _tested(task, bench, digest_of(parts.manifest), settled.executor)
            report = Report(tuple(row for _, row in trials))
            if not report.is_ok:
                return Kept(None, report=report)
        with task.repository.writing():
            return _publish(task, settled, parts, packs, (bench, trials))


def _tested(task: Task, bench: Bench, manifest: Digest, executor: str) -> list[tuple[Trial, Row]]:
    trials = _trials(task, manifest)
    wanted = bench.wanted(trials)
    if wanted:
        folder = task.repository.folder / "work"
        with open_executor(executor, jobs=1, folder=folder) as opened:
            measure(bench, wanted, opened)
    return [(trial, bench.row(trial)) for trial in trials]


def _trials(task: Task, manifest: Digest) -> list[Trial]:
    """Returns the checks that are for the result: those for base, ours and theirs among them."""
    seen = subjects(task.repository, task.history)
    node = Node(manifest, task.edges(), None, "merge", _type(task))
    sides = seen.weighed(sorted(task.sides))  # what it has to stand up to, whatever it replaces
    subject = replace(seen.candidate(node, task.name), previous=sides)
    return trials_of(seen, subject, registered(task.history))


def _publish(
    task: Task,
    settled: Settled,
    parts: Parts,
    packs: Sequence[FinishedPack],
    tested: tuple[Bench, list[tuple[Trial, Row]]],
) -> Kept:
    """Writes node and entry, if the name is still where it was."""
    bench, trials = tested
    report = Report(tuple(row for _, row in trials)) if trials else None
    repository = task.repository
    history, key = repository.history(), repository.identity().key.public
    if history.targets_for(key, task.name) != task.targets:
        raise MovedError(f"{task.name!r} was moved meanwhile", hint="look at it, then merge again")
    manifest = digest_of(parts.manifest)
    stored = sum(pack.size_bytes for pack in packs)
    is_aside = not history.may_move(key, task.name)
    existing = task.existing(manifest)
    if existing:
        if not trials:
            repository.store.install(packs)  # damaged chunks were written again
        if existing not in task.targets:
            record(repository, history, Step(task.verb, {task.name: existing}))
        return Kept(existing, is_aside=is_aside, stored_bytes=stored, report=report)
    node = Node(manifest, task.edges(), None, "merge", _type(task))
    node_id = digest_of(node)
    creation = creation_statement(
        task.name,
        node_id,
        node,
        key=key,
        external=_external(task, settled, is_tested=bool(trials)),
        started=task.started,
        finished=now(),
    )
    objects: list[MetaObject] = [parts.weights, parts.content, parts.layout, parts.manifest, node]
    results = [said for trial, row in trials for said in results_of(bench, trial, row, node_id)]
    step = Step(task.verb, {task.name: node_id}, objects, [creation, *results])
    record(repository, history, step, chunks=None if trials else Chunks(manifest, packs))
    return Kept(node_id, is_new=True, is_aside=is_aside, stored_bytes=stored, report=report)


def _type(task: Task) -> str:
    """Ours, unless only theirs changed it."""
    base, ours, theirs = (
        task.history.nodes[node].type for node in (task.base, task.ours, task.theirs)
    )
    return theirs if ours == base else ours


def _external(task: Task, settled: Settled, *, is_tested: bool) -> dict[str, object]:
    external: dict[str, object] = {
        "name": task.name,
        "ours": str(task.ours),
        "theirs": str(task.theirs),
        "base": str(task.base),
        "method": str(settled.rules.default or ""),
        "strategies": [str(strategy) for strategy in settled.rules.strategies],
        "outcome": "clean" if isinstance(settled.outcome, Clean) else "needs-test",
        "tensors": settled.plan.counts(),
    }
    if isinstance(settled.outcome, NeedsTest):
        external["tested"] = is_tested
    return external | ({"message": settled.message} if settled.message else {})
