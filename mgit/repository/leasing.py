"""Commands that hold a lease on the repository that they are given first."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from mgit.repository.handle import Repository

Rest = ParamSpec("Rest")
Result = TypeVar("Result")
Command = Callable[Concatenate[Repository, Rest], Result]


def leased(
    doing: str, *, is_writing: bool
) -> Callable[[Command[Rest, Result]], Command[Rest, Result]]:
    """Makes a function of a repository hold a lease while it runs; see ``mgit.store.leases``.

    Args:
        doing: What it does, in words, for whoever is kept waiting.
        is_writing: Whether it makes something that rests on what it finds.
    """

    def holding(function: Command[Rest, Result]) -> Command[Rest, Result]:
        @functools.wraps(function)
        def run(repository: Repository, /, *given: Rest.args, **named: Rest.kwargs) -> Result:
            with repository.store.leases.held(doing, is_writing=is_writing):
                return function(repository, *given, **named)

        return run

    return holding
