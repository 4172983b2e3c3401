"""From a person's words to a run of a recipe: functions found, arguments and parents checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mgit.building.calling import SHIPPED
from mgit.building.data import given_data
from mgit.building.environment import environment
from mgit.building.work import BASE, Parent, Work, by_role
from mgit.canonical import Value
from mgit.digest import Digest
from mgit.errors import FormatError, NotFoundError, UsageError
from mgit.objects import Code, Level
from mgit.objects.grammar import check_label
from mgit.repository import History, Repository, require_complete
from mgit.selection import Selection
from mgit.source import OPAQUE, REQUIRED, Described, Source, describe, find_source, shipped


@dataclass(frozen=True, slots=True)
class Function:
    """A recipe or check of a person's project, or of mgit, as its source describes it.

    Attributes:
        name: ``module:function``.
        source: Its source; None where mgit ships it.
        described: What its definition says.
    """

    name: str
    source: Source | None
    described: Described


@dataclass(frozen=True, slots=True)
class Request:
    """What a person wants to be run.

    Attributes:
        recipe: ``module:function``; one without a colon is a recipe that mgit ships.
        parents: ``SELECTOR`` or ``SELECTOR=ROLE``.
        arguments: Values by keyword.
        seed: For a recipe that draws; None: 0.
        data: Name -> path of data.
        roots: Folders in which modules are looked for, first to last.
        threads: How many threads one operation may use.
        timeout_s: Longest time it may take; None: any.
    """

    recipe: str
    parents: Sequence[str] = ()
    arguments: Mapping[str, Value] = field(default_factory=dict)
    seed: int | None = None
    data: Mapping[str, Path] = field(default_factory=dict)
    roots: Sequence[Path] = ()
    threads: int = 1
    timeout_s: float | None = None


def asked_work(
    repository: Repository,
    history: History,
    request: Request,
    outputs: tuple[str, ...],
    replaced: Sequence[Digest],
) -> Work:
    """Returns the run that a person asks for; trusts the code that was named.

    Args:
        repository: Where.
        history: What it holds.
        request: What is asked for.
        outputs: What the recipe calls the models that it makes; ``("",)`` for one.
        replaced: The nodes that the results will replace.

    Raises:
        NotFoundError, UsageError: The function, an argument or a parent is refused.
        AbsentError: Weights of a parent are not here.
    """
    function = find_function(request.recipe, request.roots, mark="recipe")
    code = code_of(repository, function, request)
    parents = _parents(repository, history, request.parents)
    if function.source:
        repository.home.trust_code(function.source.verbatim, f"{function.name}, run by name")
    return Work(
        code=code,
        outputs=outputs,
        parents=by_role(parents),
        source=function.source,
        environment=environment(function.source, threads=request.threads),
        data=dict(request.data),
        related=tuple(history.nodes[node].manifest for node in replaced),
        operation=str(function.described.options.get("operation") or _last(function.name)),
        threads=request.threads,
        timeout_s=request.timeout_s,
    )


def find_function(name: str, roots: Sequence[Path], *, mark: str) -> Function:
    """Returns a function that a person named. It is read, not imported.

    Raises:
        NotFoundError: There is none of that name.
        UsageError: It bears another mark than ``mark``: ``recipe`` or ``check``.
    """
    full = name if ":" in name else f"{SHIPPED}:{name}"
    if full.startswith(f"{SHIPPED}:"):
        source, described = None, _shipped(full, mark)
    else:
        source = find_source(full, roots)
        described = describe(source, full)
    if described.mark != mark:
        raise UsageError(
            f"{full} is a {described.mark}, not a {mark}", hint=f"mark it: @mgit.{mark}"
        )
    return Function(full, source, described)


def _shipped(full: str, mark: str) -> Described:
    try:
        return shipped(full)
    except NotFoundError as error:
        raise NotFoundError(
            f"mgit has no {mark} {_last(full)!r} of its own",
            hint=f"for one of yours write MODULE:FUNCTION, as in train:{_last(full)}",
        ) from error


def code_of(repository: Repository, function: Function, request: Request) -> Code:
    """Returns what will run, with every argument that is a value; UsageError where one is wrong."""
    described = function.described
    if request.seed is not None and not described.takes_seed:
        raise UsageError(f"{function.name} takes no seed", hint="leave --seed out")
    try:
        return Code(
            function=function.name,
            source=function.source.normalised if function.source else None,
            revision=0 if function.source else revision_of(described),
            arguments=_arguments(function, request.arguments),
            seed=(request.seed or 0) if described.takes_seed else None,
            data=given_data(repository, request.data),
            level=_level(described),
        )
    except FormatError as error:  # an object that would be refused anywhere
        raise UsageError(f"this cannot be recorded: {error}") from error


def _arguments(function: Function, given: Mapping[str, Value]) -> dict[str, Value]:
    parameters = function.described.parameters
    unknown = sorted(given.keys() - parameters.keys())
    if unknown and not function.described.takes_any:
        known = ", ".join(parameters) or "none"
        raise UsageError(f"{function.name} takes no {unknown[0]!r}", hint=f"it takes: {known}")
    missing = [n for n, d in parameters.items() if d is REQUIRED and n not in given]
    if missing:
        raise UsageError(
            f"{function.name} needs a value for {', '.join(missing)}",
            hint=f"--arg {missing[0]}=VALUE",
        )
    literal = {n: d for n, d in parameters.items() if d is not REQUIRED and d is not OPAQUE}
    return {name: _plain(name, value) for name, value in {**literal, **given}.items()}


def _plain(name: str, value: object) -> Value:
    """Returns a value as it is recorded: what JSON has too, for so it travels to a worker."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return tuple(_plain(name, item) for item in value)
        case Mapping():
            return {str(key): _plain(name, item) for key, item in value.items()}
        case _:
            raise UsageError(
                f"the argument {name!r} is {type(value).__name__}: it cannot be recorded",
                hint="give numbers, texts, or lists of them; data go with --data",
            )


def revision_of(described: Described) -> int:
    """Returns the revision that the mark of a shipped function gives."""
    revision = described.options.get("revision")
    return revision if isinstance(revision, int) else 1


def _level(described: Described) -> Level:
    text = described.options.get("level", Level.BITWISE.value)
    try:
        return Level(text)
    except ValueError as error:
        levels = ", ".join(level.value for level in Level)
        raise UsageError(f"level={text!r}", hint=f"choose from: {levels}") from error


def _parents(repository: Repository, history: History, texts: Sequence[str]) -> list[Parent]:
    selection = Selection(repository, history)
    found: dict[str, Parent] = {}
    for text in texts:
        selector, _, role = text.rpartition("=") if "=" in text else (text, "", BASE)
        if role in found:
            raise UsageError(
                f"two parents have the role {role!r}: the recipe could not tell them apart",
                hint=f"name the roles: --parent {selector}=ROLE",
            )
        node = selection.one(selector)
        title = selection.title(node)
        found[role] = parent_of(repository, history, check_label(role), node, title=title)
    return list(found.values())


def parent_of(
    repository: Repository, history: History, role: str, node: Digest, *, title: str
) -> Parent:
    """Returns a node as a parent; raises as ``require_complete`` where its weights are not here."""
    parts = require_complete(repository, title, node, history.nodes[node])
    return Parent(role, node, history.nodes[node].manifest, parts.manifest.content)


def _last(function: str) -> str:
    return function.rpartition(":")[2]
