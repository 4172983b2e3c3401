"""A worker: does one job at a time, and is kept, so that torch is imported once.

As a process of its own it reads jobs from a socket, one a line, and answers each with a line.
"""

import contextlib
import os
import socket
import sys

from mgit.execution.messages import done_text, job_from
from mgit.execution.performing import perform


class Worker:
    """The same for Ray, which makes an actor of it."""

    def __init__(self, folder: str, host_folder: str) -> None:
        """Takes the folder to work in, and the host's, where Ray would look for modules."""
        with contextlib.suppress(OSError):  # another machine need not have it
            os.chdir(folder)
        sys.path[:] = [entry for entry in sys.path if entry != host_folder]

    def is_ready(self) -> bool:
        """Returns when the worker has started."""
        return True

    def perform(self, job: str) -> str:
        """Returns how a job ended; both as text."""
        return done_text(perform(job_from(job)))


def line_to_driver() -> socket.socket:
    """Returns the socket that is standard input, and puts an empty input in its place.

    So no job reads what is meant for its worker, and nothing that a job starts holds the line.
    """
    line = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return line


def main() -> None:
    """Does jobs until the driver hangs up."""
    with (
        contextlib.suppress(ConnectionError),
        line_to_driver() as line,
        line.makefile("rb") as jobs,
    ):
        for job in jobs:
            line.sendall(f"{done_text(perform(job_from(job)))}\n".encode("ascii"))


if __name__ == "__main__":
    main()
