"""A person's own recipe makes a model, or several at once, and names get to point to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mgit.adding.publishing import current_version
from mgit.building.asking import Request, asked_work
from mgit.building.making import make
from mgit.building.nodes import Model, creation_of, node_of, type_of
from mgit.building.results import Made, Results
from mgit.building.work import Work
from mgit.digest import Digest
from mgit.errors import MovedError, UsageError
from mgit.execution import open_executor
from mgit.objects import EdgeKind, MetaObject, Node, Statement, digest_of
from mgit.objects.grammar import check_name, check_tag
from mgit.provenance import tag_statement
from mgit.repository import History, Repository, Step, leased, parts_of, record


@dataclass(frozen=True, slots=True)
class Words:
    """What a person says about models that are built.

    Attributes:
        operation: How they are made, in a word; empty: as the recipe says.
        type: Kind of model; empty: that of the parents.
        message: Why.
        tags: Tags they get.
    """

    operation: str = ""
    type: str = ""
    message: str = ""
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Built:
    """One model that was built.

    Attributes:
        name: What it is called.
        node: The node that the name points to now.
        content: Its content id.
        is_new: Whether it is a new version; else this very model was the version already.
        is_known: Whether its result was known, so that nothing ran.
        duration_s: How long the recipe ran when it ran.
        raw_bytes: Size of the checkpoint.
        is_aside: The key has no role here: the name shows up as ``@label/name``.
    """

    name: str
    node: Digest
    content: Digest
    is_new: bool
    is_known: bool
    duration_s: float
    raw_bytes: int
    is_aside: bool


@leased("build", is_writing=True)
def build(
    repository: Repository,
    names: str | Mapping[str, str],
    request: Request,
    *,
    words: Words | None = None,
    executor: str = "process",
) -> tuple[Built, ...]:
    """Runs a recipe and adds what it makes; nothing runs if the result is known.

    Args:
        repository: Where to.
        names: The model's name; for a recipe of several models: what the recipe calls them ->
            their names.
        request: The recipe, and what it is given.
        words: What is known besides.
        executor: Where it runs: ``inline``, ``process`` or ``ray``.

    Raises:
        RunError: The recipe raised, took too long, or made no model.
        UsageError, NotFoundError: Something that was asked for is refused.
        AbsentError: Weights of a parent are not here.
        ConflictError: A name is a conflicted one.
        MovedError: Somebody else moved a name meanwhile.
    """
    words = words or Words()
    named = {"": names} if isinstance(names, str) else dict(names)
    _check(named, words)
    repository.check_writable()
    key = repository.identity().key.public  # a missing key is told before the work
    history = repository.history()
    targets = {name: current_version(history, key, name) for name in named.values()}
    replaced = sorted({target for target in targets.values() if target})
    work = asked_work(repository, history, request, tuple(named), replaced)
    work = replace(work, operation=words.operation or work.operation)
    results = Results(repository, history)
    known = results.find(work.action, work.outputs)
    made = known or _run(repository, work, results, executor)
    models = [_model(history, work, named[output], output, words) for output in work.outputs]
    with repository.writing():
        built = _publish(repository, (work, made), models, targets, words)
    return tuple(replace(one, is_known=bool(known)) for one in built)


def _run(repository: Repository, work: Work, results: Results, executor: str) -> Made:
    with open_executor(executor, jobs=1, folder=repository.folder / "work") as opened:
        return make(repository, work, results, opened)


def _check(named: Mapping[str, str], words: Words) -> None:
    for output, name in named.items():
        check_name(name)
        if output:
            check_tag(output)
    if len(set(named.values())) < len(named):
        raise UsageError("two models cannot have one name", hint="OUTPUT=NAME OUTPUT=OTHER-NAME")
    for tag in words.tags:
        check_tag(tag)


def _model(history: History, work: Work, name: str, output: str, words: Words) -> Model:
    parents = (history.nodes[p.node].type for p in work.parents if p.node)
    return Model(output, name, frozenset(), words.type or type_of(parents))


def _publish(
    repository: Repository,
    run: tuple[Work, Made],
    models: Sequence[Model],
    targets: Mapping[str, Digest | None],
    words: Words,
) -> list[Built]:
    """Writes nodes and entry, if the names are still where they were."""
    work, made = run
    history, key = repository.history(), repository.identity().key.public
    objects: list[MetaObject] = []
    statements: list[Statement] = []
    moves: dict[str, Digest] = {}
    built = []
    for model in models:
        current = current_version(history, key, model.name)
        if current != targets[model.name]:
            raise MovedError(f"{model.name!r} was moved meanwhile", hint="look, then build again")
        node = _same_version(history, node_of(work, made, model), current)
        if node is None:
            replaces = frozenset({current} if current else ())
            versioned = replace(model, replaces=replaces)
            node = node_of(work, made, versioned)
            moves[model.name] = digest_of(node)
            objects += [work.recipe(model.output), node]
            statements.append(creation_of(work, made, versioned, key, words.message))
        node_id = digest_of(node)
        statements += [
            tag_statement(model.name, node_id, tag)
            for tag in (words.tags if model.name in moves else ())
        ]
        built.append(_told(repository, history, model, node, made, is_new=model.name in moves))
    if moves:
        verb = f"build {' '.join(moves)} --recipe {work.code.function}"
        record(repository, history, Step(verb, moves, objects, statements))
    return built


def _same_version(history: History, node: Node, current: Digest | None) -> Node | None:
    """Returns what the name points to, if it was made so, with these very bytes."""
    known = history.nodes.get(current) if current else None
    if known is None:
        return None
    made_from = {edge for edge in known.edges if edge.kind is EdgeKind.PROVENANCE}
    is_same = replace(known, edges=frozenset(made_from)) == node
    return known if is_same else None


def _told(
    repository: Repository, history: History, model: Model, node: Node, made: Made, *, is_new: bool
) -> Built:
    parts = parts_of(repository, node.manifest)
    key = repository.identity().key.public
    return Built(
        name=model.name,
        node=digest_of(node),
        content=parts.manifest.content,
        is_new=is_new,
        is_known=False,
        duration_s=made.duration_s,
        raw_bytes=parts.size_bytes,
        is_aside=not history.may_move(key, model.name),
    )
