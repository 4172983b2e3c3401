"""A new repository, and the key of the person who makes it."""

import secrets
import shutil
import time
from pathlib import Path

from mgit.errors import UsageError
from mgit.objects import LEVEL, Member, RepositoryRoot, Role, digest_of
from mgit.repository import FOLDER, Home, Identity, Repository, install_objects
from mgit.signing import SigningKey
from mgit.store.files import machine_errors, replace

_PARTIAL = ".part"
_ABANDONED_S = 3600


def init(folder: Path, home: Home, *, label: str) -> Repository:
    """Makes a repository in ``folder``, owned by the person's key.

    Args:
        folder: Made if it does not exist.
        home: The person.
        label: What their key is called, if they have none yet.

    Raises:
        UsageError: There is a repository already.
    """
    if (folder / FOLDER).exists():
        raise UsageError(f"{folder} is a repository already", hint=f"mgit -C {folder} status")
    identity = own_identity(home, label)
    member = Member(identity.key.public, identity.label, frozenset(Role))
    root = RepositoryRoot(
        predecessors=(),
        nonce=secrets.token_bytes(16),
        level=LEVEL,
        members={member.key: member},
        thresholds=dict.fromkeys(Role, 1),
    )
    with machine_errors(f"making a repository in {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        partial = folder.absolute() / f"{FOLDER}-{secrets.token_hex(8)}{_PARTIAL}"
        (partial / "packs").mkdir(parents=True)
        _fill(Repository.at(partial, home), root, identity)
        replace(partial, folder.absolute() / FOLDER)  # a whole repository, or none
    repository = Repository.at(folder.absolute() / FOLDER, home)
    home.accept(repository.id, "made here")
    return repository


def _fill(repository: Repository, root: RepositoryRoot, identity: Identity) -> None:
    payload = root.payload()
    repository.write_settings({"repository": str(digest_of(payload))})
    install_objects(repository, [payload, identity.key.sign(payload)])


def _sweep(folder: Path) -> None:
    """Removes what an init that was killed left behind."""
    for partial in folder.glob(f"{FOLDER}-*{_PARTIAL}"):
        if time.time() - partial.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(partial, ignore_errors=True)


def own_identity(home: Home, label: str) -> Identity:
    """Returns the person's key; makes one called ``label`` if there is none."""
    if home.key_in_use() is None:
        return home.add_key(SigningKey.generate(), label)
    return home.identity()
