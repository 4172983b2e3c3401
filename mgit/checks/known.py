"""Scores that were measured before, so that nothing is measured twice.

They belong to the content of a model and to what was run, not to names or gates: changing a
threshold costs nothing. As with results of recipes, those count that this person's own runs left in
the cache folder, or that a trusted key signed for.
"""

import contextlib
from collections.abc import Iterator, Mapping
from functools import cached_property

from mgit import canonical
from mgit.checks.scores import Measured, from_json, to_json
from mgit.digest import Digest
from mgit.errors import FormatError
from mgit.objects import SCORES, Code
from mgit.provenance import Provenance
from mgit.repository import History, Repository
from mgit.store import Facts

_Key = tuple[Digest, Digest]  # content id, what runs


def code_key(code: Code) -> Digest:
    """Returns what scores of this code are known under."""
    return Digest.of(canonical.encode(("check", code.value())))


class KnownScores:
    """The scores that count in one repository, for one person."""

    def __init__(self, repository: Repository, history: History) -> None:
        """Takes a repository, and what it held when its history was read."""
        self._history = history
        self._facts = Facts(repository.home.cache_of(repository.folder) / "scores")

    def find(self, content: Digest, code: Code) -> Measured | None:
        """Returns what is known of a model, or None."""
        return self._known.get((content, code_key(code)))

    def keep(self, content: Digest, code: Code, measured: Measured) -> None:
        """Remembers scores; they are durable when this returns."""
        self._facts.append(scores_fact(content, code, measured))
        self._known[content, code_key(code)] = measured

    @cached_property
    def _known(self) -> dict[_Key, Measured]:
        return dict((*self._claimed(), *self._own()))

    def _own(self) -> Iterator[tuple[_Key, Measured]]:
        for fact in self._facts:
            yield from _parse(fact)

    def _claimed(self) -> Iterator[tuple[_Key, Measured]]:
        for claim in Provenance(self._history).claims(SCORES):
            yield from _parse(claim.statement.predicate)


def scores_fact(content: Digest, code: Code, measured: Measured) -> dict[str, object]:
    """Returns scores with what they are of, as JSON values."""
    return {
        "content": content.hex(),
        "code": code_key(code).hex(),
        "function": code.function,
        "measured": to_json(measured),
    }


def _parse(fact: Mapping[str, object]) -> Iterator[tuple[_Key, Measured]]:
    match fact:
        case {"content": str(content), "code": str(code), "measured": dict(measured)}:
            with contextlib.suppress(ValueError, FormatError):  # whatever strangers wrote
                yield (Digest.from_text(content), Digest.from_text(code)), from_json(measured)
        case _:
            return
