"""Making a repository; models into it and out of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgit.cli.application import verb
from mgit.cli.page import Page, line, ratio, record, size, titled
from mgit.cli.progress import progress
from mgit.cli.session import session
from mgit.cli.verbs.words import Message, OwnLabel, Selected, Tags, label_or_login, pairs

if TYPE_CHECKING:
    from mgit.adding import Added


@verb("init", "mgit init", "mgit init models --as alice")
def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where; else here.")] = Path(),
    label: OwnLabel = "",
) -> Page:
    """Makes a repository, and a signing key if you have none."""
    from mgit.editing import init

    home = session().home()
    had_key = home.key_in_use() is not None
    made = init(session().path(folder), home, label=label_or_login(label))
    identity = made.identity()
    return Page(
        {
            "repository": made.id,
            "folder": made.folder,
            "key": identity.label,
            "new_key": not had_key,
        },
        done=(
            line("repository ", made.id, " in ", str(made.folder)),
            *(() if had_key else (line("made a signing key for you: ", titled(identity.label)),)),
        ),
    )


@verb(
    "add",
    "mgit add ./minilm minilm",
    "mgit add ./legal minilm-legal --parent minilm --operation finetune -m 'contracts of 2024'",
)
def add(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A safetensors file or a checkpoint folder.")
    ],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The model; if it exists: its next version.")
    ],
    parents: Annotated[
        list[str] | None,
        typer.Option(
            "--parent", metavar="SEL[=ROLE]", help="A model that it was made from; repeatable."
        ),
    ] = None,
    operation: Annotated[
        str, typer.Option(metavar="WORD", help="How it was made: finetune, prune, merge …")
    ] = "",
    type: Annotated[
        str, typer.Option(metavar="TYPE", help="Kind of model; else its config.json says it.")
    ] = "",
    message: Message = "",
    tags: Tags = None,
    meta: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A further fact about it; repeatable."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Leave such files out; repeatable."),
    ] = None,
    is_fast: Annotated[
        bool,
        typer.Option("--fast", help="Less work: the first base that fits, the fastest coding."),
    ] = False,
) -> Page:
    """Adds a checkpoint as a model, or as its next version."""
    from mgit.adding import Description, Effort, add

    description = Description(
        parents or (), operation, type, message, tags or (), pairs(meta or (), "--meta")
    )
    repository = session().repository()
    with progress(f"adding {name}") as advance:
        added = add(
            repository,
            session().path(path),
            name,
            description=description,
            exclude=exclude or (),
            effort=Effort.FAST if is_fast else Effort.NORMAL,
            progress=advance,
        )
    said = {
        "--parent": parents,
        "--operation": operation,
        "--type": type,
        "--message": message,
        "--meta": meta,
    }
    unused = "" if added.is_new else ", ".join(option for option in said if said[option])
    kept = f"no new version, so what belongs to a version stays as it was: without {unused}"
    return _added(name, added, repository.identity().label, advice=(kept,) if unused else ())


def _added(name: str, added: "Added", label: str, advice: tuple[str, ...]) -> Page:
    aside = line(f"your key has no role here: it shows up as @{label}/{name}")
    return Page(
        record(added, name=name),
        done=(
            line(titled(name), "  ", added.node, "  ", _amount(added)),
            *((aside,) if added.is_aside else ()),
        ),
        advice=advice,
    )


def _amount(added: "Added") -> str:
    stored = f"stored {size(added.stored_bytes)} ({ratio(added.raw_bytes, added.stored_bytes)})"
    if added.is_new:
        return f"{size(added.raw_bytes)}, {stored if added.stored_bytes else 'all here already'}"
    return (
        f"healed: {size(added.stored_bytes)} written again" if added.stored_bytes else "unchanged"
    )


@verb(
    "export", "mgit export minilm ./minilm", "mgit export 'qa@v3' /tmp/encoder --tensor 'encoder.*'"
)
def export(
    selector: Selected,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that does not exist, or is empty.")
    ],
    tensors: Annotated[
        list[str] | None,
        typer.Option(
            "--tensor",
            metavar="GLOB",
            help="Only such tensors, into one model.safetensors; repeatable.",
        ),
    ] = None,
    is_linked: Annotated[
        bool,
        typer.Option(
            "--link",
            help="Hard links to the files of the cache: no room taken. Never write into them.",
        ),
    ] = False,
) -> Page:
    """Writes a checkpoint, byte for byte as it was added."""
    from mgit.adding import export

    repository, target = session().repository(), session().path(folder)
    with progress(f"writing {target.name}") as advance:
        node = export(
            repository, selector, target, tensors=tensors or (), link=is_linked, progress=advance
        )
    return Page(
        {"node": node, "folder": target},
        done=(line(titled(selector), "  ", node, "  written to ", str(target)),),
    )
