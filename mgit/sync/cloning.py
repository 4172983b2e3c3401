"""A copy of a repository, or of a part of it; and weights that were left out at first."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mgit.digest import Digest
from mgit.errors import (
    AbsentError,
    DamagedError,
    ForbiddenError,
    MgitError,
    NotFoundError,
    RemoteError,
    UnknownCodecError,
    UsageError,
)
from mgit.objects import ROOT_TYPE, MetaObject, Payload, RepositoryRoot
from mgit.progress import Progress, silent
from mgit.remote import connect
from mgit.repository import FOLDER, Home, Presence, Repository, presence
from mgit.store.files import machine_errors
from mgit.sync.metadata import Metadata
from mgit.sync.peer import Peer, meet
from mgit.sync.receiving import Fetched, receive, selected_nodes
from mgit.sync.settings import Source, absolute_url, remotes, source_of, write_first_settings

_PIN_DIGITS = 12
_OF_NO_USE = (RemoteError, NotFoundError, ForbiddenError, DamagedError, UnknownCodecError)


@dataclass(frozen=True, slots=True)
class Cloned:
    """A new copy.

    Attributes:
        repository: The copy.
        repository_id: What it is a copy of.
        is_first_contact: The person never accepted this repository id before, and did not name it.
        nodes: Nodes that are here now.
        received_bytes: Bytes of chunks, as stored.
        conflicts: Names that are conflicted.
    """

    repository: Repository
    repository_id: Digest
    is_first_contact: bool
    nodes: int
    received_bytes: int
    conflicts: tuple[str, ...]


def clone(
    url: str,
    folder: Path,
    home: Home,
    *,
    select: str = "",
    weights: bool = True,
    progress: Progress = silent,
) -> Cloned:
    """Makes a copy of a repository in a folder; run again after a cut, it goes on where it was.

    Args:
        url: Where the repository is; ``URL#ID`` accepts that repository id and no other.
        folder: Where to.
        home: The person.
        select: Selector of the nodes to copy; empty: all.
        weights: Whether their weights are copied too.
        progress: Is told how far the transfer of chunks is.

    Raises:
        UsageError: The folder is in use, or several repositories are there and none was named.
        NotFoundError: No repository is there, or not the one that was named.
    """
    address, _, pinned = url.partition("#")
    source = Source("origin", absolute_url(address), select, weights)
    repository = _folder_for(folder, home, source.url)
    peer = meet(repository, source.url, connect(source.url))
    repository_id = _identify(repository, peer, pinned)
    is_first_contact = not pinned and not home.seen(repository_id)
    fetched = _fill(repository, repository_id, source, peer, progress)
    home.accept(repository_id, source.url)
    return Cloned(
        repository=repository,
        repository_id=repository_id,
        is_first_contact=is_first_contact,
        nodes=fetched.nodes,
        received_bytes=fetched.received_bytes,
        conflicts=fetched.conflicts,
    )


def _folder_for(folder: Path, home: Home, url: str) -> Repository:
    repository = Repository.at(folder.absolute() / FOLDER, home)
    if repository.folder.exists():
        is_begun = not repository.settings() and not repository.store.catalog.packs
        if is_begun or remotes(repository).get("origin") == url:
            return repository  # an earlier clone was cut off
        raise UsageError(f"{folder} is a repository already", hint=f"mgit -C {folder} pull")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", hint="give a folder that does not exist")
    return repository


def _identify(repository: Repository, peer: Peer, pinned: str) -> Digest:
    """Returns the id of the repository at a peer: the one named, or the only one there."""
    metadata = Metadata(repository, peer).unknown()
    found = sorted(ref.digest for ref, obj in metadata.items() if _is_genesis(obj))
    known = repository.settings().get("repository")
    if isinstance(known, str):
        found = [Digest.from_text(known)]  # an earlier clone into this folder was cut off
    if not found:
        raise NotFoundError(f"no repository is at {peer.name}", hint="look at the URL again")
    if pinned:
        return _named(found, pinned, peer.name)
    if len(found) > 1:
        ids = ", ".join(digest.short for digest in found)
        raise UsageError(
            f"{len(found)} repositories are at {peer.name}: {ids}",
            hint=f"say which one: mgit clone {peer.name}#{found[0].short}",
        )
    return found[0]


def _is_genesis(obj: MetaObject) -> bool:
    if not isinstance(obj, Payload) or obj.type != ROOT_TYPE:
        return False
    return not RepositoryRoot.from_payload(obj).predecessors


def _named(found: list[Digest], pinned: str, url: str) -> Digest:
    digits = pinned.removeprefix("sha256:")
    matching = [digest for digest in found if digest.hex().startswith(digits)]
    if len(digits) < _PIN_DIGITS or len(matching) != 1:
        raise NotFoundError(
            f"repository {pinned!r} is not at {url}; there is {found[0].short}",
            hint=f"ask its owner for the id, at least {_PIN_DIGITS} digits: mgit status",
        )
    return matching[0]


def _fill(
    repository: Repository, repository_id: Digest, source: Source, peer: Peer, progress: Progress
) -> Fetched:
    is_new_folder = not repository.folder.parent.exists()
    with machine_errors(f"making {repository.folder.parent}"):
        (repository.folder / "packs").mkdir(parents=True, exist_ok=True)
    if not repository.settings():
        write_first_settings(repository, repository_id, source)
    try:
        return receive(repository, source, peer.remote, progress)
    except BaseException:
        if not repository.store.catalog.packs:  # nothing came that a second run could go on from
            doomed = repository.folder.parent if is_new_folder else repository.folder
            shutil.rmtree(doomed, ignore_errors=True)
        raise


@dataclass(frozen=True, slots=True)
class Backfilled:
    """What a backfill brought.

    Attributes:
        remotes: Remotes that were asked.
        nodes: Nodes that are complete now.
        received_bytes: Bytes of chunks, as stored.
    """

    remotes: tuple[str, ...]
    nodes: int
    received_bytes: int


def backfill(
    repository: Repository, selector: str, remote: str = "", *, progress: Progress = silent
) -> Backfilled:
    """Fetches the weights of nodes that were left out, from one remote or from all that have some.

    Raises:
        AbsentError: No remote has all of them.
        RemoteError: The only remote cannot be reached.
        UnknownCodecError: What came cannot be decoded here.
    """
    received = 0
    failures: list[MgitError] = []
    history = repository.history()
    wanted = selected_nodes(repository, history, selector, takes_all_sides=False)
    lacking = _incomplete(repository, wanted)
    complete_before = len(wanted) - len(lacking)
    names = [remote] if remote else _usual_first(repository)
    for name in names if lacking else ():
        source = replace(source_of(repository, name), select=selector, weights=True)
        try:
            received += receive(repository, source, connect(source.url), progress).received_bytes
        except _OF_NO_USE as error:
            failures.append(error)  # another remote may have them
        lacking = _incomplete(repository, wanted)
        if not lacking:
            break
    if lacking and failures:
        raise failures[0]
    if lacking:
        raise AbsentError(
            f"{len(lacking)} of {len(wanted)} nodes are still without weights after asking"
            f" {', '.join(names)}",
            hint="add a remote that has them: mgit remote add NAME URL",
        )
    return Backfilled(tuple(names), len(wanted) - complete_before, received)


def _incomplete(repository: Repository, nodes: Iterable[Digest]) -> list[Digest]:
    history = repository.history()
    states = ((node, presence(repository, history.nodes[node])) for node in nodes)
    return [node for node, state in states if state is not Presence.COMPLETE]


def _usual_first(repository: Repository) -> list[str]:
    names = sorted(remotes(repository), key=lambda name: (name != "origin", name))
    return names or [source_of(repository, "").name]
