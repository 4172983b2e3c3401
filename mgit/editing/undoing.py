"""Going back: new entries that say what was said before. Nothing is ever taken out of a log."""

from dataclasses import dataclass
from itertools import zip_longest

from mgit.digest import Digest
from mgit.errors import MovedError, NotFoundError
from mgit.objects import CREATION, Entry, Move, Statement, digest_of
from mgit.provenance import withdrawal
from mgit.repository import History, Repository, Step, log_operation, record
from mgit.store import Fact


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the operation log of this copy.

    Attributes:
        number: Its place in the log, from 1.
        time: When, by this machine's clock; for people only.
        verb: What was done.
        entry: Digest of the entry it wrote, in hex; empty if it wrote none.
        is_undoable: Whether ``undo`` can take it back: it was not taken back yet.
    """

    number: int
    time: str
    verb: str
    entry: str
    is_undoable: bool


def operations(repository: Repository) -> list[Operation]:
    """Returns what was done in this copy, oldest first."""
    facts = list(repository.facts("operations"))
    undone = {fact.get("undoes") for fact in facts}
    return [
        Operation(
            number=number,
            time=str(fact.get("time", "")),
            verb=str(fact.get("verb", "")),
            entry=str(fact.get("entry", "")),
            is_undoable=number not in undone and _can_be_undone(fact),
        )
        for number, fact in enumerate(facts, start=1)
    ]


def _can_be_undone(fact: Fact) -> bool:
    return "undoes" not in fact and ("entry" in fact or "settings_before" in fact)


def undo(repository: Repository) -> Operation:
    """Takes back the last step of this copy that was not taken back yet, and returns it.

    Names go back to what they were, conflicts included; tags and notes are withdrawn; settings are
    as before. The statement of how a node was made stays: that remains true.

    Raises:
        NotFoundError: There is nothing to take back.
        MovedError: Somebody has moved the name since.
    """
    with repository.writing():
        done = [operation for operation in operations(repository) if operation.is_undoable]
        if not done:
            raise NotFoundError("there is nothing to undo", hint="mgit op log")
        last = done[-1]
        fact = list(repository.facts("operations"))[last.number - 1]
        before = fact.get("settings_before")
        if isinstance(before, dict):
            repository.write_settings(before)
            log_operation(repository, f"undo {last.verb}", undoes=last.number)
        else:
            _undo_entry(repository, last)
    return last


def _undo_entry(repository: Repository, operation: Operation) -> None:
    history = repository.history()
    digest = Digest.from_text(operation.entry)
    entry = history.ledger.entries.get(digest)
    if entry is None:
        raise NotFoundError("the entry to undo is not here", hint="mgit fsck")
    for move in entry.moves:
        now = history.targets_for(entry.key, move.name)
        if now != frozenset({move.target} - {None}):
            raise MovedError(f"{move.name!r} was moved since", hint="look at it first: mgit status")
    before = [_targets_before(history, move) for move in entry.moves]
    withdrawn = _withdrawals(history, entry)
    written: list[Digest] = []
    for targets in zip_longest(*before) if before else [()]:
        # one round a side: the entry of a later round stands beside those of the earlier ones
        moves = {
            move.name: target
            for move, target in zip(entry.moves, targets, strict=True)
            if target is not None or not written
        }
        statements: list[Statement] = [] if written else withdrawn
        step = Step(
            verb=f"undo {operation.verb}",
            moves=moves,
            statements=statements,
            beside=tuple(written),
            undoes=operation.number,
        )
        written.append(record(repository, repository.history(), step))


def _targets_before(history: History, move: Move) -> list[Digest | None]:
    """Returns what a name pointed to before a move; [None] if it did not exist."""
    entries = history.ledger.entries
    replaced = [entries[d] for d in move.supersedes if d in entries]
    targets = {m.target for entry in replaced for m in entry.moves if m.name == move.name}
    known: list[Digest | None] = [*sorted(t for t in targets if t is not None)]
    return known or [None]


def _withdrawals(history: History, entry: Entry) -> list[Statement]:
    """Takes back tags and notes of an entry, and what it withdrew is claimed again."""
    said = [s for d in entry.claims if (s := history.statements.get(d))]
    taken = [s for s in said if s.predicate_type != CREATION]
    if not taken:
        return []
    subjects = {subject for statement in taken for subject in statement.subjects}
    ordered = sorted(subjects, key=lambda subject: subject.ref.digest)
    return [withdrawal(ordered, (digest_of(s.payload()) for s in taken))]
