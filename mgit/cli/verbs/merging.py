"""Models out of models."""

import shlex
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, assert_never

import typer

from mgit.cli.application import verb
from mgit.cli.grouping import grouped
from mgit.cli.page import Block, Cell, Page, Styled, Table, counted, line, record, size, titled
from mgit.cli.progress import progress
from mgit.cli.session import session
from mgit.cli.verbs.checking import told
from mgit.cli.verbs.making import ExecutorKind
from mgit.cli.verbs.words import Message, names_beginning

if TYPE_CHECKING:
    from mgit.combine import Statistics
    from mgit.merging import FileDecision, Merge, TensorDecision
    from mgit.repository import Repository

_NO = 1
_STYLES = {"conflict": "bad", "combined": "name"}
_Row = tuple[str, str]  # what becomes of a tensor, and why it is a conflict


@verb(
    "merge",
    "mgit merge legal qa --dry-run",
    "mgit merge legal qa --method task_arithmetic --strategy 'head.*=ours' --no-test",
)
def merge(
    a: Annotated[
        str,
        typer.Argument(metavar="A", help="Our side: name, id.", autocompletion=names_beginning),
    ],
    b: Annotated[
        str, typer.Argument(metavar="B", help="Their side.", autocompletion=names_beginning)
    ],
    into: Annotated[
        str, typer.Option("--into", metavar="NAME", help="What the result is called; else as A.")
    ] = "",
    method: Annotated[
        str,
        typer.Option(
            metavar="M", help="For what both changed: ours, theirs, base, average, task_arithmetic."
        ),
    ] = "",
    strategies: Annotated[
        list[str] | None,
        typer.Option("--strategy", metavar="GLOB=M", help="For these tensors; repeatable."),
    ] = None,
    base: Annotated[
        str, typer.Option(metavar="SEL", help="What both come from; else their common ancestor.")
    ] = "",
    is_dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; reads no weights.")
    ] = False,
    is_untested_allowed: Annotated[
        bool, typer.Option("--no-test", help="Keep a result of both sides untested.")
    ] = False,
    executor: ExecutorKind = "process",
    message: Message = "",
) -> Page:
    """Merges what two models changed since their common ancestor.

    What only one side changed is taken. What both changed takes a method. Exits 1, and moves
    nothing, if a conflict is left, or if a result of both sides does not pass the checks for it.
    """
    from mgit.merging import NeedsTest, merge

    repository = session().repository()
    with progress(f"merging {b}") as advance:
        merged = merge(
            repository,
            a,
            b,
            into=into,
            method=method,
            strategies=strategies or (),
            base=base,
            is_dry_run=is_dry_run,
            is_untested_allowed=is_untested_allowed,
            executor=executor,
            message=message,
            progress=advance,
        )
    given = {"--into": into, "--method": method, "--base": base, "-m": message}
    options = [word for name, value in given.items() if value for word in (name, value)]
    options += [word for text in strategies or () for word in ("--strategy", text)]
    again = shlex.join(["mgit", "merge", a, b, *options])
    is_enough = is_dry_run and (is_untested_allowed or not isinstance(merged.outcome, NeedsTest))
    return _page(repository, merged, again, is_dry_run=is_dry_run, is_enough=is_enough)


def _page(
    repository: "Repository", merged: "Merge", again: str, *, is_dry_run: bool, is_enough: bool
) -> Page:
    kind, sentence = _verdict(merged)
    is_refused = kind == "conflict" or (merged.node is None and not is_enough)
    told = (*_decisions(merged), *_end(repository, merged, sentence))
    return Page(
        _document(merged, kind, is_dry_run=is_dry_run),
        answer=told if merged.node is None else (),
        done=told if merged.node is not None else (),
        advice=_advice(merged, again) if is_refused else (),
        exit_code=_NO if is_refused else 0,
    )


def _verdict(merged: "Merge") -> tuple[str, str]:
    from mgit.merging import Clean, Conflict, NeedsTest

    match merged.outcome:
        case Clean(side):
            return "clean", f"clean: in all that counts, the result is {side.value}"
        case NeedsTest():
            return "needs-test", f"needs a test: the result combines both sides{_test(merged)}"
        case Conflict(tensors, files):
            amounts = [counted(len(tensors), "tensor")] if tensors else []
            amounts += [counted(len(files), "file")] if files else []
            return "conflict", f"conflict: {' and '.join(amounts)} to decide; nothing moved"
        case _:
            assert_never(merged.outcome)


def _test(merged: "Merge") -> str:
    if merged.report:
        return " and passed" if merged.report.is_ok else "; it did not pass, nothing moved"
    return " and wants testing" if merged.node is None else " and is untested"


