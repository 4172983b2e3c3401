"""How this copy stands: what is conflicted, behind, absent, unreadable. ``mgit status``."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mgit.digest import Digest
from mgit.errors import MgitError
from mgit.objects import Ref
from mgit.repository import Repository
from mgit.viewing.person import OwnKey, own_key
from mgit.viewing.view import View


@dataclass(frozen=True, slots=True)
class ConflictedName:
    """A name that points to several nodes: side -> nodes."""

    name: str
    sides: dict[str, Digest]


@dataclass(frozen=True, slots=True)
class Behind:
    """A named node that an ancestor has moved on from.

    Attributes:
        title: What it is called.
        node: Its id.
        newer: Title of an ancestor -> titles of its newer versions that are in use.
    """

    title: str
    node: Digest
    newer: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class AbsentNodes:
    """Nodes of which the same part is absent for the same reason.

    Attributes:
        presence: What is here, in words.
        reason: Why the rest is not, in words.
        titles: What they are called.
    """

    presence: str
    reason: str
    titles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AsideName:
    """A name that a key without a role gave."""

    title: str
    node: Digest
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a copy.

    Attributes:
        repository: Its id.
        folder: Where it lies.
        key: The key that signs here; None if there is none that can be opened.
        names: How many names there are.
        nodes: How many nodes are here.
        conflicts: Conflicted names.
        behind: Named nodes that are behind an ancestor.
        absent: What is not here, by reason.
        aside: Names that keys without a role gave.
        unready: Files among the packs that are no complete pack -> reason.
        damaged: What could not be read, in words.
        remotes: Name -> URL.
    """

    repository: Digest
    folder: Path
    key: OwnKey | None
    names: int
    nodes: int
    conflicts: tuple[ConflictedName, ...]
    behind: tuple[Behind, ...]
    absent: tuple[AbsentNodes, ...]
    aside: tuple[AsideName, ...]
    unready: dict[str, str]
    damaged: tuple[str, ...]
    remotes: dict[str, str]


def status(repository: Repository) -> Status:
    """Returns how a copy stands."""
    view = View.of(repository)
    return Status(
        repository=view.history.repository,
        folder=repository.folder,
        key=_key(view),
        names=len(view.history.names.names()),
        nodes=len(view.history.nodes),
        conflicts=tuple(_conflicts(view)),
        behind=tuple(_behind(view)),
        absent=tuple(_absent(view)),
        aside=tuple(_aside(view)),
        unready=dict(sorted(repository.store.unready.items())),
        damaged=(*view.history.damaged, *_damaged_rows(repository)),
        remotes=_remotes(repository),
    )


def _key(view: View) -> OwnKey | None:
    try:
        return own_key(view.repository.identity(), view.history)
    except MgitError:  # reading needs no key; ``mgit whoami`` says what is wrong with it
        return None


def _conflicts(view: View) -> Iterator[ConflictedName]:
    names = view.history.names
    for name in names.names():
        if len(names.resolve(name)) > 1:
            sides = sorted(view.selection.sides(name).items())
            yield ConflictedName(name, dict(sides))


def _behind(view: View) -> Iterator[Behind]:
    names, here = view.history.names, view.history.nodes.keys()
    targets = {target for name in names.names() for target in names.resolve(name)}
    for node in sorted(targets & here, key=view.title):
        newer = view.selection.newer_ancestors(node)
        if newer:
            titles = {
                view.title(old): tuple(sorted(map(view.title, new))) for old, new in newer.items()
            }
            yield Behind(view.title(node), node, dict(sorted(titles.items())))


def _absent(view: View) -> Iterator[AbsentNodes]:
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for node in view.history.nodes:
        reason = view.absence(node)
        if reason:
            groups[view.presence(node), reason].append(view.title(node))
    for (state, reason), titles in sorted(groups.items()):
        yield AbsentNodes(state, reason, tuple(sorted(titles)))


def _aside(view: View) -> Iterator[AsideName]:
    for key, names in view.history.names.aside().items():
        person = view.person(key, has_role=False)
        for name, targets in sorted(names.items()):
            for target in sorted(targets):
                yield AsideName(f"@{person.label}/{name}", target, person.fingerprint)


def _damaged_rows(repository: Repository) -> list[str]:
    """Rows that are bad and of which no other pack has a good copy."""
    catalog = repository.store.catalog
    bad = []
    for pack, digest in sorted(catalog.damaged):
        kinds = catalog.packs[pack].kinds if pack in catalog.packs else ()
        if not any(Ref(kind, digest) in catalog for kind in kinds):
            bad.append(f"object {digest.short} in pack {pack.short}")
    return bad


def _remotes(repository: Repository) -> dict[str, str]:
    remotes = repository.settings().get("remotes")
    described = remotes.items() if isinstance(remotes, dict) else ()
    return {
        name: str(d["url"]) for name, d in sorted(described) if isinstance(d, dict) and "url" in d
    }
