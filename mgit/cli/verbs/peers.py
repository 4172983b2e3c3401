"""Other repositories: where they are, and what goes back and forth."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgit.cli.application import group, verb
from mgit.cli.page import Block, Cell, Page, Table, counted, line, listed, size, titled
from mgit.cli.progress import progress
from mgit.cli.session import session
from mgit.cli.verbs.words import OwnLabel, SelectedSome, label_or_login, wrong_usage
from mgit.errors import NotFoundError

if TYPE_CHECKING:
    from mgit.repository import Repository
    from mgit.sync import Cloned, Fetched, Pushed

_NO = 1
_SETTLE = "conflicted (mgit resolve NAME --pick SIDE)"

remote = group(
    "remote",
    "Other repositories, by name.",
    "mgit remote list",
    "mgit remote add lab /mnt/lab/models",
)

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[REMOTE] [SEL]", help="Which remote; which nodes. One, both or none."),
]
RemoteName = Annotated[str, typer.Argument(metavar="NAME", help="What you call it.")]
Url = Annotated[str, typer.Argument(metavar="URL", help="A path or a URL.")]


@verb(
    "remote add",
    "mgit remote add lab /mnt/lab/models",
    "mgit remote add stick /media/stick/m",
    of=remote,
)
def remote_add(name: RemoteName, url: Url) -> Page:
    """Gives another repository a name."""
    from mgit.sync import add_remote

    address = session().url(url)
    add_remote(session().repository(), name, address)
    return Page({"name": name, "url": address}, done=(line(titled(name), "  ", address),))


@verb("remote list", "mgit remote list", "mgit remote list --json", of=remote)
def remote_list() -> Page:
    """Lists the remotes."""
    from mgit.sync import remotes

    found = remotes(session().repository())
    rows: list[Sequence[Cell]] = [(titled(name), url) for name, url in sorted(found.items())]
    return Page({"remotes": found}, answer=(Table(rows),))


@verb("remote remove", "mgit remote remove lab", "mgit remote remove stick && mgit undo", of=remote)
def remote_remove(name: RemoteName) -> Page:
    """Forgets a remote. What came from it stays."""
    from mgit.sync import remove_remote

    remove_remote(session().repository(), name)
    return Page({"name": name}, done=(line("forgot ", titled(name), "; undo: mgit undo"),))


@verb(
    "clone",
    "mgit clone /mnt/lab/models",
    "mgit clone /mnt/lab/models legal --select 'descendants(minilm)' --no-weights",
)
def clone(
    url: Annotated[
        str, typer.Argument(metavar="URL[#ID]", help="Where; with #ID no other repository will do.")
    ],
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Where to; else as the URL ends.")
    ] = None,
    select: Annotated[
        str, typer.Option("--select", metavar="SEL", help="Copy these nodes and their ancestors.")
    ] = "",
    is_weightless: Annotated[
        bool, typer.Option("--no-weights", help="Leave all weights out; mgit backfill gets them.")
    ] = False,
    label: OwnLabel = "",
) -> Page:
    """Makes a copy of a repository, or of a part of it."""
    from mgit.editing import own_identity
    from mgit.sync import clone

    home, address = session().home(), session().url(url)
    target = session().path(folder or default_folder(url))
    with progress("cloning") as advance:
        cloned = clone(
            address, target, home, select=select, weights=not is_weightless, progress=advance
        )
    own_identity(home, label_or_login(label))
    return _cloned(cloned, address, target)


def default_folder(url: str) -> Path:
    """Returns the folder that a clone of ``url`` goes to: how the URL ends, without ``.mgit``."""
    path = url.partition("#")[0].rstrip("/")
    parts = [part for part in path.split("/") if part not in {"", ".", "..", ".mgit"}]
    name = parts[-1].removesuffix(".mgit") if parts else ""
    if not name or name.endswith(":"):
        raise wrong_usage(f"{url!r} names no folder: give one, as DIR")
    return Path(name)


def _cloned(cloned: "Cloned", address: str, target: Path) -> Page:
    where = address.partition("#")[0]
    met = f"first contact with repository {cloned.repository_id.short}: ask its owner for its id;"
    first = (met, f"to be sure which one you get: mgit clone {where}#{cloned.repository_id.hex()}")
    return Page(
        {
            "folder": target,
            "repository": cloned.repository_id,
            "is_first_contact": cloned.is_first_contact,
            "nodes": cloned.nodes,
            "received_bytes": cloned.received_bytes,
            "conflicts": cloned.conflicts,
        },
        answer=tuple(listed(_SETTLE, [(titled(name),) for name in cloned.conflicts])),
        done=(line(f"cloned {_arrived(cloned.nodes, cloned.received_bytes)} into {target}"),),
        advice=first if cloned.is_first_contact else (),
    )


def _arrived(nodes: int, received_bytes: int) -> str:
    weights = f", {size(received_bytes)} of weights" if received_bytes else ""
    return f"{counted(nodes, 'node')}{weights}"


@verb("fetch", "mgit fetch", "mgit fetch lab 'descendants(minilm)'")
def fetch(words: Words = None) -> Page:
    """Adds what a remote has. Conflicts are listed."""
    from mgit.sync import fetch

    repository = session().repository()
    source, selector = remote_and_selector(repository, words or ())
    with progress("fetching") as advance, one_word(words):
        fetched = fetch(repository, source, selector, progress=advance)
    return Page(fetched, answer=tuple(_conflicts(fetched)), done=tuple(_fetched(fetched)))


@verb("pull", "mgit pull", "mgit pull lab minilm")
def pull(words: Words = None) -> Page:
    """Adds what a remote has and moves names forward. Exits 1 if conflicted names are left."""
    from mgit.sync import pull

    repository = session().repository()
    source, selector = remote_and_selector(repository, words or ())
    with progress("pulling") as advance, one_word(words):
        fetched = pull(repository, source, selector, progress=advance)
    return Page(
        fetched,
        answer=tuple(_conflicts(fetched)),
        done=tuple(_fetched(fetched)),
        exit_code=_NO if fetched.conflicts else 0,
    )


def remote_and_selector(repository: "Repository", words: Sequence[str]) -> tuple[str, str]:
    """Returns which word is the remote and which the selector; empty: not given.

    One word is a remote if there is one of that name, or if it is a URL.
    """
    from mgit.sync import is_remote

    if len(words) > 2:
        raise wrong_usage(f"one remote and one selector, not {len(words)} words")
    if len(words) == 2:
        return _place(repository, words[0]), words[1]
    if words and is_remote(repository, words[0]):
        return _place(repository, words[0]), ""
    return "", next(iter(words), "")


@contextmanager
def one_word(words: Sequence[str] | None) -> Iterator[None]:
    """Says of one word that is no model here that it may have been meant as a remote."""
    try:
        yield
    except NotFoundError as error:
        word = next(iter(words or ()), "")
        if len(words or ()) != 1 or str(error) != f"there is no {word!r} here":
            raise
        hint = f"{error.hint}; if it is a remote: mgit remote list; a folder here: ./{word}"
        raise NotFoundError(
            f"there is no model {word!r} here, and no such remote", hint=hint
        ) from error


def _place(repository: "Repository", word: str) -> str:
    from mgit.sync import remotes

    return word if word in remotes(repository) or not is_path(word) else session().url(word)


def is_path(word: str) -> bool:
    """Returns whether a word for a remote is a path, which is seen from the command's folder."""
    return word.startswith(("/", "./", "../"))


