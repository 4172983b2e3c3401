"""The recipe of a node, to be run again: what is recorded, whose code it is, what is in the way.

What runs is the source that travelled with the node, never what lies in some folder now. Whoever
signed for it, it runs only if this person trusts exactly these files.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mgit.building.asking import revision_of
from mgit.building.calling import check_shipped
from mgit.building.data import find_data
from mgit.building.environment import environment
from mgit.building.work import Parent, Work, by_role
from mgit.digest import Digest
from mgit.errors import AbsentError, MgitError, NotFoundError, TrustError
from mgit.objects import CREATION, Code, Recipe
from mgit.provenance import Provenance
from mgit.repository import History, Repository
from mgit.source import Source, find_source, shipped, source_from

_MAX_THREADS = 256  # whatever strangers write


def recipe_of(history: History, node: Digest) -> Recipe | None:
    """Returns the recipe of a node; None where it has none, or where that is not here."""
    digest = history.nodes[node].recipe
    return history.recipes.get(digest) if digest else None


def sources_of(provenance: Provenance, node: Digest) -> list[Source]:
    """Returns the sources that came with a node and are what its recipe records, any signer's."""
    recipe = recipe_of(provenance.history, node)
    found = {
        source.verbatim: source
        for source in _claimed_sources(provenance, node)
        if recipe and source.normalised == recipe.code.source
    }
    return list(found.values())


def _claimed_sources(provenance: Provenance, node: Digest) -> Iterator[Source]:
    for claim in provenance.about(node, CREATION):
        match claim.statement.predicate:
            case {"buildDefinition": {"resolvedDependencies": list(listed)}}:
                source = source_from(listed)
                if source:
                    yield source
            case _:
                continue


def trusted_source(
    repository: Repository, provenance: Provenance, node: Digest, title: str
) -> Source | None:
    """Returns the source that runs when a node is made again; None for a recipe of mgit.

    Raises:
        NotFoundError: The node has no recipe.
        AbsentError: The source of its recipe is not here, or that revision is not in this mgit.
        TrustError: This person has not trusted it; or it has no source and mgit ships no such
            function.
    """
    recipe = recipe_of(provenance.history, node)
    if recipe is None:
        raise NotFoundError(
            f"{title} has no recipe: it was added as it is", hint=f"mgit show {title}"
        )
    if recipe.code.source is None:
        _check_revision(recipe.code)
        return None
    found = sources_of(provenance, node)
    if not found:
        raise AbsentError(f"the source of {recipe.code.function} did not come with {title}")
    trusted = [source for source in found if repository.home.trusts_code(source.verbatim)]
    if not trusted:
        raise TrustError(
            f"{recipe.code.function}, which made {title}, is code that you have not trusted",
            hint=f"read it, then: mgit trust code {title}",
        )
    return trusted[0]


def _check_revision(code: Code) -> None:
    check_shipped(code.function)
    here = revision_of(shipped(code.function))
    if here != code.revision:
        raise AbsentError(
            f"revision {code.revision} of {code.function} is not in this mgit, which has {here}",
            hint="install the mgit that made it",
        )


def is_changed_on_disk(function: str, source: Digest, roots: Sequence[Path]) -> bool:
    """Returns whether a function's source in a person's folders is no longer what is recorded."""
    try:
        return find_source(function, roots).normalised != source
    except NotFoundError:
        return False  # it does not lie here: what is recorded is all there is
    except MgitError:
        return True  # it does, and can no longer be read


def work_again(
    repository: Repository,
    provenance: Provenance,
    outputs: Mapping[str, Digest],
    parents: Sequence[Parent],
    *,
    timeout_s: float | None = None,
) -> Work:
    """Returns the run that makes nodes again, on other parents maybe.

    Args:
        repository: Where.
        provenance: What is claimed in it.
        outputs: Output of the recipe -> the node that it made.
        parents: What it is given now.
        timeout_s: Longest time it may take.

    Raises:
        NotFoundError, AbsentError, TrustError: See ``trusted_source``, ``find_data``.
    """
    history, node = provenance.history, next(iter(outputs.values()))
    source = trusted_source(repository, provenance, node, node.short)
    recipe = recipe_of(history, node)
    if recipe is None:
        raise ValueError(f"{node.short} has no recipe")
    threads = _threads(provenance, node)
    return Work(
        code=recipe.code,
        outputs=tuple(sorted(outputs)),
        parents=by_role(list(parents)),
        source=source,
        environment=environment(source, threads=threads),
        data=find_data(repository, recipe.code.data),
        related=tuple(history.nodes[old].manifest for old in outputs.values()),
        operation=history.nodes[node].operation,
        threads=threads,
        timeout_s=timeout_s,
    )


def _threads(provenance: Provenance, node: Digest) -> int:
    """The threads that it was made with, as its maker says: they decide the bits."""
    for claim in provenance.about(node, CREATION):
        match claim.statement.predicate:
            case {
                "buildDefinition": {
                    "internalParameters": {"environment": {"threads": int(threads)}}
                }
            } if 1 <= threads <= _MAX_THREADS:
                return threads
            case _:
                continue
    return 1
