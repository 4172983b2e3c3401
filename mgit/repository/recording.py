"""Writing one step: objects, statements and a signed entry become visible together."""

import contextlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mgit.canonical import Value
from mgit.digest import Digest
from mgit.errors import DamagedError, MgitError, TrustError, UsageError
from mgit.objects import (
    LEVEL,
    LIMITS,
    MAX_SUPERSEDED,
    Check,
    Entry,
    MetaObject,
    Move,
    PackKind,
    Payload,
    Recipe,
    Ref,
    Statement,
    digest_of,
    encode,
)
from mgit.objects.grammar import check_name
from mgit.repository.handle import Repository
from mgit.repository.history import History
from mgit.repository.home import Identity
from mgit.store import FinishedPack, PackWriter, Store, crowd, write_together

_AS_PARTS = "leave files out with --exclude, or add the parts as several models"
_AS_DATA = "give what is large as data: --data NAME=PATH"
# Kind of object -> what makes one too large, and what to do. Whoever reads a source weighs it.
_TOO_LARGE = {
    Recipe.kind: ("the arguments of a recipe", _AS_DATA),
    Check.kind: ("the arguments and gates of a check", _AS_DATA),
    Payload.kind: ("a statement with the source and arguments that it tells", _AS_DATA),
}


@dataclass(frozen=True, slots=True)
class Step:
    """What one command does to a repository.

    Attributes:
        verb: For the operation log: what was done, in the words of the command line.
        moves: Name -> node it points to from now on, or None.
        objects: Metadata objects to be kept, parts before what cites them.
        statements: Claims made in this step.
        also_replaces: Name -> entries that its move names as replaced besides the live ones.
        undoes: Number of the operation that it takes back, or None.
    """

    verb: str
    moves: Mapping[str, Digest | None] = field(default_factory=dict)
    objects: Sequence[MetaObject] = ()
    statements: Sequence[Statement] = ()
    also_replaces: Mapping[str, frozenset[Digest]] = field(default_factory=dict)
    undoes: int | None = None


@dataclass(frozen=True, slots=True)
class Chunks:
    """Chunk packs that become visible with a step, and the manifest they belong to."""

    manifest: Digest
    packs: Sequence[FinishedPack]


def record(
    repository: Repository, history: History, *steps: Step, chunks: Chunks | None = None
) -> Digest:
    """Writes steps, all or none, and returns the digest of the last entry.

    The entries of several steps stand beside each other: none replaces one of the others. The
    caller holds the lock.

    Raises:
        NotFoundError, TrustError: There is no usable signing key.
    """
    identity = repository.identity()
    objects: list[MetaObject] = []
    written: list[Digest] = []
    for step in steps:
        entry = new_entry(history, identity, step, beside=frozenset(written)).payload()
        signed = [statement.payload() for statement in step.statements] + [entry]
        arrived = [*step.objects, *_with_signatures(signed, identity)]
        history = history.with_objects({digest_of(obj): obj for obj in arrived})
        objects += arrived
        written.append(digest_of(entry))
    _install(repository, objects, steps[0], written[0], chunks)
    return written[-1]


def _install(
    repository: Repository,
    objects: list[MetaObject],
    step: Step,
    entry: Digest,
    chunks: Chunks | None,
) -> None:
    hint: dict[str, Value] = {}
    if chunks:
        hint = {"chunks": ((chunks.manifest, tuple(pack.pack for pack in chunks.packs)),)}
    undone = {} if step.undoes is None else {"undoes": step.undoes}
    with repository.store.writer(PackKind.META) as writer:
        add_objects(writer, repository, objects)
        packs = writer.finish(hint)
        # logged first: a command that fails must not have moved a name, and an operation whose
        # entry is not here is no operation
        log_operation(repository, step.verb, entry=entry.hex(), **undone)
        repository.store.install([*(chunks.packs if chunks else ()), *packs])
    _consolidate(repository.store)


def _consolidate(store: Store) -> None:
    """Adds a pack that stands for many small ones, where there are so many of them."""
    condemned = store.catalog.condemned
    found = crowd({p: index for p, index in store.catalog.packs.items() if p not in condemned})
    with contextlib.suppress(MgitError):  # what was to be done is done without it
        if found:
            with store.writer(PackKind.META) as writer:
                store.install(write_together(found, store.reader.stored, writer))


