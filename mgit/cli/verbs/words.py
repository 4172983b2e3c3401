"""What several commands take: arguments with their help, and words read into values."""

import contextlib
import getpass
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mgit.cli.session import session

if TYPE_CHECKING:
    from mgit.errors import UsageError


def names_beginning(incomplete: str) -> list[str]:
    """Returns the names that a shell may complete a word to."""
    from mgit.errors import MgitError

    with contextlib.suppress(MgitError, OSError):  # a completion never fails
        names = session().repository().history().names.names()
        return [name for name in names if name.startswith(incomplete)]
    return []


Selected = Annotated[
    str,
    typer.Argument(
        metavar="SEL", help="Which node: name, name@vN, id.", autocompletion=names_beginning
    ),
]
SelectedSome = Annotated[
    str,
    typer.Argument(
        metavar="SEL",
        help="Which nodes: a name, or an expression such as 'descendants(bert)'.",
        autocompletion=names_beginning,
    ),
]
SelectedOrAll = Annotated[
    str,
    typer.Argument(
        metavar="[SEL]",
        help="Which nodes: a name, or an expression such as 'descendants(bert)'.",
        autocompletion=names_beginning,
    ),
]
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A model's name.", autocompletion=names_beginning)
]
OwnLabel = Annotated[
    str,
    typer.Option("--as", metavar="LABEL", help="What a new key of yours is called."),
]
Message = Annotated[str, typer.Option("-m", "--message", metavar="TEXT", help="Why, in words.")]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag for it; repeatable.")
]
GRACE_DAYS = 14
Grace = Annotated[
    int,
    typer.Option(
        "--grace",
        metavar="DAYS",
        min=0,
        max=36_500,
        help="How long a pack stays that is of no use any more. With 0 it goes at once: only if"
        " nobody else uses this folder.",
    ),
]


def label_or_login(label: str) -> str:
    """Returns a label that was given, or the person's login name made into one."""
    if label:
        return label
    try:
        login = getpass.getuser()
    except (KeyError, OSError):  # no such user in a container
        return "me"
    made = re.sub(r"[^a-z0-9]+", "-", login.lower()).lstrip("-0123456789")[:63].rstrip("-")
    return made if made and not re.fullmatch(r"v[0-9]+", made) else "me"


def wrong_usage(message: str) -> "UsageError":
    """Returns the error that the words of the running command make no sense together."""
    from mgit.errors import UsageError

    return UsageError(message, hint=f"mgit {session().command} --help")


def pairs(texts: Sequence[str], option: str) -> Mapping[str, str]:
    """Returns ``k=v`` texts as a mapping.

    Raises:
        UsageError: One has no ``=``.
    """
    split = [text.partition("=") for text in texts]
    wrong = [text for text, (key, sign, _) in zip(texts, split, strict=True) if not (key and sign)]
    if wrong:
        raise wrong_usage(f"{option} {wrong[0]!r} is not key=value")
    return {key: value for key, _, value in split}
