"""From the words of a command line to an exit code."""

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from mgit.cli import verbs
from mgit.cli.application import program
from mgit.cli.failures import INTERRUPTED, failure_of, tell
from mgit.cli.page import Page
from mgit.cli.session import Session, running


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    Args:
        arguments: Words after ``mgit``; those of this process if not given.
    """
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    with running(Session(os.environ, sys.stderr)) as session:
        try:
            return _run(words, session)
        except BrokenPipeError:  # whoever read our output has seen enough
            _forget(sys.stdout)
            return 0
        except SystemExit as done:  # the parser ends so after completion
            return done.code if isinstance(done.code, int) else 0
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # each has an exit code
            session.is_json = session.is_json or "--json" in words  # the parser may not know yet
            failure = failure_of(error, _words_of(error, session))
            tell(failure, session, sys.stderr)
            return failure.exit_code


def _run(words: Sequence[str], session: Session) -> int:
    verbs.load()
    outcome = program().main(args=words, prog_name="mgit", standalone_mode=False)
    if outcome == INTERRUPTED:
        raise KeyboardInterrupt
    if not isinstance(outcome, Page):  # help, version: printed, and an exit code
        return int(outcome or 0)
    from mgit.cli.output import write

    write(outcome, session.command.replace(" ", "-"), session, sys.stdout)
    return outcome.exit_code


def _words_of(error: BaseException, session: Session) -> str:
    context = getattr(error, "ctx", None)  # the parser's errors know which command it was in
    path = getattr(context, "command_path", "")
    return path or f"mgit {session.command}".strip()


def _forget(stream: TextIO) -> None:
    """Lets nothing more be written to a closed pipe, also when Python flushes at its end."""
    with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:  # noqa: PTH123  # no path
        os.dup2(nowhere.fileno(), stream.fileno())
