"""What belongs to the person, not to a repository: keys, trust, caches.

Trust lies outside the repository folder because the folder itself may come from a stranger.
"""

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import tomli_w

from mgit.digest import Digest
from mgit.errors import NotFoundError, TrustError, UsageError
from mgit.objects.grammar import check_label
from mgit.signing import SigningKey
from mgit.store.files import locked, machine_errors, write_whole


@dataclass(frozen=True, slots=True)
class Identity:
    """The key that signs, and what its owner calls it."""

    key: SigningKey
    label: str


@dataclass(frozen=True, slots=True)
class Home:
    """A person's configuration and caches.

    Attributes:
        config: Folder of keys and trust.
        cache: Folder of caches; deleting it loses nothing.
        passphrase: For encrypted keys, or None.
    """

    config: Path
    cache: Path
    passphrase: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Returns the home that ``MGIT_CONFIG_HOME``, the XDG folders or ``HOME`` name."""
        home = Path(environment.get("HOME") or Path.home())
        config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "mgit"
        cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache") / "mgit"
        if own := environment.get("MGIT_CONFIG_HOME"):
            config, cache = Path(own).absolute(), Path(own).absolute() / "cache"
        return cls(config, cache, environment.get("MGIT_PASSPHRASE"))

    def cache_of(self, folder: Path) -> Path:
        """Returns where caches of the repository in ``folder`` lie."""
        name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:24]
        return self.cache / name

    def labels(self) -> list[str]:
        """Returns the labels of the keys here."""
        with machine_errors("listing keys"):
            return sorted(path.stem for path in (self.config / "keys").glob("*.pem"))

    def identity(self, label: str | None = None) -> Identity:
        """Returns the key of that label, or the one in use.

        Raises:
            NotFoundError: There is none.
            TrustError: It cannot be opened, or others may read it.
        """
        label = label or self.key_in_use()
        if label is None:
            raise NotFoundError("you have no signing key", hint="mgit key new --as LABEL")
        path = self._key_path(label)
        if not path.is_file():
            raise NotFoundError(f"you have no key called {label!r}", hint="mgit key list")
        with machine_errors("reading the signing key"):
            if path.stat().st_mode & 0o077:
                raise TrustError(f"others may read {path}", hint=f"chmod 600 {path}")
            return Identity(SigningKey.from_pem(path.read_bytes(), self.passphrase), label)

    def key_in_use(self) -> str | None:
        """Returns the label of the key that signs, or None where there is none."""
        chosen = self._settings().get("key")
        labels = self.labels()
        if isinstance(chosen, str) and chosen in labels:
            return chosen
        return labels[0] if labels else None

    def add_key(self, key: SigningKey, label: str) -> Identity:
        """Keeps a key under a label; the first one is used from now on.

        Raises:
            UsageError: The label is taken or not allowed.
        """
        path = self._key_path(check_label(label))
        if path.exists():
            raise UsageError(f"you have a key called {label!r} already", hint="mgit key list")
        with machine_errors("writing the signing key"):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(path, key.to_pem(self.passphrase), mode=0o600)
        if len(self.labels()) == 1:
            self.use_key(label)
        return Identity(key, label)

    def use_key(self, label: str) -> None:
        """Makes the key of that label the one that signs; NotFoundError where there is none."""
        if label not in self.labels():
            raise NotFoundError(f"you have no key called {label!r}", hint="mgit key list")
        self._write_settings({**self._settings(), "key": label})

    def trusted_folders(self) -> list[str]:
        """Returns the folders of other users that this person writes into."""
        folders = self._settings().get("folders", [])
        return [str(f) for f in folders] if isinstance(folders, list) else []

    def trust_folder(self, folder: Path) -> None:
        """Allows writing into a repository folder that belongs to another user."""
        folders = sorted({*self.trusted_folders(), str(folder.resolve())})
        self._write_settings({**self._settings(), "folders": folders})

    def seen(self, repository: Digest) -> bool:
        """Returns whether this person has accepted a repository id before."""
        return self._trust_path(repository).is_file()

    def accept(self, repository: Digest, source: str) -> None:
        """Remembers that this person accepted a repository id, and from where."""
        path = self._trust_path(repository)
        with machine_errors("writing what you trust"):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(path, tomli_w.dumps({"accepted-from": source}).encode())

    def trusts_code(self, verbatim: Digest) -> bool:
        """Returns whether this person lets source of that verbatim digest run."""
        return isinstance(self._code().get(verbatim.hex()), dict)

    def trust_code(self, verbatim: Digest, about: str) -> None:
        """Lets source of that digest run from now on; ``about`` says what it is."""
        if self.trusts_code(verbatim):
            return  # when, and as what, it was first trusted stays
        with machine_errors("writing what you trust"):
            self.config.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(self.config / "code.lock"), machine_errors("writing what you trust"):
            since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            code = {**self._code(), verbatim.hex(): {"about": about, "since": since}}
            write_whole(self.config / "code.toml", tomli_w.dumps(code).encode())

    def _code(self) -> dict[str, object]:
        return read_toml(self.config / "code.toml")

    def _trust_path(self, repository: Digest) -> Path:
        return self.config / "trust" / f"{repository.hex()}.toml"

    def _key_path(self, label: str) -> Path:
        return self.config / "keys" / f"{label}.pem"

    def _settings(self) -> dict[str, object]:
        return read_toml(self.config / "config.toml")

    def _write_settings(self, settings: Mapping[str, object]) -> None:
        with machine_errors("writing your settings"):
            self.config.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self.config / "config.toml", tomli_w.dumps(settings).encode())


def read_toml(path: Path) -> dict[str, object]:
    """Returns a settings file; empty where there is none.

    Raises:
        UsageError: It is not TOML.
    """
    try:
        with machine_errors("reading settings"):
            return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}", hint="mend or remove the file") from error
