"""Checks that a repository has: which, on what, whose code. Signed statements, like all claims."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mgit import selectors
from mgit.building import Request, code_of, find_function
from mgit.checks.gates import gate_from_call, parse_gate
from mgit.digest import Digest
from mgit.errors import ConflictError, NotFoundError, UsageError
from mgit.objects import REGISTRATION, Check, Gate, Ref, Severity, Statement, Subject, digest_of
from mgit.objects.grammar import check_label, printable
from mgit.provenance import Claim, Provenance, withdrawal
from mgit.repository import History, Repository, Step, record, require_member
from mgit.source import Call, Source, descriptors, source_from

if TYPE_CHECKING:
    from mgit.building import Function
    from mgit.canonical import Value


@dataclass(frozen=True, slots=True)
class Registered:
    """A check of a repository.

    Attributes:
        name: What it is called.
        on: Selector of the models that it is for; so are their descendants of the same type.
        digest: Digest of the check.
        check: What runs, and what is demanded.
        source: The source that came with it; None for a check of mgit, or where it did not come.
        claim: The statement that says so.
    """

    name: str
    on: str
    digest: Digest
    check: Check
    source: Source | None
    claim: Claim


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What a person wants to be checked.

    Attributes:
        function: ``module:function``, marked ``@mgit.check``.
        name: What it is called; empty: as the function.
        on: Selector; empty: as the function's mark says.
        severity: ``block``, ``warn`` or ``info``; empty: likewise.
        gates: As texts, ``at_least("accuracy", 0.9)``; None: likewise.
        arguments: Values by keyword.
        seed: For a check that draws.
        data: Name -> path of data.
        roots: Folders in which modules are looked for.
    """

    function: str
    name: str = ""
    on: str = ""
    severity: str = ""
    gates: Sequence[str] | None = None
    arguments: "Mapping[str, Value]" = field(default_factory=dict)
    seed: int | None = None
    data: Mapping[str, Path] = field(default_factory=dict)
    roots: Sequence[Path] = ()


def registered(history: History) -> list[Registered]:
    """Returns the checks that trusted keys registered, by name."""
    found = [
        known
        for claim in Provenance(history).claims(REGISTRATION)
        for known in _parse(history, claim)
    ]
    return sorted(found, key=lambda known: (known.name, known.digest))


def _parse(history: History, claim: Claim) -> Iterator[Registered]:
    match claim.statement.predicate:
        case {"on": str(on), "source": list(listed)}:
            for subject in claim.statement.subjects:
                check = history.checks.get(subject.ref.digest)
                if check and subject.ref.kind == Check.kind:
                    source = source_from(listed)
                    is_meant = source and source.normalised == check.code.source
                    yield Registered(
                        subject.name,
                        on,
                        subject.ref.digest,
                        check,
                        source if is_meant else None,
                        claim,
                    )
        case _:
            return


def add_check(repository: Repository, request: CheckRequest) -> Registered:
    """Registers a check; one of that name and this person's is replaced. Trusts the code named.

    Raises:
        UsageError, NotFoundError: The function, a gate or the selector is refused.
        ConflictError: Somebody else has a check of that name.
        TrustError: This person's key has no role here.
    """
    function = find_function(request.function, request.roots, mark="check")
    check = _check(repository, function, request)
    name = check_label(request.name or function.name.rpartition(":")[2].replace("_", "-").lower())
    on = request.on or function.described.options.get("on", "")
    if not isinstance(on, str) or not on:
        raise UsageError("the check is on no model", hint="say on which: --on 'descendants(base)'")
    selectors.parse(on)  # a malformed one is told now
    if function.source:
        repository.home.trust_code(function.source.verbatim, f"{function.name}, registered by name")
    with repository.writing():
        history = repository.history()
        require_member(repository, history, "a check")
        statements = _replaced(repository, history, name)
        statements.append(_registration(name, on, digest_of(check), function.source))
        step = Step(f"check add {name}", objects=[check], statements=statements)
        record(repository, history, step)
    return next(known for known in registered(repository.history()) if known.name == name)


def remove_check(repository: Repository, name: str) -> str:
    """Takes back the registration of a check; what it found stays.

    Raises:
        NotFoundError: There is none of that name.
        ConflictError: It is somebody else's.
    """
    with repository.writing():
        history = repository.history()
        statements = _replaced(repository, history, name)
        if not statements:
            known = ", ".join(check.name for check in registered(history)) or "none"
            raise NotFoundError(
                f"there is no check {printable(name)!r}", hint=f"there are: {known}"
            )
        record(repository, history, Step(f"check remove {name}", statements=statements))
    return name


def _replaced(repository: Repository, history: History, name: str) -> list[Statement]:
    """The withdrawal of this person's check of that name, if there is one."""
    key = repository.identity().key.public
    known = [check for check in registered(history) if check.name == name]
    foreign = [check for check in known if check.claim.key != key]
    if foreign:
        label = history.names.label_of(foreign[0].claim.key)
        raise ConflictError(
            f"{label} has a check {name!r}", hint="choose another name, or ask them to remove it"
        )
    said = {check.claim.payload: check.claim.statement for check in known}
    return [withdrawal(said)] if said else []


def _registration(name: str, on: str, check: Digest, source: Source | None) -> Statement:
    predicate = {
        "on": on,
        "source": list(descriptors(source)) if source else [],
        "nonce": secrets.token_hex(8),
    }
    return Statement((Subject(Ref(Check.kind, check), name),), REGISTRATION, predicate)


def _check(repository: Repository, function: "Function", request: CheckRequest) -> Check:
    options = function.described.options
    asked = Request(
        function.name, arguments=request.arguments, seed=request.seed, data=request.data
    )
    severity = request.severity or options.get("severity", Severity.BLOCK.value)
    try:
        chosen = Severity(severity)
    except ValueError as error:
        choices = ", ".join(each.value for each in Severity)
        raise UsageError(f"severity {severity!r}", hint=f"choose from: {choices}") from error
    return Check(code_of(repository, function, asked), tuple(_gates(function, request)), chosen)


def _gates(function: "Function", request: CheckRequest) -> Iterator[Gate]:
    if request.gates is not None:
        yield from (parse_gate(text) for text in request.gates)
        return
    listed = function.described.options.get("gates", ())
    for call in listed if isinstance(listed, list | tuple) else (listed,):
        if not isinstance(call, Call):
            raise UsageError(f"{call!r} is no gate", hint='write: at_least("accuracy", 0.9)')
        yield gate_from_call(call.name, call.arguments, call.keywords)
