"""Ends processes by what they belong to, because those that matter are known to nobody by number.

A killed worker leaves children; Ray leaves agents that live on for a minute, and that overwrite
their own environment. So a process is ours if it belongs to a session of ours, or carries our mark.
Where there is no ``/proc``, only the process groups of the sessions' leaders are found.
"""

import contextlib
import os
import signal
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from mgit.execution.inherited import MARK

_PROC = Path("/proc")
_PATIENCE_S = 5.0
_PAUSE_S = 0.005


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose processes are meant.

    Attributes:
        sessions: Ids of sessions, each led by a process that was started as such.
        mark: What they carry in their environment; empty: that is not looked at.
    """

    sessions: Collection[int]
    mark: str = ""


def end_all(owner: Owner) -> None:
    """Kills the processes of an owner, and what they start meanwhile, until none is left."""
    for session in owner.sessions:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(session, signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE_S
    while (found := living(owner)) and time.monotonic() < deadline:
        for process in found:
            _kill(process, owner)
        time.sleep(_PAUSE_S)


def living(owner: Owner) -> list[int]:
    """Returns the processes of an owner that are not dead yet; none where there is no ``/proc``."""
    if not _PROC.is_dir():
        return []
    processes = [int(path.name) for path in _PROC.iterdir() if path.name.isdecimal()]
    return [process for process in processes if _belongs(process, owner)]


def _belongs(process: int, owner: Owner) -> bool:
    try:
        status = (_PROC / f"{process}/stat").read_text(encoding="utf-8", errors="replace")
        state, _, _, session, *_ = status.rpartition(")")[2].split()
        if state in "ZX":  # dead, and waits for its parent to notice
            return False
        return int(session) in owner.sessions or (bool(owner.mark) and _carries(process, owner))
    except OSError:  # it is gone, or somebody else's
        return False


def _carries(process: int, owner: Owner) -> bool:
    variables = (_PROC / f"{process}/environ").read_bytes().split(b"\0")
    return f"{MARK}={owner.mark}".encode() in variables


def _kill(process: int, owner: Owner) -> None:
    """Kills a process that may be gone, and its number somebody else's, by now."""
    with contextlib.suppress(OSError):
        descriptor = os.pidfd_open(process)
        try:
            if _belongs(process, owner):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)
