"""Three-way merge of two models: what each side changed since their common ancestor, together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mgit.checks import Report
from mgit.digest import Digest
from mgit.merging.carrying import join_files, measure_conflicts
from mgit.merging.keeping import Settled, keep
from mgit.merging.outcome import Conflict, Outcome, outcome_of
from mgit.merging.plan import Plan, make_plan
from mgit.merging.rules import parse_rules
from mgit.merging.task import task_of
from mgit.progress import Progress, silent
from mgit.repository import Repository, leased


@dataclass(frozen=True, slots=True)
class Merge:
    """What a merge did, or would do.

    Attributes:
        ours: The one side.
        theirs: The other side.
        base: What both come from.
        name: The name that the result gets; empty where none was needed yet.
        decisions: What becomes of every tensor and file.
        outcome: What that amounts to.
        node: What the name points to now; None: nothing moved.
        is_new: Whether that node was made; else one side had the result already.
        is_aside: The key has no role here: the name shows up as ``@label/name``.
        stored_bytes: Bytes of the chunk packs that were written for it.
        report: What the checks said of a result that needs a test; None: it was not tested.
    """

    ours: Digest
    theirs: Digest
    base: Digest
    name: str
    decisions: Plan
    outcome: Outcome
    node: Digest | None = None
    is_new: bool = False
    is_aside: bool = False
    stored_bytes: int = 0
    report: Report | None = None


@leased("merge", is_writing=True)
def merge(
    repository: Repository,
    a: str,
    b: str,
    *,
    into: str = "",
    method: str = "",
    strategies: Sequence[str] = (),
    base: str = "",
    is_dry_run: bool = False,
    is_untested_allowed: bool = False,
    executor: str = "process",
    message: str = "",
    progress: Progress = silent,
) -> Merge:
    """Merges two models, by what each changed since their common ancestor.

    What only one side changed is taken. A tensor that both changed takes a method. Nothing moves
    where a conflict is left. A result that combines both sides has to pass the checks that are for
    it, those for its sides and their base among them; where there is none it is not kept, unless
    somebody allowed that. No weights are read but those of tensors that are combined, and
    of those in conflict, to say how far the sides moved.

    Args:
        repository: Where they are.
        a: Selector of our side.
        b: Selector of their side.
        into: Name that the result gets; empty: that of ``a``. A name that is in conflict between
            the two sides is settled by it.
        method: ``METHOD[:PARAMETER=NUMBER[,…]]`` for what both sides changed: see ``METHODS``.
        strategies: ``GLOB=METHOD…`` for tensors and files whose names match; the first one wins.
        base: Selector of the common ancestor; empty: the lowest one.
        is_dry_run: Whether only the outcome is wanted. It is found without reading any weights.
        is_untested_allowed: Whether a result that needs a test is kept without one.
        executor: Where checks run: ``inline``, ``process`` or ``ray``.
        message: Why, in words.
        progress: Is told how far the reading is.

    Raises:
        UsageError: No common ancestor, or several; a bad method; a strategy that decides nothing.
        ConflictError: ``into`` is a conflicted name, and these are not its sides; or a method gives
            no numbers.
        AbsentError: A manifest, or weights that the result needs, are not here.
        MovedError: Somebody else moved the name meanwhile.
    """
    rules = parse_rules(method, strategies)
    task = task_of(repository, (a, b, base), into, is_dry_run=is_dry_run)
    models = (task.parts(task.base), task.parts(task.ours), task.parts(task.theirs))
    reader = repository.store.reader
    plan = join_files(make_plan(*models, rules), reader)
    outcome = outcome_of(plan)
    if isinstance(outcome, Conflict) and not is_dry_run:
        plan = measure_conflicts(plan, reader, progress)
    found = Merge(task.ours, task.theirs, task.base, task.name, plan, outcome)
    if is_dry_run or isinstance(outcome, Conflict):
        return found
    tester = None if is_untested_allowed else executor
    kept = keep(task, models, Settled(plan, outcome, rules, message, tester), progress)
    return replace(
        found,
        node=kept.node,
        is_new=kept.is_new,
        is_aside=kept.is_aside,
        stored_bytes=kept.stored_bytes,
        report=kept.report,
    )
