"""Graphs between repositories: clone, fetch, push, backfill. Weights are never merged here."""

from mgit.sync.cloning import Backfilled, Cloned, backfill, clone
from mgit.sync.peer import meet
from mgit.sync.receiving import Fetched, NameChange, fetch, receive, receive_chunks
from mgit.sync.sending import Pushed, push, send
from mgit.sync.settings import Source, add_remote, is_remote, remotes, remove_remote

pull = fetch  # names follow from entries, so what is fetched is pulled; conflicts are in the result

__all__ = [
    "Backfilled",
    "Cloned",
    "Fetched",
    "NameChange",
    "Pushed",
    "Source",
    "add_remote",
    "backfill",
    "clone",
    "fetch",
    "is_remote",
    "meet",
    "pull",
    "push",
    "receive",
    "receive_chunks",
    "remotes",
    "remove_remote",
    "send",
]
