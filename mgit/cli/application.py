"""The command tree, and the options that every command takes, before the verb or after it."""

import copy
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from mgit.cli.failures import EXIT_CODES
from mgit.cli.page import Page
from mgit.cli.session import session

Command = TypeVar("Command", bound=Callable[..., Page])

# Names of options and of attributes of the session: no command may have a parameter of that name.
_GLOBAL = {"started_in", "is_json", "is_quiet", "is_verbose", "is_colorless"}
_SETTINGS = {"help_option_names": ["-h", "--help"]}


def _epilog(heading: str, lines: Iterator[str] | list[str]) -> str:
    # \b: the block below is not to be re-wrapped
    return "\n".join(["\b", heading, *(f"  {text}" for text in lines)])


app = typer.Typer(
    help="Version control for families of machine-learning models, between peers.\n\n"
    "These options stand before the command or after it; mgit COMMAND --help shows the others.",
    epilog=_epilog("Exit codes:", [f"{code:<4} {text}" for code, text in EXIT_CODES.items()])
    + "\n\n"
    + _epilog("Examples:", ["mgit add ./minilm minilm", "mgit log --graph"]),
    rich_markup_mode=None,  # its help takes a second import of rich, and changes when piped
    context_settings=_SETTINGS,
    pretty_exceptions_enable=False,
)


def group(name: str, about: str, *examples: str) -> typer.Typer:
    """Returns a new group of commands, ``mgit NAME …``."""
    made = typer.Typer(
        help=about,
        epilog=_epilog("Examples:", list(examples)),
        rich_markup_mode=None,
        context_settings=_SETTINGS,
    )
    app.add_typer(made, name=name)
    return made


def verb(
    name: str, *examples: str, of: typer.Typer | None = None
) -> Callable[[Command], Callable[..., Page]]:
    """Makes a function the command ``name``; its docstring and the examples are its help.

    Args:
        name: All words of it: ``key new``.
        examples: Command lines that show it; they end its help.
        of: The group that it is in.
    """

    def register(function: Command) -> Callable[..., Page]:
        @functools.wraps(function)
        def run(*arguments: Any, **options: Any) -> Page:
            session().command = name
            return function(*arguments, **options)

        epilog = _epilog("Examples:", list(examples))
        parent = of or app
        return parent.command(name.rpartition(" ")[2], epilog=epilog)(run)

    return register


def program() -> Any:
    """Returns the parser of the whole command line.

    Every command gets the options of ``mgit`` itself, so that they may stand after the verb too.
    """
    command: Any = typer.main.get_command(app)
    shared = [option for option in command.params if option.name in _GLOBAL]
    for below in _commands_below(command):
        taken = {name for option in below.params for name in option.opts}
        for option in shared:
            hidden = copy.copy(option)
            hidden.opts = [name for name in option.opts if name not in taken]
            hidden.hidden, hidden.expose_value = True, False
            below.params.append(hidden)
    return command


def _commands_below(command: Any) -> Iterator[Any]:
    for below in getattr(command, "commands", {}).values():
        yield below
        yield from _commands_below(below)


def _take(option: typer.CallbackParam, value: Any) -> None:
    """Notes a global option where it was given; where it was not, an earlier one stays."""
    if value and option.name:
        setattr(session(), option.name, value)


def _show_version(value: bool) -> None:  # typer calls it
    if value:
        import mgit

        typer.echo(f"mgit {mgit.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    started_in: Annotated[  # the callbacks note the options; so below
        Path | None,
        typer.Option("-C", metavar="DIR", help="Run as if started in DIR.", callback=_take),
    ] = None,
    is_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document.", callback=_take)
    ] = False,
    is_quiet: Annotated[
        bool,
        typer.Option("-q", "--quiet", help="Print only answers and errors.", callback=_take),
    ] = False,
    is_verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Print ids whole.", callback=_take)
    ] = False,
    is_colorless: Annotated[
        bool, typer.Option("--no-color", help="Print without colours.", callback=_take)
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass
