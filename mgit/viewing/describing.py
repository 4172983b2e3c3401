"""One node with everything that is known and claimed about it: ``mgit show``."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mgit.digest import Digest
from mgit.objects import CREATION, NOTE, SCORES, TAG, TEST_RESULT, WITHDRAWAL
from mgit.provenance import Claim
from mgit.repository import Parts, Repository
from mgit.viewing.past import ParentLink, creation_facts, parent_links
from mgit.viewing.view import Person, View

_WORDS = {
    CREATION: "creation",
    TAG: "tag",
    NOTE: "note",
    TEST_RESULT: "test",
    SCORES: "scores",
    WITHDRAWAL: "withdrawal",
}


@dataclass(frozen=True, slots=True)
class TensorSummary:
    """The tensors of a node.

    Attributes:
        count: How many.
        parameters: Their elements.
        size_bytes: Their bytes.
        dtypes: Element type -> elements of it.
    """

    count: int
    parameters: int
    size_bytes: int
    dtypes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file that is kept whole."""

    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A claim about a node.

    Attributes:
        kind: ``creation``, ``tag``, ``note``, or the URI of another predicate type.
        text: What is claimed, in short.
        predicate: What is claimed, whole.
        by: Who claims it.
        payload: Digest of what was signed.
    """

    kind: str
    text: str
    predicate: Mapping[str, object]
    by: Person
    payload: Digest


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node.

    Attributes:
        node: Its id.
        title: The shortest way to call it.
        names: Every shared name that points to it.
        version: Its number among the versions of its model.
        operation: How it came about.
        type: Kind of model; may be empty.
        manifest: Digest of its manifest.
        content: Its content id; None where that is not in this copy.
        parents: Its edges.
        children: How many nodes here were made from it, or replace it.
        presence: How much of it is in this copy, in words.
        absence: Why something is absent; empty where nothing is.
        tensors: Its tensors; None where they are not described in this copy.
        files: Its other files; None likewise.
        tags: Its tags.
        notes: Its notes.
        time: When it was made, as its maker says.
        message: Why, as its maker says.
        makers: Who made it.
        statements: All claims about it.
    """

    node: Digest
    title: str
    names: tuple[str, ...]
    version: int
    operation: str
    type: str
    manifest: Digest
    content: Digest | None
    parents: tuple[ParentLink, ...]
    children: int
    presence: str
    absence: str
    tensors: TensorSummary | None
    files: tuple[FileRow, ...] | None
    tags: tuple[str, ...]
    notes: tuple[StatementRow, ...]
    time: str
    message: str
    makers: tuple[Person, ...]
    statements: tuple[StatementRow, ...]


def show(repository: Repository, selector: str) -> NodeView:
    """Returns one node and the claims about it.

    Raises:
        MgitError: See ``Selection.one``.
    """
    view = View.of(repository)
    node = view.selection.one(selector)
    known, lineage = view.history.nodes[node], view.history.lineage
    parts = view.parts(node)
    statements = tuple(_statements(view, node))
    time, message = creation_facts(view, node)
    return NodeView(
        node=node,
        title=view.title(node),
        names=tuple(n for n in view.history.names.names() if node in view.history.names.resolve(n)),
        version=lineage.version_number(node),
        operation=known.operation,
        type=known.type,
        manifest=known.manifest,
        content=parts.manifest.content if parts else None,
        parents=parent_links(view, node),
        children=len(lineage.children(node)),
        presence=view.presence(node),
        absence=view.absence(node),
        tensors=_tensors(parts) if parts else None,
        files=_files(parts) if parts else None,
        tags=tuple(sorted(view.selection.provenance.tags(node))),
        notes=tuple(row for row in statements if row.kind == _WORDS[NOTE]),
        time=time,
        message=message,
        makers=view.makers(node),
        statements=statements,
    )


def _tensors(parts: Parts) -> TensorSummary:
    entries = parts.weights.tensors.values()
    dtypes: Counter[str] = Counter()
    for entry in entries:
        dtypes[entry.dtype] += math.prod(entry.shape)
    size = sum(entry.size_bytes for entry in entries)
    return TensorSummary(len(entries), dtypes.total(), size, dict(sorted(dtypes.items())))


def _files(parts: Parts) -> tuple[FileRow, ...]:
    found = sorted(parts.files().items())
    return tuple(FileRow(path, file.size_bytes) for path, file in found)


def _statements(view: View, node: Digest) -> Iterator[StatementRow]:
    kinds = {
        statement.predicate_type
        for statement in view.history.statements.values()
        if any(subject.ref.digest == node for subject in statement.subjects)
    }
    for kind in sorted(kinds, key=lambda k: (k not in _WORDS, _WORDS.get(k, k))):
        for claim in view.selection.provenance.about(node, kind):
            yield _statement(view, claim)


def _statement(view: View, claim: Claim) -> StatementRow:
    said = claim.statement
    by = view.person(claim.key, has_role=claim.is_trusted)
    kind = _WORDS.get(said.predicate_type, said.predicate_type)
    return StatementRow(kind, _in_short(said.predicate), said.predicate, by, claim.payload)


def _in_short(predicate: Mapping[str, object]) -> str:
    """The tag, the note's text, or the operation; strangers write statements, so maybe nothing."""
    match predicate:
        case {"tag": str(text)} | {"text": str(text)}:
            return text
        case {"buildDefinition": {"externalParameters": {"operation": str(text)}}}:
            return text
        case {"result": str(text), "configuration": [{"name": str(check)}]}:
            return f"{check}: {text.lower()}"
        case {"measured": {"scores": dict(scores)}}:
            return ", ".join(f"{name} {score:.4g}" for name, score in scores.items())
        case _:
            return ""
