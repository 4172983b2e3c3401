"""What is here and how it is called: the rows of ``mgit ls``."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from mgit.digest import Digest
from mgit.repository import Repository
from mgit.viewing.view import Person, View


class Standing(Enum):
    """What the name of a row is."""

    NAME = "name"  # a shared name that points to one node
    SIDE = "side"  # one of several nodes that a conflicted name points to
    ASIDE = "aside"  # said by a key without a role; moves no shared name
    UNNAMED = "unnamed"  # an old version, or a node that nothing points to


@dataclass(frozen=True, slots=True)
class NameRow:
    """A name, or a side of one, and what it points to.

    Attributes:
        name: As a selector takes it.
        standing: What kind of name that is.
        node: What it points to.
        version: Its number among the versions of its model; None where the node is not here.
        type: Kind of model; may be empty.
        operation: How the node came about.
        tags: Its tags.
        presence: How much of it is in this copy, in words.
        makers: Who made it.
    """

    name: str
    standing: Standing
    node: Digest
    version: int | None
    type: str
    operation: str
    tags: tuple[str, ...]
    presence: str
    makers: tuple[Person, ...]


def names(repository: Repository, selector: str = "") -> list[NameRow]:
    """Returns every name, side and aside name; or, of a selection, every node by its names.

    Raises:
        MgitError: See ``Selection.nodes``.
    """
    view = View.of(repository)
    pointed = sorted(set(_named(view)), key=lambda row: (row[1] is Standing.ASIDE, *row[::2]))
    if not selector:
        return [_row(view, *found) for found in pointed]
    selected = view.selection.nodes(selector)
    here = [found for found in pointed if found[2] in selected]
    unnamed = selected - {node for _, _, node in here}
    rest = [(view.title(node), Standing.UNNAMED, node) for node in unnamed]
    return [_row(view, *found) for found in (*here, *sorted(rest, key=lambda row: row[::2]))]


def _named(view: View) -> Iterable[tuple[str, Standing, Digest]]:
    shared = view.history.names
    for name in shared.names():
        targets = shared.resolve(name)
        if len(targets) == 1:
            yield name, Standing.NAME, next(iter(targets))
            continue
        for side, target in view.selection.sides(name).items():
            yield side, Standing.SIDE, target
    for key, said in shared.aside().items():
        label = shared.label_of(key)
        for name, targets in said.items():
            yield from ((f"@{label}/{name}", Standing.ASIDE, target) for target in targets)


def _row(view: View, name: str, standing: Standing, node: Digest) -> NameRow:
    known = view.history.nodes.get(node)
    return NameRow(
        name=name,
        standing=standing,
        node=node,
        version=view.history.lineage.version_number(node) if known else None,
        type=known.type if known else "",
        operation=known.operation if known else "",
        tags=tuple(sorted(view.selection.provenance.tags(node))),
        presence=view.presence(node),
        makers=view.makers(node),
    )
