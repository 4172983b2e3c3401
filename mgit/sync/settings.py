"""The remotes of a repository, by name, as its settings hold them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mgit.digest import Digest
from mgit.errors import NotFoundError, UsageError
from mgit.objects.grammar import check_remote_name
from mgit.remote import connect, scheme_of
from mgit.repository import Repository, log_operation


@dataclass(frozen=True, slots=True)
class Source:
    """A remote, and what this copy wants from it.

    Attributes:
        name: Its name here, or its URL if it has none.
        url: Where it is.
        select: Selector of the nodes to fetch; empty: all.
        weights: Whether their weights are fetched too.
    """

    name: str
    url: str
    select: str = ""
    weights: bool = True


def remotes(repository: Repository) -> dict[str, str]:
    """Returns name -> URL."""
    return {name: source.url for name, source in _sources(repository).items()}


def add_remote(repository: Repository, name: str, url: str) -> None:
    """Adds a remote.

    Raises:
        UsageError: The name is taken, or the URL cannot be used.
    """
    check_remote_name(name)
    if name in _sources(repository):
        raise UsageError(f"there is a remote {name!r} already", hint=f"mgit remote remove {name}")
    connect(url)
    _write(repository, {name: {"url": absolute_url(url)}}, f"remote add {name}")


def remove_remote(repository: Repository, name: str) -> None:
    """Forgets a remote; what came from it stays.

    Raises:
        NotFoundError: There is none of that name.
    """
    table = repository.settings().get("remotes")
    if not isinstance(table, dict) or name not in table:
        raise NotFoundError(f"there is no remote {name!r}", hint="mgit remote list")
    _write(repository, {name: None}, f"remote remove {name}")


def write_first_settings(repository: Repository, repository_id: Digest, source: Source) -> None:
    """Writes the settings of a new copy: what it is a copy of, where it came from, its filter."""
    described: dict[str, object] = {"url": source.url, "weights": source.weights}
    if source.select:
        described["select"] = source.select
    repository.write_settings(
        {"repository": str(repository_id), "remotes": {source.name: described}}
    )
    log_operation(repository, f"clone {source.url}")


def is_remote(repository: Repository, word: str) -> bool:
    """Returns whether a word names a remote, or is a URL or the path of a folder.

    A bare word is no path: a folder is often called like the model that lies in it.
    """
    if word in _sources(repository) or "://" in word or word in {".", ".."}:
        return True
    return word.startswith(("/", "./", "../")) or ("/" in word and Path(word).is_dir())


def source_of(repository: Repository, word: str) -> Source:
    """Returns the remote that a word names: a remote, a URL, or, if it is empty, the usual one.

    Raises:
        NotFoundError: There is none.
    """
    sources = _sources(repository)
    if word in sources:
        return sources[word]
    if word and is_remote(repository, word):
        return Source(word, absolute_url(word))
    if not word and ("origin" in sources or len(sources) == 1):
        return sources.get("origin") or next(iter(sources.values()))
    known = ", ".join(sorted(sources)) or "none yet"
    raise NotFoundError(
        f"there is no remote {word or 'origin'!r} (there is: {known})",
        hint="mgit remote add origin URL; or give its path, a folder here as ./FOLDER",
    )


def _sources(repository: Repository) -> dict[str, Source]:
    table = repository.settings().get("remotes")
    sources = {}
    for name, described in table.items() if isinstance(table, dict) else ():
        match described:
            case {"url": str(url)}:
                select = str(described.get("select", ""))
                sources[name] = Source(name, url, select, described.get("weights") is not False)
            case _:
                raise UsageError(
                    f"remote {name!r} has no URL in the settings", hint=f"mgit remote remove {name}"
                )
    return sources


def _write(repository: Repository, change: Mapping[str, object], verb: str) -> None:
    with repository.writing():
        before = repository.settings()
        table = before.get("remotes")
        kept = {**table, **change} if isinstance(table, dict) else dict(change)
        after = {name: described for name, described in kept.items() if described is not None}
        repository.write_settings({**before, "remotes": after})
        log_operation(repository, verb, settings_before=before)


def absolute_url(url: str) -> str:
    """Returns a URL that means the same place from every folder."""
    is_path = scheme_of(url) == "file" and "://" not in url
    return str(Path(url).expanduser().absolute()) if is_path else url
