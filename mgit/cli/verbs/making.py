"""Models made by recipes."""

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgit.cli.application import verb
from mgit.cli.page import Block, Page, Styled, line, record, size, titled
from mgit.cli.session import session
from mgit.cli.verbs.people import trust
from mgit.cli.verbs.words import Message, Selected, Tags, names_beginning, pairs, wrong_usage

if TYPE_CHECKING:
    from mgit.building import Built, Code
    from mgit.canonical import Value

_NO, _NOT_TRUSTED = 1, 6

Recipe = Annotated[
    str,
    typer.Option(
        "--recipe",
        metavar="MOD:FN",
        help="A function marked @mgit.recipe, or prune, cast, average.",
    ),
]
Arguments = Annotated[
    list[str] | None,
    typer.Option("--arg", metavar="K=V", help="An argument, as JSON or text; repeatable."),
]
DataPaths = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="NAME=PATH", help="Data it is given; repeatable."),
]
Seed = Annotated[int | None, typer.Option(metavar="N", help="For what it draws at random; else 0.")]
Timeout = Annotated[
    float | None, typer.Option(metavar="S", help="Seconds after which a run is ended.")
]
ExecutorKind = Annotated[
    str, typer.Option("--executor", metavar="E", help="Where it runs: inline, process, ray.")
]


@verb(
    "build",
    "mgit build small --parent minilm --recipe prune --arg fraction=0.5",
    "mgit build search --parent minilm --recipe train:finetune --arg steps=40 --seed 1",
)
def build(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME", help="The model; for a recipe of several: OUTPUT=NAME, each."
        ),
    ],
    recipe: Recipe,
    parents: Annotated[
        list[str] | None,
        typer.Option("--parent", metavar="SEL[=ROLE]", help="A model it is given; repeatable."),
    ] = None,
    arguments: Arguments = None,
    data: DataPaths = None,
    seed: Seed = None,
    threads: Annotated[int, typer.Option(metavar="N", help="Threads of one operation.")] = 1,
    timeout: Timeout = None,
    executor: ExecutorKind = "process",
    operation: Annotated[
        str, typer.Option(metavar="WORD", help="How it was made; else as the recipe says.")
    ] = "",
    type: Annotated[
        str, typer.Option(metavar="TYPE", help="Kind of model; else that of its parents.")
    ] = "",
    message: Message = "",
    tags: Tags = None,
) -> Page:
    """Runs a recipe, and adds the model that it makes.

    Naming a recipe is trusting it: its code runs. Modules are found from this folder and
    PYTHONPATH. What was made before from the same parents is not made again.
    """
    from mgit.building import Request, Words, build

    request = Request(
        recipe=recipe,
        parents=parents or (),
        arguments=values(arguments),
        seed=seed,
        data=paths(data),
        roots=roots(),
        threads=threads,
        timeout_s=timeout,
    )
    words = Words(operation, type, message, tags or ())
    repository = session().repository()
    built = build(repository, _named(names), request, words=words, executor=executor)
    label = repository.identity().label
    return Page(
        {"models": [record(one) for one in built]},
        done=tuple(block for one in built for block in _built(one, label)),
    )


def _named(names: Sequence[str]) -> str | Mapping[str, str]:
    if len(names) == 1 and "=" not in names[0]:
        return names[0]
    return pairs(names, "NAME")


def _built(built: "Built", label: str) -> list[Block]:
    how = "known already" if built.is_known else f"{built.duration_s:.1f} s"
    amount = f"{size(built.raw_bytes)}, {how}" if built.is_new else "unchanged"
    aside = line(f"your key has no role here: it shows up as @{label}/{built.name}")
    return [
        line(titled(built.name), "  ", built.node, "  ", amount),
        *([aside] if built.is_aside else []),
    ]


@verb("reproduce", "mgit reproduce search", "mgit reproduce 'search@v2' --json")
def reproduce(
    selector: Selected,
    data: DataPaths = None,
    timeout: Timeout = None,
    executor: ExecutorKind = "process",
) -> Page:
    """Makes a model again, to see if the same comes out.

    Runs its recorded recipe on its recorded parents. Exits 1 if it is not the same, bit for bit; if
    it is, your key signs for the model too. Code of others has to be trusted first: mgit trust code
    SEL.
    """
    from mgit.building import reproduce

    found = reproduce(
        session().repository(),
        selector,
        executor=executor,
        timeout_s=timeout,
        data=paths(data),
    )
    verdict = Styled("the same", "good") if found.is_equal else Styled("NOT the same", "bad")
    return Page(
        record(found, is_equal=found.is_equal),
        answer=(
            line(titled(found.title), "  recorded content  ", found.recorded),
            line(titled(found.title), "  made again        ", found.content, "  ", verdict),
        ),
        exit_code=0 if found.is_equal else _NO,
    )


