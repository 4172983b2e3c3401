"""A process that outlives whoever uses an executor, and ends what that one leaves behind.

It reads session ids from its input, each once when it begins and once when it is over. The input
ends when its other side hangs up or dies, be it by signal 9; then the guard kills the executor's
processes, removes the executor's temporary folder and ends. No worker could do this for itself: it
may be stuck in C code that no thread of its own can interrupt.

    python -m mgit.execution.guard MARK [FOLDER]
"""

import shutil
import signal
import sys

from mgit.execution.leftovers import Owner, end_all


def main() -> None:
    """Waits for the end of the input, then clears up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    mark, *folders = sys.argv[1:]
    sessions: set[int] = set()
    for session in sys.stdin:
        sessions ^= {int(session)}
    end_all(Owner(sessions, mark))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
