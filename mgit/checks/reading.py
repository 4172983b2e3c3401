"""The code behind a check, to be read before it is trusted."""

from mgit.building import Code
from mgit.checks.registering import registered
from mgit.errors import AbsentError, NotFoundError
from mgit.objects.grammar import printable
from mgit.repository import Repository


def code_of_check(repository: Repository, name: str) -> Code:
    """Returns the source of a check; of several of that name, one that is not trusted yet.

    Raises:
        NotFoundError: There is no such check, or it is one of mgit's own.
        AbsentError: The source is not here.
    """
    history = repository.history()
    known = registered(history)
    named = [check for check in known if check.name == name]
    if not named:
        names = ", ".join(check.name for check in known) or "none"
        raise NotFoundError(f"there is no check {printable(name)!r}", hint=f"there are: {names}")
    if all(check.check.code.source is None for check in named):
        raise NotFoundError(f"{name} is a check of mgit: there is no code to trust")
    found = [
        Code(
            function=check.check.code.function,
            verbatim=check.source.verbatim,
            files=check.source.files,
            signers=history.names.label_of(check.claim.key),
            is_trusted=repository.home.trusts_code(check.source.verbatim),
        )
        for check in named
        if check.source
    ]
    if not found:
        raise AbsentError(f"the source of the check {name} is not here", hint="mgit fetch")
    return min(found, key=lambda code: code.is_trusted)
