"""Quantised versions of models: made, tested, and named if they pass. The exact ones stay."""

import contextlib
import dataclasses
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mgit.adding.publishing import current_version
from mgit.checks import Report, Row, State
from mgit.checks.bench import Bench, Trial
from mgit.checks.registering import Registered, registered
from mgit.checks.running import measure, results_of
from mgit.checks.subjects import subjects
from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError, MovedError, NotFoundError, UsageError
from mgit.execution import open_executor, require_executor
from mgit.objects import Edge, EdgeKind, MetaObject, Node, PackKind, Statement, Weights, digest_of
from mgit.progress import Progress, silent
from mgit.provenance import creation_statement
from mgit.repacking.quantising import Bound, Loss, Lossy, Quantiser, Relative
from mgit.repository import (
    History,
    Repository,
    Step,
    install_objects,
    leased,
    now,
    record,
    require_complete,
)
from mgit.selection import Selection

OPERATION = "quantise"
_EXACT, _BASE = "exact", "base"  # roles of its parents


@dataclass(frozen=True, slots=True)
class QuantisedModel:
    """A model that was quantised.

    Attributes:
        name: What it is called.
        exact: Its exact node.
        node: Its quantised node.
        losses: Tensors that changed -> what became of them.
        stored_bytes: Chunk packs that were written for it.
    """

    name: str
    exact: Digest
    node: Digest
    losses: Mapping[str, Loss]
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class Quantisation:
    """What quantising did.

    Attributes:
        models: What was made, ancestors first.
        skipped: Titles of models that stay as they are -> why.
        report: What the checks said; None where there was nothing to test.
        is_kept: Whether the names point to it now.
        behind: Titles of models that were made from one that was replaced, and not made anew.
    """

    models: tuple[QuantisedModel, ...]
    skipped: Mapping[str, str]
    report: Report | None
    is_kept: bool
    behind: tuple[str, ...] = ()


@leased("repack", is_writing=True)
def repack_lossy(
    repository: Repository,
    bound: Bound,
    gates: Collection[str],
    selector: str = "",
    *,
    executor: str = "process",
    progress: Progress = silent,
) -> Quantisation:
    """Makes models that take much less, and nearly do the same: new versions, if they pass.

    Nothing moves unless everything passes. The exact versions stay in history and in this copy.

    Args:
        repository: Where.
        bound: How much may be lost.
        gates: Names of checks that every result has to pass.
        selector: Which models, by what names point to; empty: all that were made from others.
        executor: Where the checks run: ``inline``, ``process`` or ``ray``.
        progress: Is told how many of the models are made.

    Raises:
        UsageError: The bound is not above 0; no check is given, or one that demands nothing; there
            is no such executor; no name points to anything that is selected.
        NotFoundError: There is no such check.
        AbsentError, DamagedError: Weights are not here, or damaged.
        ConflictError: A name is a conflicted one.
        MovedError: Somebody else moved a name meanwhile.
    """
    _require_sensible(bound, gates)
    require_executor(executor)
    repository.check_writable()
    work = _Work(repository, repository.history(), bound, now())
    checks = _checks(work.history, gates)
    names = work.names(selector)
    for done, (name, exact) in enumerate(names):
        progress(done, len(names))
        work.quantise(name, exact)
    progress(len(names), len(names))
    if not work.made:
        return Quantisation((), work.skipped, None, is_kept=False)
    bench, trials = _tested(work, checks, executor)
    rows = [(trial, bench.row(trial)) for trial in trials]
    report = Report(tuple(row for _, row in rows))
    is_kept = not any(_is_refused(row) for row in report.rows)
    if is_kept:
        _publish(work, bench, rows)
    behind = _behind(work) if is_kept else ()
    return Quantisation(tuple(work.told()), work.skipped, report, is_kept, behind)


def _require_sensible(bound: Bound, gates: Collection[str]) -> None:
    size = bound.share if isinstance(bound, Relative) else bound.error
    if not (size > 0 and math.isfinite(size)):
        raise UsageError(
            f"{size} is no amount that may be lost", hint="--lossy 0.5, or --error 1e-4"
        )
    if not gates:
        raise UsageError(
            "nothing would tell whether the models still do what they did",
            hint="name a check that they have to pass: --gate CHECK (mgit check list)",
        )


