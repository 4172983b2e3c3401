"""One run of a recipe, decided: what runs, on which parents, and the key of its result. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mgit import canonical
from mgit.building.environment import Environment
from mgit.digest import Digest
from mgit.objects import Code, Level, Recipe
from mgit.source import Source

BASE = "base"  # the role of a parent that nobody gave another one


@dataclass(frozen=True, slots=True)
class Parent:
    """A model that a recipe is given.

    Attributes:
        role: What it is used as.
        node: Its node; None for one that was made a moment ago and is no node yet.
        manifest: Digest of its manifest.
        content: Its content id.
    """

    role: str
    node: Digest | None
    manifest: Digest
    content: Digest


@dataclass(frozen=True, slots=True)
class Work:
    """A run of a recipe.

    Attributes:
        code: What runs and what it is given.
        outputs: The models it makes, by the recipe's names for them; ``("",)`` if it makes one.
        parents: What it is given: ``base`` first, the others by role.
        source: Its source; None for a recipe of mgit itself.
        environment: Class of the environment that it runs in.
        data: Name -> where the data lie on this machine.
        related: Manifests of models that the results will resemble, such as older versions: what is
            stored becomes a difference from them.
        operation: What it does, in a word.
        threads: How many threads one operation may use.
        timeout_s: Longest time it may take; None: any.
    """

    code: Code
    outputs: tuple[str, ...]
    parents: tuple[Parent, ...]
    source: Source | None
    environment: Environment
    data: Mapping[str, Path]
    related: tuple[Digest, ...] = ()
    operation: str = ""
    threads: int = 1
    timeout_s: float | None = None

    def recipe(self, output: str) -> Recipe:
        """Returns the recipe of one of the models."""
        return Recipe(self.code, output)

    @property
    def action(self) -> Digest:
        """The key under which the result is known.

        The same key means the same content, as far as the recipe's level promises: what runs, what
        it is given by *content*, and, where bits are promised, the environment class. Never a name,
        a time, a host or a run.
        """
        parents = tuple((parent.role, parent.content) for parent in self.parents)
        is_bitwise = self.code.level is Level.BITWISE
        where = dict(self.environment) if is_bitwise else None
        return Digest.of(canonical.encode(("action", self.code.value(), parents, where)))


def by_role(parents: list[Parent]) -> tuple[Parent, ...]:
    """Returns parents in the order in which a recipe sees them: ``base`` first."""
    return tuple(sorted(parents, key=lambda parent: (parent.role != BASE, parent.role)))
