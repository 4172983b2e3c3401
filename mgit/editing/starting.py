"""A new repository, and the key of the person who makes it."""

import secrets
from pathlib import Path

from mgit.errors import UsageError
from mgit.objects import LEVEL, Member, PackKind, RepositoryRoot, Role, digest_of
from mgit.repository import FOLDER, Home, Identity, Repository, add_objects
from mgit.signing import SigningKey
from mgit.store.files import machine_errors


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
    payload = root.payload()
    repository_id = digest_of(payload)
    with machine_errors(f"making a repository in {folder}"):
        (folder / FOLDER / "packs").mkdir(parents=True)
    repository = Repository.at(folder.absolute() / FOLDER, home)
    repository.write_settings({"repository": str(repository_id)})
    with repository.store.writer(PackKind.META) as writer:
        add_objects(writer, repository, [payload, identity.key.sign(payload)])
        repository.store.install(writer.finish())
    home.accept(repository_id, "made here")
    return repository


def own_identity(home: Home, label: str) -> Identity:
    """Returns the person's key; makes one called ``label`` if there is none."""
    if home.key_in_use() is None:
        return home.add_key(SigningKey.generate(), label)
    return home.identity()
