"""A merge that may be kept becomes a node: chunks, parts, statement and entry, visible together."""

from dataclasses import dataclass

from mgit.adding.chunking import bases_among
from mgit.digest import Digest
from mgit.errors import MovedError
from mgit.merging.carrying import Carrier
from mgit.merging.outcome import Clean, NeedsTest, Outcome
from mgit.merging.plan import ByKeys, Combined, Plan
from mgit.merging.rules import Rules
from mgit.merging.task import Task
from mgit.objects import MetaObject, Node, PackKind, digest_of
from mgit.progress import Progress
from mgit.provenance import creation_statement
from mgit.repository import Chunks, Parts, Step, now, record
from mgit.store import PackWriter


@dataclass(frozen=True, slots=True)
class Settled:
    """What is to be kept, and why.

    Attributes:
        plan: What becomes of every tensor and file; nothing undecided.
        outcome: What that amounts to.
        rules: What the person asked for.
        message: Why, in words.
    """

    plan: Plan
    outcome: Outcome
    rules: Rules
    message: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What the name points to now; see ``Merge``."""

    node: Digest
    is_new: bool
    is_aside: bool
    stored_bytes: int


def keep(
    task: Task, models: tuple[Parts, Parts, Parts], settled: Settled, progress: Progress
) -> Kept:
    """Makes the merged model and points the name to it.

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
    decisions = (*settled.plan.tensors, *settled.plan.files)
    is_base_read = any(isinstance(decision, Combined | ByKeys) for decision in decisions)
    for node in (*sorted(task.sides), *((task.base,) if is_base_read else ())):
        task.complete_parts(node)
    with task.repository.store.writer(PackKind.CHUNKS) as writer:
        bases = bases_among(task.repository, task.history, task.edges())
        parts = Carrier(writer, bases, progress).carry_out(settled.plan, models)
        with task.repository.writing():
            return _publish(task, settled, parts, writer)


def _publish(task: Task, settled: Settled, parts: Parts, writer: PackWriter) -> Kept:
    """Writes node and entry, if the name is still where it was."""
    repository = task.repository
    history, key = repository.history(), repository.identity().key.public
    if history.targets_for(key, task.name) != task.targets:
        raise MovedError(f"{task.name!r} was moved meanwhile", hint="look at it, then merge again")
    manifest = digest_of(parts.manifest)
    packs = writer.finish()
    stored = sum(pack.size_bytes for pack in packs)
    is_aside = not history.may_move(key, task.name)
    existing = task.existing(manifest)
    if existing:
        repository.store.install(packs)  # damaged chunks were written again
        if existing not in task.targets:
            record(repository, history, Step(task.verb, {task.name: existing}))
        return Kept(existing, is_new=False, is_aside=is_aside, stored_bytes=stored)
    node = Node(manifest, task.edges(), None, "merge", _type(task))
    node_id = digest_of(node)
    creation = creation_statement(
        task.name,
        node_id,
        node,
        key=key,
        external=_external(task, settled),
        started=task.started,
        finished=now(),
    )
    objects: list[MetaObject] = [parts.weights, parts.content, parts.layout, parts.manifest, node]
    step = Step(task.verb, {task.name: node_id}, objects, [creation])
    record(repository, history, step, chunks=Chunks(manifest, packs))
    return Kept(node_id, is_new=True, is_aside=is_aside, stored_bytes=stored)


def _type(task: Task) -> str:
    """Ours, unless only theirs changed it."""
    base, ours, theirs = (
        task.history.nodes[node].type for node in (task.base, task.ours, task.theirs)
    )
    return theirs if ours == base else ours


def _external(task: Task, settled: Settled) -> dict[str, object]:
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
        external["tested"] = False
    return external | ({"message": settled.message} if settled.message else {})