def _advice(merged: "Merge", again: str) -> tuple[str, ...]:
    from mgit.merging import Conflicted, Reason

    plan = merged.decisions
    left = [d for d in (*plan.tensors, *plan.files) if isinstance(d, Conflicted)]
    if merged.report:
        return (f"try another method, or keep it in spite of the test: {again} --no-test",)
    if not left:
        return (
            "no check is for it: mgit check add MOD:FN --on SEL",
            f"or keep it without a test: {again} --no-test",
        )
    one = shlex.quote(f"{left[0].name}=ours")
    choose = f"choose a side, ours, theirs or base: {again} --strategy {one}"
    if any(decision.reason is Reason.EDITED for decision in plan.tensors if decision in left):
        return (f"combine them: {again} --method task_arithmetic", f"or {choose}")
    return (choose,)


def _end(repository: "Repository", merged: "Merge", sentence: str) -> Iterator[Block]:
    yield line(sentence)
    if merged.report:
        yield from told(merged.report)
    if merged.node is None:
        return
    did = f"stored {size(merged.stored_bytes)}" if merged.is_new else "was there already"
    yield line(titled(merged.name), "  ", merged.node, "  ", did)
    if merged.is_aside:
        label = repository.identity().label
        yield line(f"your key has no role here: it shows up as @{label}/{merged.name}")


def _decisions(merged: "Merge") -> Iterator[Block]:
    yield line("base ", merged.base, "  ours ", merged.ours, "  theirs ", merged.theirs)
    yield Table(_rows(merged), indent="  ")


def _rows(merged: "Merge") -> list[tuple[Cell, ...]]:
    plan = merged.decisions
    rows: list[tuple[Cell, ...]] = []
    tensors: dict[_Row, dict[str, TensorDecision]] = {}
    for decision in plan.tensors:
        tensors.setdefault(_described(decision), {})[decision.name] = decision
    for row, members in tensors.items():
        if row[0] != "equal":
            for called, names in grouped(members).items():
                amount = counted(len(names), "tensor")
                rows.append((*_cells(row), called, amount, _moved(members[n] for n in names)))
    files = [(d, _described(d)) for d in plan.files]
    rows += [(*_cells(row), d.name, "file", "") for d, row in files if row[0] != "equal"]
    documents = [(d, _described(d)) for d in plan.documents]
    overruled = set(plan.overruled)
    for document, row in documents:
        if row[0] != "equal" or document.name in overruled:
            lost = "theirs is left out" if document.name in overruled else ""
            rows.append((*_cells((row[0], lost)), document.name, "document", ""))
    return sorted(rows, key=lambda row: str(row[0]) != "conflict")


def _cells(row: _Row) -> tuple[Cell, Cell]:
    what, why = row
    return Styled(what, _STYLES.get(what, "faint")), why


def _described(decision: "TensorDecision | FileDecision") -> _Row:
    from mgit.merging import ByKeys, Combined, Conflicted, Origin, Taken

    match decision:
        case Taken(method=method):
            if decision.origin is Origin.NOBODY:
                return "equal", ""
            by = decision.origin.value
            return f"{decision.change.value} by {by}", f"as {method} says" if method else ""
        case Combined(method=method):
            return "combined", f"by {method}"
        case ByKeys(content=content):
            return "combined", "by keys" if content else "by keys, not here to be read"
        case Conflicted(reason=reason, keys=keys):
            return "conflict", f"{reason.value}: {', '.join(keys)}" if keys else reason.value
        case _:
            assert_never(decision)


def _moved(decisions: "Iterable[TensorDecision]") -> str:
    """How far the sides moved, at most, and how they stand to each other, as ranges."""
    found = [s for d in decisions if (s := _statistics(d))]
    spans = (
        ("ours l2", [s.moved_ours for s in found], "{:.1e}"),
        ("theirs l2", [s.moved_theirs for s in found], "{:.1e}"),
        ("cosine", [s.cosine for s in found], "{:.2f}"),
        ("signs against", [s.signs_against for s in found], "{:.0%}"),
    )
    return ", ".join(
        f"{what} {_span([n for n in numbers if n is not None], form)}"
        for what, numbers, form in spans
        if any(n is not None for n in numbers)
    )


def _span(numbers: list[float], form: str) -> str:
    low, high = form.format(min(numbers)), form.format(max(numbers))
    return low if low == high else f"{low} to {high}"


def _statistics(decision: "TensorDecision") -> "Statistics | None":
    from mgit.merging import Conflicted

    return decision.statistics if isinstance(decision, Conflicted) else None


def _document(merged: "Merge", kind: str, *, is_dry_run: bool) -> dict[str, object]:
    plan = merged.decisions
    changed = [d for d in plan.tensors if _described(d)[0] != "equal"]
    return record(
        merged,
        decisions={
            "counts": plan.counts(),
            "tensors": [_decision(d, statistics=_statistics(d)) for d in changed],
            "files": [_decision(d) for d in plan.files if _described(d)[0] != "equal"],
            "documents": [_decision(d) for d in plan.documents if _described(d)[0] != "equal"],
            "overruled_documents": plan.overruled,
        },
        outcome=record(merged.outcome, kind=kind),
        is_dry_run=is_dry_run,
    )


def _decision(decision: "TensorDecision | FileDecision", **more: object) -> dict[str, object]:
    what, why = _described(decision)
    return {"name": decision.name, "decision": what, "detail": why, **more}
