"""A handle on a repository: opens a folder, holds its store, settings and owner's keys."""

import os
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

import tomli_w

from mgit.digest import Digest
from mgit.errors import FormatError, NotFoundError, TrustError, UsageError
from mgit.objects import Content, Layout, Manifest, PackId, Ref, Weights, decode
from mgit.repository.history import History, genesis_documents, more_history, read_history
from mgit.repository.home import Home, Identity, read_toml
from mgit.store import Facts, Store
from mgit.store.files import locked, machine_errors, write_whole

FOLDER = ".mgit"
Part = TypeVar("Part", Weights, Content, Layout, Manifest)


@dataclass(frozen=True, slots=True)
class Repository:
    """An open repository.

    Attributes:
        folder: Its ``.mgit`` folder.
        home: Keys and trust of the person using it.
        store: Its packs.
    """

    folder: Path
    home: Home
    store: Store
    _last: dict[Hashable, tuple[frozenset[PackId], History]] = field(
        default_factory=dict, repr=False
    )
    _contents: dict[Digest, Digest] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, path: Path, home: Home) -> Self:
        """Returns the repository that ``path`` lies in.

        Raises:
            NotFoundError: It lies in none.
        """
        for parent in (path.absolute(), *path.absolute().parents):
            if (parent / FOLDER / "packs").is_dir():
                return cls.at(parent / FOLDER, home)
        raise NotFoundError(
            f"{path} is not in a repository", hint="make one with: mgit init, or: mgit clone URL"
        )

    @classmethod
    def at(cls, folder: Path, home: Home) -> Self:
        """Returns the repository whose ``.mgit`` folder is ``folder``."""
        return cls(folder, home, Store(folder, home.cache_of(folder)))

    @property
    def id(self) -> Digest:
        """The repository's own id: digest of its genesis document."""
        own = self.settings().get("repository")
        if isinstance(own, str):
            try:
                return Digest.from_text(own)
            except ValueError as error:
                raise UsageError(
                    f"{self.folder / 'config.toml'} names no repository: {error}",
                    hint='correct the line: repository = "sha256:…"',
                ) from error
        found = genesis_documents(read_history(self.store, Digest(bytes(32))))
        if len(found) != 1:
            raise UsageError(
                f"{len(found)} repositories lie in {self.folder}, and its settings name none",
                hint=f'write repository = "sha256:…" into {self.folder / "config.toml"}',
            )
        return found[0]

    def history(self) -> History:
        """Returns what the repository holds now; reads only packs that came since the last time."""
        self.store.refresh()
        catalog = self.store.catalog
        packs, damaged = frozenset(catalog.packs), frozenset(catalog.damaged)
        own = self.id
        nothing = frozenset[PackId](), History(own, {})
        known, history = self._last.get((own, damaged), nothing)
        if not known <= packs:
            known, history = nothing
        if known != packs:
            history = more_history(self.store, history, sorted(packs - known))
        self._last.clear()
        self._last[own, damaged] = packs, history
        return history

    def identity(self) -> Identity:
        """Returns the key that signs here."""
        return self.home.identity()

    def part(self, kind: type[Part], digest: Digest) -> Part:
        """Returns a part of a manifest; AbsentError where it is not here."""
        obj = decode(self.store.reader.object(Ref(kind.kind, digest)))
        if not isinstance(obj, kind):
            raise FormatError(f"{digest.short} is not a {kind.kind}")
        return obj

    def content_of(self, manifest: Digest) -> Digest:
        """Returns the content id in a manifest, read once; AbsentError where it is not here."""
        if manifest not in self._contents:
            self._contents[manifest] = self.part(Manifest, manifest).content
        return self._contents[manifest]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Holds the lock under which entries are written.

        Raises:
            TrustError: The folder belongs to another user and was not trusted.
        """
        self.check_writable()
        with locked(self.folder / "local" / "lock"):
            yield

    def check_writable(self) -> None:
        """Raises TrustError if the folder belongs to another user who is not trusted."""
        owner = self.folder.stat().st_uid
        if owner == os.getuid() or str(self.folder.resolve()) in self.home.trusted_folders():
            return
        raise TrustError(
            f"{self.folder} belongs to another user (id {owner}); it is read-only to you",
            hint=f"mgit trust folder {self.folder.parent}",
        )

    def facts(self, name: str) -> Facts:
        """Returns a list of durable facts of this copy."""
        return Facts(self.folder / "local" / name)

    def settings(self) -> dict[str, object]:
        """Returns the repository's settings: data only, they can enable nothing."""
        return read_toml(self.folder / "config.toml")

    def write_settings(self, settings: Mapping[str, object]) -> None:
        """Replaces the settings."""
        with machine_errors("writing the settings"):
            write_whole(self.folder / "config.toml", tomli_w.dumps(settings).encode())