def _checks(history: History, gates: Collection[str]) -> list[Registered]:
    known = registered(history)
    unknown = sorted(set(gates) - {check.name for check in known})
    if unknown:
        names = ", ".join(check.name for check in known) or "none"
        raise NotFoundError(f"there is no check {unknown[0]!r}", hint=f"there are: {names}")
    meant = [check for check in known if check.name in gates]
    vain = [check.name for check in meant if not check.check.gates]
    if vain:
        raise UsageError(
            f"the check {vain[0]!r} demands nothing",
            hint="register it with a gate: mgit check add MOD:FN --gate 'at_least(\"mrr\", 0.7)'",
        )
    return meant


@dataclass(frozen=True, slots=True)
class _Quantised:
    """A model that was made, and not published yet."""

    name: str
    exact: Digest
    node: Node
    lossy: Lossy
    stored_bytes: int


@dataclass(slots=True)
class _Work:
    """What is being made.

    Attributes:
        repository: Where.
        history: What it held at the start.
        bound: How much may be lost.
        started: When, RFC 3339.
        current: Name -> what it pointed to for the key that signs.
        made: Exact node -> what it became.
        skipped: Titles of models that stay as they are -> why.
    """

    repository: Repository
    history: History
    bound: Bound
    started: str
    current: dict[str, Digest | None] = field(default_factory=dict)
    made: dict[Digest, _Quantised] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def names(self, selector: str) -> list[tuple[str, Digest]]:
        """Returns the names to be moved and what they point to, ancestors first."""
        history, key = self.history, self.repository.identity().key.public
        known = history.names.names()
        pointing = {name: targets for name in known if (targets := history.names.resolve(name))}
        for name in [name for name in pointing if not selector and len(pointing[name]) > 1]:
            self.skipped[name] = "a conflicted name"
            del pointing[name]
        chosen = history.nodes.keys() & frozenset().union(*pointing.values())
        if selector:
            chosen = self._named(selector, chosen)
        order = {node: place for place, node in enumerate(history.lineage.topological(chosen))}
        found = [(name, node) for name, nodes in pointing.items() for node in nodes & chosen]
        for name, _ in found:
            self.current[name] = current_version(history, key, name)  # or it is a conflicted one
        return sorted(found, key=lambda one: (order[one[1]], one[0]))

    def _named(self, selector: str, named: set[Digest]) -> set[Digest]:
        """Returns what is selected and has a name; notes what has none, if that is not all."""
        selection = Selection(self.repository, self.history)
        selected = selection.nodes(selector)
        unnamed = sorted(selected - named, key=selection.title)
        if unnamed and len(unnamed) == len(selected):
            raise UsageError(
                f"no name points to {unnamed[0].short}, so that none could move on from it",
                hint="select what names point to: mgit ls",
            )
        self.skipped.update(dict.fromkeys(map(selection.title, unnamed), "no name points to it"))
        return named & selected

    def quantise(self, name: str, exact: Digest) -> None:
        """Makes one model, or notes why it stays as it is."""
        node = self.history.nodes[exact]
        if exact in self.made:
            self.skipped[name] = f"the same as {self.made[exact].name}"
            return
        if node.operation == OPERATION:
            self.skipped[name] = "quantised already: for another bound go back first (mgit undo)"
            return
        parts = require_complete(self.repository, name, exact, node)
        on, weights = self._bases(node)
        store = self.repository.store
        with store.writer(PackKind.CHUNKS) as writer:
            lossy = Quantiser(store.reader, writer, weights, self.bound).quantised(parts)
            packs = writer.finish()
            if not lossy.losses:
                self.skipped[name] = "nothing would be smaller" if on else "made from no model here"
                writer.discard()
                return
            install_objects(self.repository, lossy.parts.objects(), packs=packs)
        current = self.current[name]
        edges = {Edge(EdgeKind.VERSION, current)} if current else set()
        edges |= {Edge(EdgeKind.PROVENANCE, exact, _EXACT)}
        edges |= {Edge(EdgeKind.PROVENANCE, base, _BASE) for base in on[:1]}
        manifest = digest_of(lossy.parts.manifest)
        quantised = Node(manifest, frozenset(edges), None, OPERATION, node.type)
        size_bytes = sum(pack.size_bytes for pack in packs)
        self.made[exact] = _Quantised(name, exact, quantised, lossy, size_bytes)

    def _bases(self, node: Node) -> tuple[list[Digest], list[Weights]]:
        """Returns what a model was made from, as it is stored from now on, the nearest first."""
        nodes, weights = [], []
        for parent in (*sorted(node.parents(EdgeKind.PROVENANCE)), *node.parents(EdgeKind.VERSION)):
            if parent in self.made:
                nodes.append(digest_of(self.made[parent].node))
                weights.append(self.made[parent].lossy.parts.weights)
            elif parent in self.history.nodes:
                with contextlib.suppress(AbsentError, DamagedError):
                    found = self.history.nodes[parent]
                    weights.append(require_complete(self.repository, "", parent, found).weights)
                    nodes.append(parent)
        return nodes, weights

    def told(self) -> Iterator[QuantisedModel]:
        """Yields what was made."""
        for one in self.made.values():
            node = digest_of(one.node)
            yield QuantisedModel(one.name, one.exact, node, one.lossy.losses, one.stored_bytes)


