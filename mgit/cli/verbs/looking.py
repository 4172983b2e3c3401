"""Looking at what is here: names, history, one model, the state of the copy, its size."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from mgit.cli.application import verb
from mgit.cli.graph import Lane, draw
from mgit.cli.page import (
    Block,
    Cell,
    Line,
    Page,
    Styled,
    Table,
    counted,
    is_blank,
    line,
    listed,
    number,
    ratio,
    size,
    titled,
)
from mgit.cli.session import session
from mgit.cli.verbs.words import Selected, SelectedOrAll

if TYPE_CHECKING:
    from mgit.digest import Digest
    from mgit.viewing import LogRow, NameRow, NodeView, Person, Stats, Status


@verb("log", "mgit log --graph", "mgit log minilm-legal -n 5")
def log(
    selector: SelectedOrAll = "",
    is_graph: Annotated[bool, typer.Option("--graph", help="Draw the family beside it.")] = False,
    limit: Annotated[
        int | None, typer.Option("-n", metavar="N", min=1, help="At most so many.")
    ] = None,
) -> Page:
    """Shows how models came about, newest first.

    With SEL: the selected nodes and all their ancestors. ``mgit ls SEL`` lists exactly the
    selected ones.
    """
    from mgit.viewing import log

    rows = log(session().repository(), selector, limit=limit)
    text = _graph(rows) if is_graph else (Table([_log_cells(row) for row in rows]),)
    return Page({"nodes": rows}, answer=tuple(text))


def _graph(rows: Sequence["LogRow"]) -> Iterator[Line]:
    for row, drawn in zip(rows, draw((row.node, _lanes(row)) for row in rows), strict=True):
        yield from map(line, drawn.before)
        texts = (cell for cell in _log_cells(row) if not is_blank(cell))
        yield line(drawn.beside, *chain.from_iterable(("  ", cell) for cell in texts))
        yield from map(line, drawn.after)


def _lanes(row: "LogRow") -> list[Lane]:
    """Provenance, then versions; a parent that is both is drawn as provenance."""
    lanes: dict[Digest, Lane] = {}
    for link in row.parents:
        if link.is_here:
            is_version = link.kind.value == "version"
            lanes.setdefault(link.node, Lane(link.node, is_dotted=is_version))
    return list(lanes.values())


def _log_cells(row: "LogRow") -> list[Cell]:
    return [
        titled("" if row.title == row.node.short else row.title),
        row.node,
        row.operation,
        _people(row.makers),
        Styled(row.time[:10], "faint"),
        " ".join(f"[{tag}]" for tag in row.tags),
        row.message.partition("\n")[0],
    ]


def _people(people: Iterable["Person"]) -> str:
    return ", ".join(map(str, people))


@verb("ls", "mgit ls", "mgit ls 'descendants(minilm) & tag:legal'")
def ls(selector: SelectedOrAll = "") -> Page:
    """Lists the names and what they point to.

    With SEL: exactly the nodes that it selects, old versions too.
    """
    from mgit.viewing import names

    rows = names(session().repository(), selector)
    headings = ("name", "id", "version", "operation", "type", "tags", "made by", "")
    return Page({"names": rows}, answer=(Table([_name_cells(row) for row in rows], headings),))


def _name_cells(row: "NameRow") -> list[Cell]:
    remarks = {"side": "conflicted", "aside": "no role"}.get(row.standing.value, "")
    state = "" if row.presence == "complete" else row.presence
    return [
        titled("" if row.name == row.node.short else row.name),
        row.node,
        f"v{row.version}" if row.version else "",
        row.operation,
        row.type,
        " ".join(row.tags),
        _people(row.makers),
        ", ".join(filter(None, (remarks, state))),
    ]


@verb("show", "mgit show minilm", "mgit show 'minilm@v1' --json")
def show(selector: Selected) -> Page:
    """Shows one node.

    Where it came from, what is in it, and who claims what about it.
    """
    from mgit.viewing import show

    node = show(session().repository(), selector)
    return Page(node, answer=tuple(_node(node)))


def _node(node: "NodeView") -> Iterator[Block]:
    names = ", ".join(name for name in node.names if name != node.title)
    facts: list[tuple[str, Cell]] = [
        ("node", node.node),
        ("also called", names),
        ("version", f"v{node.version}"),
        ("operation", node.operation),
        ("type", node.type),
        ("made by", _people(node.makers)),
        ("made on", node.time),
        ("message", node.message),
        ("tags", " ".join(node.tags)),
        ("manifest", node.manifest),
        ("content", node.content or ""),
        ("children", str(node.children) if node.children else ""),
        ("here", node.presence),
        ("absent", node.absence),
        ("tensors", _tensors(node)),
    ]
    yield line(titled(node.title))
    yield Table([(what, value) for what, value in facts if value], indent="  ")
    yield from listed(
        "parents",
        [(titled(p.title), p.node, p.kind.value, p.role, _absent(p.is_here)) for p in node.parents],
    )
    yield from listed(
        "files", [(file.path, number(size(file.size_bytes))) for file in node.files or ()]
    )
    yield from listed("claims", [(row.kind, row.text, str(row.by)) for row in node.statements])


def _absent(is_here: bool) -> str:  # a cell of a table
    return "" if is_here else "not here"


def _tensors(node: "NodeView") -> str:
    tensors = node.tensors
    if tensors is None:
        return ""
    dtypes = ", ".join(f"{count:,} {dtype}" for dtype, count in tensors.dtypes.items())
    total = f"{counted(tensors.count, 'tensor')}, {size(tensors.size_bytes)}"
    return f"{total}: {dtypes}" if dtypes else total


@verb("status", "mgit status", "mgit -C models status --json")
def status() -> Page:
    """Shows what is conflicted, behind, absent or damaged here."""
    from mgit.viewing import status

    found = status(session().repository())
    return Page(found, answer=tuple(_status(found)))


def _status(found: "Status") -> Iterator[Block]:
    yield line("repository ", found.repository, " in ", str(found.folder))
    yield line(_own_key(found))
    yield line(f"{counted(found.names, 'name')}, {counted(found.nodes, 'node')}")
    sides = [(titled(c.name), ", ".join(c.sides)) for c in found.conflicts]
    yield from listed("conflicted (mgit resolve NAME --pick SIDE)", sides)
    yield from listed(
        "behind (mgit cascade plan)",
        [
            (titled(behind.title), f"{old} -> {', '.join(newer)}")
            for behind in found.behind
            for old, newer in behind.newer.items()
        ],
    )
    yield from listed(
        "absent (mgit backfill SEL)",
        [(", ".join(a.titles), a.presence, a.reason) for a in found.absent],
    )
    aside = [(titled(a.title), a.node, f"key {a.fingerprint[:8]}") for a in found.aside]
    yield from listed("said by keys without a role", aside)
    yield from listed("not complete, skipped", list(found.unready.items()))
    yield from listed("damaged (mgit fsck)", [(text,) for text in found.damaged])
    yield from listed("remotes", list(found.remotes.items()))
    if not (found.conflicts or found.behind or found.absent or found.unready or found.damaged):
        yield line("nothing is conflicted, behind, absent or damaged")


def _own_key(found: "Status") -> str:
    key = found.key
    if key is None:
        return "you have no signing key that can be used: mgit key list"
    roles = ", ".join(key.roles) or "no role here"
    return f"you are {key.called or key.label} ({key.fingerprint[:8]}): {roles}"


@verb("stats", "mgit stats", "mgit stats 'family(minilm)'")
def stats(selector: SelectedOrAll = "") -> Page:
    """Shows what models take, and how they are stored."""
    from mgit.viewing import stats

    found = stats(session().repository(), selector)
    return Page(found, answer=tuple(_stats(found)))


def _on(found: "Stats") -> str:
    both = found.stored_bytes + found.resting_bytes
    if found.is_all:
        return ""
    on = f", on {size(found.resting_bytes)} of others" if found.resting_bytes else ""
    return f"{on} ({ratio(found.raw_bytes, both)})"


def _stats(found: "Stats") -> Iterator[Block]:
    headings = ("name", "raw", "adds", "shared", "ratio", "stored as", "rests on", "deepest", "")
    rows = [
        (
            titled(model.title),
            number(size(model.raw_bytes)),
            number(size(model.own_bytes)),
            number(size(model.shared_bytes)),
            number(ratio(model.raw_bytes, model.stored_bytes)),
            ", ".join(f"{count:,} {codec}" for codec, count in model.codecs.items()),
            ", ".join(model.rests_on),
            model.deepest,
            f"{counted(model.absent_chunks, 'chunk')} not here" if model.absent_chunks else "",
        )
        for model in found.models
    ]
    yield Table(rows, headings)
    yield line(f"{size(found.raw_bytes)} of models, stored {size(found.stored_bytes)}{_on(found)}")
    if found.is_all:
        packs = f"{counted(found.packs, 'pack')}, {size(found.pack_bytes)}"
        yield line(f"{packs} in all ({ratio(found.raw_bytes, found.pack_bytes) or 'no models'})")
    if found.condemned_packs:
        packs = f"{counted(found.condemned_packs, 'pack')}, {size(found.condemned_bytes)}"
        yield line(f"condemned among them: {packs}, until mgit gc removes them")
    if found.is_all and found.unused_bytes:
        yield line(f"{size(found.unused_bytes)} in the packs that no node here needs: mgit gc")
    if found.undescribed:
        yield line(f"{counted(found.undescribed, 'node')} without a manifest in this copy")
