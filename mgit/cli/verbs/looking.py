"""Looking at what is here: names, history, one model, the state of the copy, its size."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
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
    record,
    size,
    titled,
)
from mgit.cli.session import session
from mgit.cli.verbs.words import GRACE_DAYS, Selected, SelectedOrAll

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
    """Shows how models came about, each above what it was made from.

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
    """Shows what models take, and how they are stored.

    ADDS: what no other model here has; SHARED: what others have too; RATIO: RAW over both together.
    RESTS ON: the models that its differences are from; DEEPEST: the longest chain of these.

    STORED AS counts chunks. Whole: raw, zstd, planes (a compressed one for each byte of a number).
    As a difference from another: rcb, or fast (quicker, larger). Made again from others: cast
    (rounded), prune (some set to 0), int8, low-rank, sum (of several), steps (repack --lossy). With
    -x: by the entropy coder.
    """
    from mgit.viewing import stats

    found = stats(session().repository(), selector)
    since = found.condemned_since
    document = record(found, condemned_since=since.isoformat(timespec="seconds") if since else "")
    return Page(document, answer=tuple(_stats(found)))


def _stats(found: "Stats") -> Iterator[Block]:
    if not (found.is_all or found.models or found.undescribed):
        yield line("nothing is selected")
        return
    yield _models(found)
    is_whole = found.whole_bytes == found.raw_bytes
    whole = "" if is_whole else f" ({size(found.whole_bytes)} of them whole here)"
    stored = f"stored {size(found.stored_bytes)}{_times(found, found.stored_bytes)}"
    on = f", on {size(found.resting_bytes)} of others" if found.resting_bytes else ""
    yield line(f"{size(found.raw_bytes)} of models{whole}, {stored}{on}")
    if found.lost:
        models = counted(found.lost, "model")
        yield line(f"damaged or lost, in part or whole: {models}: mgit fsck")
    if found.is_all:
        packs = f"{counted(found.packs, 'pack')}, {size(found.pack_bytes)}"
        yield line(f"{packs} in all{_times(found, found.pack_bytes)}")
        yield from map(line, _beside(found))
    if found.undescribed:
        yield line(f"{counted(found.undescribed, 'node')} without a manifest in this copy")


def _models(found: "Stats") -> Table:
    headings = ("name", "raw", "adds", "shared", "ratio", "stored as", "rests on", "deepest", "")
    rows = [
        (
            titled(model.title),
            number(size(model.raw_bytes)),
            number(size(model.own_bytes)),
            number(size(model.shared_bytes)),
            number("" if model.absent_chunks else ratio(model.raw_bytes, model.stored_bytes)),
            ", ".join(f"{count:,} {codec}" for codec, count in model.codecs.items()),
            ", ".join(model.rests_on),
            model.deepest,
            f"{counted(model.absent_chunks, 'chunk')} not here" if model.absent_chunks else "",
        )
        for model in found.models
    ]
    return Table(rows, headings)


def _times(found: "Stats", stored_bytes: int) -> str:
    """Returns a ratio in brackets, where it would say something."""
    if found.lost or not found.whole_bytes:
        return ""
    return f" ({ratio(found.whole_bytes, stored_bytes)})"


def _beside(found: "Stats") -> Iterator[str]:
    """Yields what takes space and is no model."""
    if found.condemned_since:
        packs = f"{counted(found.condemned_packs, 'pack')}, {size(found.condemned_bytes)}"
        until = (found.condemned_since + timedelta(days=GRACE_DAYS)).date()
        yield f"condemned among them: {packs}; mgit gc removes them from {until} on"
    why = "damaged or lost: mgit fsck" if found.lost else "not here: mgit backfill"
    others = (
        (found.unreadable_bytes, f"in the packs rest on what is {why}"),
        (found.unused_bytes, "in the packs that no node here needs: mgit gc --dry-run"),
        (found.decoded_bytes, "decoded, in .mgit/decoded: a cache, may be deleted at any time"),
        (found.quarantine_bytes, "put aside by a repair, in .mgit/quarantine: gc, after 14 days"),
        (found.incoming_bytes, "being written, or cut off, in .mgit/incoming: gc"),
    )
    yield from (f"{size(count)} {what}" for count, what in others if count)