def _tested(work: _Work, checks: Sequence[Registered], executor: str) -> tuple[Bench, list[Trial]]:
    repository = work.repository
    nodes: dict[Digest, MetaObject] = {digest_of(m.node): m.node for m in work.made.values()}
    history = work.history.with_objects(nodes)
    bench, seen = Bench.of(repository, history), subjects(repository, history)
    trials = [
        Trial(check, seen.candidate(one.node, one.name))
        for one in work.made.values()
        for check in checks
    ]
    wanted = bench.wanted(trials)
    if wanted:
        with open_executor(executor, jobs=1, folder=repository.folder / "work") as opened:
            measure(bench, wanted, opened)
    return bench, trials


def _is_refused(row: Row) -> bool:
    """Whoever names a check wants it passed, however severe it is otherwise."""
    return row.state not in {State.PASSED, State.INCONCLUSIVE}


def _publish(work: _Work, bench: Bench, rows: Sequence[tuple[Trial, Row]]) -> None:
    """Moves all names at once, if they are still where they were."""
    repository = work.repository
    with repository.writing():
        history, key = repository.history(), repository.identity().key.public
        moves, objects, statements = {}, [], []
        for one in work.made.values():
            if current_version(history, key, one.name) != work.current[one.name]:
                raise MovedError(
                    f"{one.name!r} was moved meanwhile", hint="look, then run it again"
                )
            node = digest_of(one.node)
            moves[one.name] = node
            objects.append(one.node)
            statements.append(_creation(work, one, key))
            statements += [
                said
                for trial, row in rows
                if trial.subject.model.title == one.name
                for said in results_of(bench, trial, row, node)
            ]
        verb = f"repack {_told(work.bound)} {' '.join(moves)}"
        record(repository, history, Step(verb, moves, objects, statements))


def _behind(work: _Work) -> tuple[str, ...]:
    history = work.repository.history()
    selection, names = Selection(work.repository, history), history.names
    targets = {target for name in names.names() for target in names.resolve(name)}
    return tuple(
        sorted(
            selection.title(node)
            for node in targets & history.nodes.keys()
            if selection.newer_ancestors(node).keys() & work.made.keys()
        )
    )


def _creation(work: _Work, one: _Quantised, key: bytes) -> Statement:
    losses = {name: dataclasses.asdict(loss) for name, loss in one.lossy.losses.items()}
    return creation_statement(
        one.name,
        digest_of(one.node),
        one.node,
        key=key,
        external={"name": one.name, "bound": _told(work.bound), "losses": losses},
        started=work.started,
        finished=now(),
    )


def _told(bound: Bound) -> str:
    return f"--lossy {bound.share}" if isinstance(bound, Relative) else f"--error {bound.error}"
