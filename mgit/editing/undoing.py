"""Going back: new entries that say what was said before. Nothing is ever taken out of a log."""

from dataclasses import dataclass
from itertools import zip_longest

from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError, MovedError, NotFoundError
from mgit.objects import CREATION, Entry, Move, Statement
from mgit.provenance import withdrawal
from mgit.repository import History, Repository, Step, log_operation, record, require_complete
from mgit.selection import Selection
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
    entries = {digest.hex() for digest in repository.history().ledger.entries}
    facts = list(repository.facts("operations"))
    happened = {
        number: fact
        for number, fact in enumerate(facts, start=1)
        if "entry" not in fact
        or fact["entry"] in entries  # others were cut off before they took effect
    }
    undone = {fact.get("undoes") for fact in happened.values()}
    return [
        Operation(
            number=number,
            time=str(fact.get("time", "")),
            verb=str(fact.get("verb", "")),
            entry=str(fact.get("entry", "")),
            is_undoable=number not in undone and _can_be_undone(fact),
        )
        for number, fact in happened.items()
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


def not_here(repository: Repository, operation: Operation) -> tuple[str, ...]:
    """Returns what is to be said, after undoing a step, of names that lead to absent weights.

    Steps are remembered for ever, and what only an old one leads to is collected one day.
    """
    history = repository.history()
    selection = Selection(repository, history)
    entries = history.ledger.entries
    entry = entries[Digest.from_text(operation.entry)] if operation.entry else None
    names = {move.name for move in entry.moves} if entry else set[str]()
    targets = {target for name in names for target in history.names.resolve(name)}
    said = []
    for node in sorted(targets & history.nodes.keys()):
        title = selection.title(node)
        try:
            require_complete(repository, title, node, history.nodes[node])
        except AbsentError as error:
            said.append(f"{error}; get them: {error.hint}, or add the same checkpoint again")
        except DamagedError as error:
            said.append(f"{error}; {error.hint}")
    return tuple(said)


def _undo_entry(repository: Repository, operation: Operation) -> None:
    history = repository.history()
    digest = Digest.from_text(operation.entry)
    entry = history.ledger.entries.get(digest)
    if entry is None:
        raise NotFoundError("the entry to undo is not here", hint="mgit fsck")
    for move in entry.moves:
        now = history.targets_for(entry.key, move.name)
        if now != frozenset({move.target} - {None}):
            raise MovedError(
                f"{move.name!r} was moved since, so the step cannot be taken back as it was",
                hint=f"point it yourself: mgit resolve {move.name} --pick ID (mgit log shows ids)",
            )
    before = [_sides_before(history, entry.key, move) for move in entry.moves]
    statements = _withdrawals(history, entry)
    steps: list[Step] = []
    for sides in zip_longest(*before) if before else [()]:
        # one step a side: the entries of one record stand beside each other
        restored = {m.name: s for m, s in zip(entry.moves, sides, strict=True) if s or not steps}
        steps.append(
            Step(
                verb=f"undo {operation.verb}",
                moves={name: side.target for name, side in restored.items() if side},
                statements=() if steps else statements,
                also_replaces={name: side.replaced for name, side in restored.items() if side},
                undoes=operation.number,
            )
        )
    record(repository, history, *steps)


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the targets that a name had, and what the entry that set it had replaced.

    A new entry that names those as well is a deliberate step back if the old one was.
    """

    target: Digest | None
    replaced: frozenset[Digest]


def _sides_before(history: History, key: bytes, move: Move) -> list[_Side]:
    """Returns what a name meant before a move: its sides, or one that says it did not exist."""
    entries = history.ledger.entries
    sides: dict[Digest, _Side] = {}
    for digest in sorted(set(move.supersedes) & entries.keys()):
        is_own_word = history.may_move(key, move.name) or entries[digest].key == key
        for old in entries[digest].moves if is_own_word else ():
            if old.name == move.name and old.target is not None:
                known = sides.get(old.target, _Side(old.target, frozenset()))
                replaced = known.replaced | {digest, *old.supersedes}
                sides[old.target] = _Side(old.target, replaced)
    return list(sides.values()) or [_Side(None, frozenset())]


def _withdrawals(history: History, entry: Entry) -> list[Statement]:
    """Takes back tags and notes of an entry, and what it withdrew is claimed again."""
    said = {d: s for d in entry.claims if (s := history.statements.get(d))}
    taken = {d: s for d, s in said.items() if s.predicate_type != CREATION}
    return [withdrawal(taken)] if taken else []
