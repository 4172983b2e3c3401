"""The code behind a node, to be read before it is trusted."""

from collections.abc import Mapping
from dataclasses import dataclass

from mgit.building.again import recipe_of, sources_of
from mgit.digest import Digest
from mgit.errors import AbsentError, NotFoundError
from mgit.objects import CREATION
from mgit.repository import Repository
from mgit.selection import Selection


@dataclass(frozen=True, slots=True)
class Code:
    """Somebody's source, and whether it may run.

    Attributes:
        function: ``module:function`` that is called.
        verbatim: Digest of exactly these files: what is trusted.
        files: Path -> text.
        signers: Labels of the keys that signed for the node.
        is_trusted: Whether this person trusts it.
    """

    function: str
    verbatim: Digest
    files: Mapping[str, str]
    signers: str
    is_trusted: bool


def code_of_node(repository: Repository, selector: str) -> Code:
    """Returns the source of a node's recipe.

    Raises:
        NotFoundError: It has no recipe, or one of mgit's own.
        AbsentError: The source is not here.
    """
    history = repository.history()
    selection = Selection(repository, history)
    provenance = selection.provenance
    node = selection.one(selector)
    recipe = recipe_of(history, node)
    if recipe is None or recipe.code.source is None:
        what = f"{recipe.code.function}, a recipe of mgit" if recipe else "no recipe"
        raise NotFoundError(f"{selector} has {what}: there is no code to trust", hint="mgit ls")
    found = sources_of(provenance, node)
    if not found:
        raise AbsentError(f"the source of {recipe.code.function} is not here", hint="mgit fetch")
    names = history.names
    keys = {claim.key for claim in provenance.about(node, CREATION)}
    return Code(
        function=recipe.code.function,
        verbatim=found[0].verbatim,
        files=found[0].files,
        signers=", ".join(sorted(names.label_of(key) for key in keys)),
        is_trusted=repository.home.trusts_code(found[0].verbatim),
    )