def values(texts: Sequence[str] | None) -> "dict[str, Value]":
    """Returns ``k=v`` arguments: a value that is JSON is that value, any other is text."""
    return {name: _value(text) for name, text in pairs(texts or (), "--arg").items()}


def _value(text: str) -> "Value":
    try:
        found: Value = json.loads(text, parse_constant=_refuse)
    except ValueError:
        return text
    return found


def _refuse(text: str) -> object:
    raise wrong_usage(f"{text} is no argument that can be recorded")


def paths(texts: Sequence[str] | None) -> dict[str, Path]:
    """Returns ``name=path`` texts, seen from the folder that the command runs in."""
    found = pairs(texts or (), "--data")
    return {name: session().path(Path(path)) for name, path in found.items()}


def roots() -> tuple[Path, ...]:
    """Returns the folders in which modules of the person's project are found."""
    listed = session().environment.get("PYTHONPATH", "").split(os.pathsep)
    return (session().path(Path()), *(session().path(Path(path)) for path in listed if path))


@verb(
    "trust code",
    "mgit trust code search",
    "mgit trust code --check no-flips --json",
    of=trust,
)
def trust_code(
    selector: Annotated[
        str,
        typer.Argument(
            metavar="[SEL]", help="A model made by code.", autocompletion=names_beginning
        ),
    ] = "",
    check: Annotated[
        str, typer.Option("--check", metavar="C", help="A check, instead of a model.")
    ] = "",
    digest: Annotated[
        str, typer.Option(metavar="HEX", help="All 64 digits of what you have read: no question.")
    ] = "",
) -> Page:
    """Shows the source of a model's recipe, or of a check, and asks whether it may run here.

    Trust is by the digest of exactly these files; where nobody can be asked, that has to be given.
    """
    from mgit.building import code_of_node
    from mgit.checks.reading import code_of_check
    from mgit.errors import TrustError

    if bool(selector) == bool(check):
        raise wrong_usage("name one model, or one check: SEL, or --check C")
    repository = session().repository()
    code = code_of_check(repository, check) if check else code_of_node(repository, selector)
    again = shlex.join(["mgit", "trust", "code", *(["--check", check] if check else [selector])])
    shown = tuple(_source(code))
    wanted = digest.removeprefix("sha256:")
    is_meant = code.verbatim.hex() == wanted  # all of it: two sources can share a short beginning
    if digest and not is_meant:
        raise TrustError(f"the source is {code.verbatim.hex()}, not {digest}", hint=again)
    is_trusted = is_meant or code.is_trusted or _is_agreed(shown)
    if is_trusted:
        repository.home.trust_code(code.verbatim, f"{code.function}, read in {selector or check}")
    end = line("source ", code.verbatim, "  ", "trusted" if is_trusted else "not trusted")
    return Page(
        record(code, is_trusted=is_trusted),
        answer=() if is_meant or _can_ask() else shown,
        done=(end,),
        advice=() if is_trusted else (f"having read it: {again} --digest {code.verbatim.hex()}",),
        exit_code=0 if is_trusted else _NOT_TRUSTED,
    )


def _source(code: "Code") -> list[Block]:
    found: list[Block] = [line(Styled(f"# {code.function}, signed by {code.signers}", "heading"))]
    for path, text in code.files.items():
        found.append(line(Styled(f"# --- {path}", "heading")))
        found += [line(row) for row in text.splitlines()]
    return found


def _can_ask() -> bool:
    return sys.stdin.isatty() and session().stderr.isatty() and not session().is_json


def _is_agreed(shown: Sequence[Block]) -> bool:
    """Shows the source and asks; nobody there to be asked has not agreed."""
    if not _can_ask():
        return False
    from mgit.cli.output import Look, rendered

    for text in rendered(shown, Look.of(session().stderr, session())):
        session().stderr.write(text + "\n")
    return typer.confirm("trust this code, so that it may run here?", err=True)