def require_member(repository: Repository, history: History, what: str) -> None:
    """Refuses what would be written and then count for nothing.

    Args:
        repository: Where.
        history: What it holds.
        what: What the person is about to say: ``a tag``.

    Raises:
        TrustError: The person's key has no role here.
    """
    identity = repository.identity()
    roots = (history.ledger.roots[head] for head in history.names.root_heads)
    if any(identity.key.public not in root.members for root in roots):
        raise TrustError(
            f"your key {identity.label!r} has no role here: {what} of yours would not count",
            hint="ask a root key for the role: mgit trust add YOUR-KEY --role maintainer",
        )


def new_entry(
    history: History, identity: Identity, step: Step, *, beside: frozenset[Digest] = frozenset()
) -> Entry:
    """Returns the entry that says ``step`` after everything in ``history``.

    Its moves replace what is live, but for the entries that it is to stand ``beside``.
    """
    key, names = identity.key.public, history.names
    moves = tuple(
        Move(check_name(name), target, _replaced(history, step, key, name, beside))
        for name, target in sorted(step.moves.items())
    )
    return Entry(
        repository=history.repository,
        key=key,
        label=identity.label,
        previous=tuple(sorted(names.log_heads(key))),
        root=_root_for(history, key),
        nonce=secrets.token_bytes(16),
        level=LEVEL,
        moves=moves,
        claims=tuple(digest_of(statement.payload()) for statement in step.statements),
    )


def _replaced(
    history: History, step: Step, key: bytes, name: str, beside: frozenset[Digest]
) -> tuple[Digest, ...]:
    """The entries that a move replaces; settling more than MAX_SUPERSEDED takes several steps."""
    live = history.names.replaced_by(key, name) - beside
    also = step.also_replaces.get(name, frozenset()) - live
    return tuple(sorted([*sorted(live), *sorted(also)][:MAX_SUPERSEDED]))


def add_objects(writer: PackWriter, repository: Repository, objects: Iterable[MetaObject]) -> None:
    """Adds those objects to a pack that the repository does not hold."""
    for obj in objects:
        data = encode(obj)
        if len(data) > LIMITS.get(obj.kind, len(data)):
            what, hint = _TOO_LARGE.get(obj.kind, (f"the {obj.kind} of a checkpoint", _AS_PARTS))
            raise UsageError(
                f"too large: {what}, {len(data):,} bytes; at most {LIMITS[obj.kind]:,} can be kept",
                hint=hint,
            )
        ref = Ref(obj.kind, Digest.of(data))
        if ref not in repository.store.catalog and ref not in writer:
            writer.add_object(ref, data)


def now() -> str:
    """Returns the time by this machine's clock (RFC 3339, UTC): shown to people, never compared."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def install_objects(
    repository: Repository, objects: Iterable[MetaObject], *, packs: Sequence[FinishedPack] = ()
) -> int:
    """Makes objects part of a repository, all at once; returns how many were new.

    Args:
        repository: Where to. The caller holds the lock where names may move by it.
        objects: Parts before what cites them.
        packs: Packs that become visible before them.
    """
    with repository.store.writer(PackKind.META) as writer:
        add_objects(writer, repository, objects)
        fresh = writer.finish()
        if packs or fresh:
            repository.store.install([*packs, *fresh])
    _consolidate(repository.store)
    return sum(len(pack.index) for pack in fresh)


def log_operation(repository: Repository, verb: str, **details: object) -> None:
    """Notes in the local operation log what was done."""
    repository.facts("operations").append({"time": now(), "verb": verb, **details})


def _with_signatures(payloads: Iterable[Payload], identity: Identity) -> list[MetaObject]:
    return [obj for payload in payloads for obj in (payload, identity.key.sign(payload))]


def _root_for(history: History, key: bytes) -> Digest:
    """The newest root that knows the key, or any newest one: others see what its writer saw."""
    roots = history.ledger.roots
    heads = sorted(history.names.root_heads)
    if not heads:
        raise DamagedError(
            f"the genesis document of repository {history.repository.short} is damaged or gone",
            hint="mgit fsck; fetching from any copy brings it back: mgit fetch URL",
        )
    return next((head for head in heads if key in roots[head].members), heads[0])
