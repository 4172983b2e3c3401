"""Errors for people and programs: at most three lines, and the one table of exit codes."""

import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

import typer

from mgit.cli.session import Session
from mgit.errors import MgitError

EXIT_CODES: Mapping[int, str] = {
    0: "done",
    1: 'the answer is "no": different, a test failed, a conflict is left',
    2: "wrong usage",
    3: "somebody else moved it: look, and run again",
    4: "not found, or not here",
    5: "damaged",
    6: "not trusted, or not allowed",
    7: "the remote cannot be reached, or stalled",
    8: "this machine: disk, memory, permissions",
    70: "a bug in mgit",
    130: "interrupted",
}
INTERRUPTED = 130
_USAGE, _MACHINE, _BUG = 2, 8, 70
_WRONG_USAGE = typer.BadParameter.__mro__[1:3]  # what its parser raises: typer exports no base
_SHOW_ALL = "run it again with MGIT_TRACEBACK=1 to see where"


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as it is told.

    Attributes:
        error: Name of its class.
        message: What happened.
        hint: What to do; may be empty.
        exit_code: A key of ``EXIT_CODES``.
    """

    error: str
    message: str
    hint: str
    exit_code: int


def failure_of(error: BaseException, words: str) -> Failure:
    """Returns how an error is told.

    Args:
        error: What was raised.
        words: The command, as far as it was understood: ``mgit key new``.
    """
    name = type(error).__name__
    match error:
        case MgitError():
            return Failure(name, str(error), error.hint, error.exit_code)
        case KeyboardInterrupt() | typer.Abort():
            return Failure("Interrupted", "interrupted", "", INTERRUPTED)
        case MemoryError():
            return Failure(name, "out of memory", "close other programs, then try again", _MACHINE)
        case OSError() if hint := _machine_hint(error):
            return Failure(name, str(error), hint, _MACHINE)
        case _ if isinstance(error, _WRONG_USAGE):
            return Failure("UsageError", _parser_message(error), f"{words} --help", _USAGE)
        case _:
            return Failure(name, f"a bug in mgit: {name}: {error}", _SHOW_ALL, _BUG)


def tell(failure: Failure, session: Session, stderr: TextIO) -> None:
    """Writes an error: one JSON document with ``--json``, else at most three lines."""
    from mgit.cli.output import clean

    if session.environment.get("MGIT_TRACEBACK"):
        stderr.write(traceback.format_exc())
    if session.is_json:
        document = {
            "schema": "mgit.error/v1",
            "error": failure.error,
            "message": failure.message,
            "hint": failure.hint,
            "exit_code": failure.exit_code,
        }
        stderr.write(json.dumps(document) + "\n")
        return
    stderr.write(f"mgit: {clean(failure.message)}\n")
    if failure.hint:
        stderr.write(f"  {clean(failure.hint)}\n")


def _machine_hint(error: OSError) -> str:
    """Returns what to do where this machine is to blame; empty where it is not."""
    from mgit.store.files import OF_THIS_MACHINE  # the store is heavy: --help does without

    return OF_THIS_MACHINE.get(error.errno or 0, "")


def _parser_message(error: Any) -> str:
    message = str(error.format_message())
    return message[:1].lower() + message[1:].rstrip(".")
