"""Small edits: tags, notes, names, settled conflicts; and going back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mgit.cli.application import group, verb
from mgit.cli.page import Cell, Page, Table, counted, line, titled
from mgit.cli.session import session
from mgit.cli.verbs.words import Name, Selected, SelectedSome, wrong_usage

if TYPE_CHECKING:
    from mgit.digest import Digest
    from mgit.editing import Operation

operation = group("op", "What was done in this copy.", "mgit op log", "mgit op log --json")


@verb("tag", "mgit tag minilm legal", "mgit tag 'descendants(minilm)' legal --remove")
def tag(
    selector: SelectedSome,
    tags: Annotated[list[str], typer.Argument(metavar="TAG...", help="Tags.")],
    is_removal: Annotated[
        bool, typer.Option("--remove", help="Take your tags back instead.")
    ] = False,
) -> Page:
    """Gives tags to nodes, or takes them back."""
    from mgit.editing import add_tags, remove_tags

    change = remove_tags if is_removal else add_tags
    nodes = change(session().repository(), selector, tags)
    did = "untagged" if is_removal else "tagged"
    return Page(
        {"nodes": nodes, "tags": tags, "is_removal": is_removal},
        done=(line(f"{did} {counted(len(nodes), 'node')}: {' '.join(tags)}"),),
    )


@verb("pin", "mgit pin legal", "mgit pin 'tag:release' --off")
def pin(
    selector: SelectedSome,
    is_off: Annotated[bool, typer.Option("--off", help="Let cascades replace them again.")] = False,
) -> Page:
    """Keeps models from being replaced by a cascade."""
    from mgit.editing import add_tags, remove_tags
    from mgit.provenance import PINNED

    change = remove_tags if is_off else add_tags
    nodes = change(session().repository(), selector, [PINNED])
    did = f"{'unpinned' if is_off else 'pinned'} {counted(len(nodes), 'node')}"
    return Page({"nodes": nodes, "is_pinned": not is_off}, done=(line(did),))


@verb("note", "mgit note minilm 'fails on tables'", "mgit note 'qa@v2' 'see issue 12'")
def note(
    selector: Selected,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What you have to say.")],
) -> Page:
    """Says something about a node, for all who read the repository."""
    from mgit.editing import note

    node = note(session().repository(), selector, text)
    return Page(
        {"node": node, "text": text}, done=(line("noted on ", titled(selector), "  ", node),)
    )


@verb("rename", "mgit rename minilm minilm-l6", "mgit rename qa answers/qa")
def rename(
    old: Name, new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")]
) -> Page:
    """Calls a model something else."""
    from mgit.editing import rename

    rename(session().repository(), old, new)
    return Page({"old": old, "new": new}, done=(line(titled(old), " -> ", titled(new)),))


@verb("rm", "mgit rm minilm", "mgit rm qa && mgit undo")
def rm(name: Name) -> Page:
    """Takes a name away. Its nodes stay, and it can be undone."""
    from mgit.editing import remove

    remove(session().repository(), name)
    return Page({"name": name}, done=(line("removed ", titled(name), "; undo: mgit undo"),))


@verb("resolve", "mgit resolve bert --pick bert@alice", "mgit resolve bert --both")
def resolve(
    name: Name,
    pick: Annotated[str, typer.Option(metavar="SEL", help="Let the name point to this node.")] = "",
    is_both: Annotated[
        bool, typer.Option("--both", help="Give each side a name of its own: NAME-LABEL.")
    ] = False,
) -> Page:
    """Settles a conflicted name."""
    from mgit import editing

    if bool(pick) == is_both:
        raise wrong_usage("give one of --pick SEL and --both")
    repository = session().repository()
    if is_both:
        return _resolved(name, editing.keep_both(repository, name))
    return _resolved(name, {name: editing.pick(repository, name, pick)})


def _resolved(name: str, targets: "dict[str, Digest]") -> Page:
    rows: list[Sequence[Cell]] = [(titled(new), node) for new, node in targets.items()]
    return Page({"name": name, "targets": targets}, done=(Table(rows),))


@verb("undo", "mgit undo", "mgit rm qa && mgit undo")
def undo() -> Page:
    """Takes the last step in this copy back, by a new entry."""
    from mgit.editing import not_here, undo

    repository = session().repository()
    taken_back = undo(repository)
    return Page(
        taken_back,
        done=(line(f"undone: {taken_back.verb}"),),
        advice=not_here(repository, taken_back),
    )


@verb("op log", "mgit op log", "mgit -C models op log --json", of=operation)
def operation_log() -> Page:
    """Lists what was done in this copy, newest first."""
    from mgit.editing import operations

    found = operations(session().repository())[::-1]
    return Page({"operations": found}, answer=(Table([_operation_cells(op) for op in found]),))


def _operation_cells(done: "Operation") -> list[Cell]:
    state = "" if done.is_undoable else "not undoable"
    return [done.number, done.time, done.verb, state]
