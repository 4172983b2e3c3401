"""What several commands take: arguments with their help, and words read into values."""

import getpass
import re
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

Selected = Annotated[str, typer.Argument(metavar="SEL", help="Which model: name, name@vN, id.")]
Selection = Annotated[
    str, typer.Argument(metavar="[SEL]", help="Which models: a name or an expression.")
]
Label = Annotated[
    str, typer.Option("--as", metavar="LABEL", help="What your new key is called, if you need one.")
]


def label_or_login(label: str) -> str:
    """Returns a label that was given, or the person's login name made into one."""
    if label:
        return label
    try:
        login = getpass.getuser()
    except (KeyError, OSError):  # no such user in a container
        return "me"
    made = re.sub(r"[^a-z0-9]+", "-", login.lower()).strip("-0123456789")
    return made[:63] if made and not re.fullmatch(r"v[0-9]+", made) else "me"


def pairs(texts: Sequence[str], option: str) -> Mapping[str, str]:
    """Returns ``k=v`` texts as a mapping.

    Raises:
        BadParameter: One has no ``=``.
    """
    split = [text.partition("=") for text in texts]
    wrong = [text for text, (key, sign, _) in zip(texts, split, strict=True) if not (key and sign)]
    if wrong:
        raise typer.BadParameter(f"{option} {wrong[0]!r} is not key=value")
    return {key: value for key, _, value in split}
