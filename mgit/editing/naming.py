"""Names pointed elsewhere: renamed, removed, settled. Each is one signed entry, and undoable."""

from mgit.digest import Digest
from mgit.errors import ConflictError, NotFoundError, TrustError, UsageError
from mgit.objects.grammar import check_name
from mgit.provenance import adoption_statement
from mgit.repository import History, Repository, Step, record
from mgit.selection import Selection


def rename(repository: Repository, old: str, new: str) -> None:
    """Calls a model something else, in one step that cannot be torn.

    Raises:
        NotFoundError: There is no ``old``.
        UsageError: There is a ``new`` already.
        ConflictError: ``old`` is a conflicted name.
    """
    check_name(new)
    with repository.writing():
        history = repository.history()
        target = _only_target(repository, history, old)
        _require_free(history, new)
        _require_role(repository, history, old, new)
        record(repository, history, Step(f"rename {old} {new}", {old: None, new: target}))


def remove(repository: Repository, name: str) -> None:
    """Takes a name away; its nodes stay until they are collected, and the step can be undone.

    Of a conflicted name every side is taken away.

    Raises:
        NotFoundError: There is no such name.
    """
    check_name(name)
    with repository.writing():
        history = repository.history()
        if not history.names.resolve(name):
            raise _no_such_name(repository, history, name)
        _require_role(repository, history, name)
        record(repository, history, Step(f"rm {name}", {name: None}))


def pick(repository: Repository, name: str, selector: str) -> Digest:
    """Points a name to one node: settles a conflict, steps back, or takes over what a key offers.

    Taking over what a key without a role made is a signed statement, so that it verifies.

    Raises:
        NotFoundError, UsageError: ``selector`` is not exactly one node.
    """
    check_name(name)
    with repository.writing():
        history = repository.history()
        selection = Selection(repository, history)
        target = selection.one(selector)
        _require_role(repository, history, name)
        adopted = [
            adoption_statement(selection.title(origin.node), origin.node)
            for origin in selection.provenance.trail(target)
            if origin.creations and not origin.is_verified
        ]
        verb = f"resolve {name} --pick {selector}"
        record(repository, history, Step(verb, {name: target}, statements=adopted))
    return target


def keep_both(repository: Repository, name: str) -> dict[str, Digest]:
    """Gives every side of a conflicted name a name of its own, ``NAME-LABEL``; ``NAME`` goes.

    Returns:
        New name -> node.

    Raises:
        UsageError: The name is not conflicted, or a new name is taken.
    """
    with repository.writing():
        history = repository.history()
        targets = sorted(history.names.resolve(name))
        if len(targets) < 2:
            raise UsageError(f"{name!r} is not a conflicted name", hint="mgit status")
        new = _names_of_sides(repository, history, name)
        for side in new:
            _require_free(history, check_name(side))
        _require_role(repository, history, name, *new)
        step = Step(f"resolve {name} --both", {name: None, **new})
        record(repository, history, step)
    return new


def _names_of_sides(repository: Repository, history: History, name: str) -> dict[str, Digest]:
    sides = Selection(repository, history).sides(name)
    first = {target: side for side, target in sorted(sides.items(), reverse=True)}
    return {side.replace("@", "-"): target for target, side in first.items()}


def _only_target(repository: Repository, history: History, name: str) -> Digest:
    targets = history.names.resolve(name)
    if len(targets) > 1:
        raise ConflictError(
            f"{name!r} is a conflicted name", hint=f"settle it first: mgit resolve {name} --pick …"
        )
    if not targets:
        raise _no_such_name(repository, history, name)
    return next(iter(targets))


def _no_such_name(repository: Repository, history: History, name: str) -> NotFoundError:
    try:
        Selection(repository, history).word(name)
    except NotFoundError as error:
        return error  # it knows what is spelt nearly alike
    return NotFoundError(f"{name!r} is no name but an id", hint="mgit ls")


def _require_free(history: History, name: str) -> None:
    if history.names.resolve(name):
        raise UsageError(f"there is a {name!r} already", hint=f"mgit show {name}")


def _require_role(repository: Repository, history: History, *names: str) -> None:
    """Refuses what would be written and then count for nothing."""
    identity = repository.identity()
    for name in names:
        if not history.may_move(identity.key.public, name):
            raise TrustError(
                f"your key {identity.label!r} may not move {name!r} in this repository",
                hint="ask a root key for the role: mgit trust add YOUR-KEY --role maintainer",
            )