def _fetched(fetched: "Fetched") -> Iterator[Block]:
    arrived = "nothing new"
    if fetched.objects:
        arrived = counted(fetched.objects, "new object")
    if fetched.nodes or fetched.received_bytes:
        arrived = _arrived(fetched.nodes, fetched.received_bytes)
    yield line(f"{fetched.remote}: {arrived}")
    yield Table(
        [
            (titled(change.name), _short(change.before), "->", _short(change.after))
            for change in fetched.moved
        ],
        indent="  ",
    )
    yield from listed("packs of the remote that are not complete", list(fetched.unready.items()))


def _conflicts(fetched: "Fetched") -> Iterator[Block]:
    yield from listed(_SETTLE, [(titled(name),) for name in fetched.conflicts])


def _short(nodes: Sequence[object]) -> str:
    return " ".join(str(getattr(node, "short", node)) for node in nodes) or "none"


@verb("push", "mgit push", "mgit push lab 'descendants(minilm)' --dry-run")
def push(
    words: Words = None,
    is_dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")
    ] = False,
    may_conflict: Annotated[
        bool, typer.Option("--allow-conflict", help="Also where it makes a conflicted name.")
    ] = False,
) -> Page:
    """Sends what a remote lacks.

    Weights are sent of the selected nodes only.
    """
    from mgit.sync import push

    repository = session().repository()
    target, selector = remote_and_selector(repository, words or ())
    with progress("pushing") as advance, one_word(words):
        pushed = push(
            repository,
            target,
            selector,
            is_dry_run=is_dry_run,
            may_conflict=may_conflict,
            progress=advance,
        )
    return Page(pushed, done=(line(_pushed(pushed)),))


def _pushed(pushed: "Pushed") -> str:
    amount = (
        f"{counted(pushed.nodes, 'node')}, {counted(pushed.objects, 'object')},"
        f" {counted(pushed.chunks, 'chunk')}: {size(pushed.sent_bytes)}"
    )
    if not (pushed.objects or pushed.chunks):
        return f"{pushed.remote}: nothing to send"
    did = "would get" if pushed.is_dry_run else "got"
    return f"{pushed.remote} {did} {amount}"


@verb("backfill", "mgit backfill minilm", "mgit backfill 'missing()' lab")
def backfill(
    selector: SelectedSome,
    source: Annotated[
        str, typer.Argument(metavar="[REMOTE]", help="From where; else from all that have some.")
    ] = "",
) -> Page:
    """Fetches weights that this copy was made without."""
    from mgit.sync import backfill

    repository = session().repository()
    with progress("fetching weights") as advance:
        filled = backfill(repository, selector, _place(repository, source), progress=advance)
    amount = f"{counted(filled.nodes, 'node')}, {size(filled.received_bytes)}"
    asked = f" from {', '.join(filled.remotes)}" if filled.remotes else ""
    return Page(filled, done=(line(f"completed {amount}{asked}"),))
