"""Settings that make no sense: told, and written anew from what the packs say."""

import contextlib

from mgit.digest import Digest
from mgit.errors import UsageError
from mgit.objects import Payload, Ref
from mgit.repository import History, Repository, genesis_documents, read_history
from mgit.store.files import machine_errors, replace
from mgit.sync import remotes

_NOWHERE = Digest(bytes(32))


def history_of(repository: Repository) -> History:
    """Returns what a repository holds; where its settings make no sense, as its packs say."""
    try:
        return repository.history()
    except UsageError:
        history = read_history(repository.store, _NOWHERE)
        found = genesis_documents(history)
        return read_history(repository.store, found[0]) if len(found) == 1 else history


def settings_fault(repository: Repository) -> str:
    """Returns what is wrong with the settings; empty if nothing is.

    That they name a repository that is not here is a fault of theirs if another one is: else the
    packs are at fault.
    """
    try:
        remotes(repository)
        own = repository.id
    except UsageError as error:
        return str(error)
    is_known = any(repository.store.catalog.all_places(Ref(Payload.kind, own)))
    others = genesis_documents(history_of(repository))
    if is_known or not others:
        return ""
    return f"the settings name repository {own.short}; here is {others[0].short}"


def settle(repository: Repository) -> bool:
    """Puts settings that make no sense aside and writes new ones; returns whether it did.

    What made sense in them is kept. Nothing is done unless exactly one repository is here.
    """
    if not settings_fault(repository):
        return False
    found = genesis_documents(read_history(repository.store, _NOWHERE))
    if len(found) != 1:
        return False
    settings = _sound_part(repository)
    path = repository.folder / "config.toml"
    with machine_errors("setting the settings aside"):
        if path.exists():
            repository.store.quarantine.mkdir(parents=True, exist_ok=True)
            replace(path, repository.store.quarantine / path.name)
    repository.write_settings({**settings, "repository": str(found[0])})
    return True


def _sound_part(repository: Repository) -> dict[str, object]:
    settings: dict[str, object] = {}
    with contextlib.suppress(UsageError):
        settings = repository.settings()
    table = settings.pop("remotes", None)
    named = table.items() if isinstance(table, dict) else ()
    sound = {
        name: described
        for name, described in named
        if isinstance(described, dict) and isinstance(described.get("url"), str)
    }
    return {**settings, "remotes": sound} if sound else settings
