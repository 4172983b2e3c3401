"""A checkpoint becomes a node: the next version of a name, signed."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path

from mgit.adding.chunking import store_checkpoint
from mgit.adding.relating import bases_near
from mgit.checkpoint import Checkpoint, scan
from mgit.digest import Digest
from mgit.errors import AbsentError, ConflictError, DamagedError
from mgit.objects import (
    Edge,
    EdgeKind,
    MetaObject,
    Node,
    PackKind,
    Ref,
    Statement,
    digest_of,
)
from mgit.objects.grammar import check_label, check_name, check_tag
from mgit.progress import Progress, silent
from mgit.provenance import Provenance, creation_statement, tag_statement
from mgit.repository import (
    Chunks,
    History,
    Parts,
    Repository,
    Step,
    coding_of,
    install_objects,
    leased,
    now,
    record,
)
from mgit.selection import Selection
from mgit.store import Effort, PackWriter
from mgit.store.files import machine_errors

_MAX_CONFIG_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Description:
    """What a person says about a model that is added.

    Attributes:
        parents: ``SELECTOR`` or ``SELECTOR=ROLE`` of the models it was made from.
        operation: How it was made; empty: ``import``, or ``derive`` if it has parents.
        type: Kind of model; empty: taken from its ``config.json`` if there is one.
        message: Why, in words.
        tags: Tags it gets.
        meta: Further facts for the creation statement.
    """

    parents: Sequence[str] = ()
    operation: str = ""
    type: str = ""
    message: str = ""
    tags: Sequence[str] = ()
    meta: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Added:
    """What adding did.

    Attributes:
        node: The node that the name now points to.
        is_new: Whether it is a new version; else these very bytes were the version already, and
            of the description only new tags were kept.
        raw_bytes: Size of the checkpoint.
        stored_bytes: Bytes of the chunk packs that were written for it.
        is_aside: The key has no role here: the name shows up as ``@label/name``.
    """

    node: Digest
    is_new: bool
    raw_bytes: int
    stored_bytes: int
    is_aside: bool


@leased("add", is_writing=True)
def add(
    repository: Repository,
    path: str | PathLike[str],
    name: str,
    *,
    description: Description | None = None,
    exclude: Sequence[str] = (),
    effort: Effort = Effort.NORMAL,
    progress: Progress = silent,
) -> Added:
    """Adds a checkpoint as a new model, or as the next version of one.

    Args:
        repository: Where to.
        path: A safetensors file or a checkpoint folder.
        name: The model's name.
        description: What is known about it.
        exclude: Patterns of files in the folder that are left out.
        effort: How much work goes into storing less.
        progress: Is told how far the reading is.

    Raises:
        UsageError, NotFoundError, PickleError, FormatError: The checkpoint or the name is refused,
            or a setting.
        ConflictError: The name is a conflicted one.
        MachineError: No space, no permission.
    """
    started = now()
    repository.check_writable()
    repository.identity()  # so that a missing key is told before the work, not after it
    coding = coding_of(repository, effort)
    checkpoint = scan(Path(path), exclude=exclude)
    task = _Task(repository, check_name(name), description or Description(), checkpoint, started)
    for tag in task.description.tags:
        check_tag(tag)
    history = repository.history()
    edges = _edges(task, history)
    with repository.store.writer(PackKind.CHUNKS) as writer:
        bases = bases_near(repository, history, edges, checkpoint, coding)
        parts = store_checkpoint(checkpoint, writer, bases, progress)
        with repository.writing():
            return _publish(task, parts, writer)


@dataclass(frozen=True, slots=True)
class _Task:
    repository: Repository
    name: str
    description: Description
    checkpoint: Checkpoint
    started: str


def _publish(task: _Task, parts: Parts, writer: PackWriter) -> Added:
    """Writes node and entry as the repository stands now: somebody may have been faster."""
    history = task.repository.history()
    key = task.repository.identity().key.public
    chunks = Chunks(digest_of(parts.manifest), writer.finish())
    current = current_version(history, key, task.name)
    node = _same_version(task, history, chunks.manifest, current) if current else None
    if current and node:
        _heal(task, history, [*parts.objects(), node], chunks)
        node_id = current
    else:
        node = _new_node(task, history, chunks.manifest)
        node_id = digest_of(node)
        step = Step(
            verb=f"add {task.name}",
            moves={task.name: node_id},
            objects=[*parts.objects(), node],
            statements=_statements(task, node, node_id, key),
        )
        record(task.repository, history, step, chunks=chunks)
    return Added(
        node=node_id,
        is_new=node_id != current,
        raw_bytes=task.checkpoint.size_bytes,
        stored_bytes=sum(pack.size_bytes for pack in chunks.packs),
        is_aside=not history.may_move(key, task.name),
    )


def _new_node(task: _Task, history: History, manifest: Digest) -> Node:
    description = task.description
    model_type = description.type or _type_of(task.checkpoint)
    operation = description.operation or ("derive" if description.parents else "import")
    return Node(manifest, frozenset(_edges(task, history)), None, operation, model_type)


def _same_version(task: _Task, history: History, manifest: Digest, current: Digest) -> Node | None:
    """Returns the node that the name points to, if it holds these very bytes.

    A node that is damaged, or not here, is made again from what is known about it.

    Raises:
        DamagedError: It cannot be made again, so that nothing can be said to replace it.
    """
    if current in history.nodes:
        node = history.nodes[current]
        return node if node.manifest == manifest else None
    node = _new_node(task, history, manifest)
    made_from = {edge for edge in node.edges if edge.kind is EdgeKind.PROVENANCE}
    moves = [move for entry in history.ledger.entries.values() for move in entry.moves]
    before = {move.target for move in moves if move.name == task.name and move.target}
    for replaced in (set(), *({Edge(EdgeKind.VERSION, old)} for old in sorted(before))):
        candidate = replace(node, edges=frozenset(made_from | replaced))
        if digest_of(candidate) == current:
            return candidate
    raise DamagedError(
        f"the node that {task.name!r} points to is damaged, or not here",
        hint="mgit fsck; fetching from a copy brings it back: mgit fetch URL",
    )


def _heal(task: _Task, history: History, objects: list[MetaObject], chunks: Chunks) -> None:
    """Writes again what turns out to be damaged, and adds tags that are new."""
    store = task.repository.store
    for obj in objects:
        with contextlib.suppress(DamagedError, AbsentError):  # then it is noted, and written below
            store.reader.object(Ref(obj.kind, digest_of(obj)))
    install_objects(task.repository, objects, packs=chunks.packs)
    node_id, known = digest_of(objects[-1]), Provenance(history)
    fresh = [tag for tag in task.description.tags if tag not in known.tags(node_id)]
    if fresh:
        statements = [tag_statement(task.name, node_id, tag) for tag in fresh]
        verb = f"tag {task.name} {' '.join(fresh)}"
        record(task.repository, task.repository.history(), Step(verb, statements=statements))


def _statements(task: _Task, node: Node, node_id: Digest, key: bytes) -> list[Statement]:
    description = task.description
    external: dict[str, object] = {"name": task.name}
    if description.message:
        external["message"] = description.message
    if description.meta:
        external["meta"] = dict(description.meta)
    creation = creation_statement(
        task.name,
        node_id,
        node,
        key=key,
        external=external,
        started=task.started,
        finished=now(),
    )
    return [creation, *(tag_statement(task.name, node_id, tag) for tag in description.tags)]


def current_version(history: History, key: bytes, name: str) -> Digest | None:
    """Returns what the name points to for this key: its own word where it has no role.

    Raises:
        ConflictError: Several nodes.
    """
    targets = history.targets_for(key, name)
    if len(targets) > 1:
        raise ConflictError(
            f"{name!r} is a conflicted name: a new version of which side?",
            hint=f"settle it first: mgit resolve {name} --pick SIDE",
        )
    return next(iter(targets), None)


def _edges(task: _Task, history: History) -> set[Edge]:
    selection = Selection(task.repository, history)
    edges = set()
    for parent in task.description.parents:
        text, _, role = parent.rpartition("=") if "=" in parent else (parent, "", "base")
        edges.add(Edge(EdgeKind.PROVENANCE, selection.one(text), check_label(role)))
    key = task.repository.identity().key.public
    current = current_version(history, key, task.name)
    return edges | ({Edge(EdgeKind.VERSION, current)} if current else set())


def _type_of(checkpoint: Checkpoint) -> str:
    """The ``model_type`` of ``config.json``, or nothing: a wrong type is worse than none."""
    config = checkpoint.files.get("config.json")
    if config is None or config.size_bytes > _MAX_CONFIG_BYTES:
        return ""
    try:
        with machine_errors("reading config.json"):
            described = json.loads(config.source.read_bytes())
    except (ValueError, RecursionError):
        return ""
    found = described.get("model_type") if isinstance(described, dict) else None
    return found if isinstance(found, str) else ""
