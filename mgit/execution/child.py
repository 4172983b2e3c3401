"""A process that was started, and the one socket to it: lines of JSON both ways."""

import contextlib
import socket
import subprocess

from mgit.execution.messages import MAX_BYTES

_READ_BYTES = 1 << 20
_DYING_S = 1.0


class Child:
    """A process of ours; the leader of a session of its own.

    Attributes:
        session: Id of that session, which is the number of the process.
    """

    def __init__(self, process: subprocess.Popen[bytes], line: socket.socket) -> None:
        """Takes the process and our end of the socket."""
        self.session = process.pid
        self._process = process
        self._line = line
        self._heard = bytearray()
        self._is_silent = False

    def fileno(self) -> int:
        """Returns the descriptor that is readable when the child said something, or hung up."""
        return self._line.fileno()

    def tell(self, line: bytes) -> None:
        """Writes a line to it; that it cannot hear any more is noticed by ``has_ended``."""
        with contextlib.suppress(ConnectionError):
            self._line.sendall(line)

    def hear(self) -> list[bytes]:
        """Returns the lines that it has said since the last time; does not wait.

        Raises:
            ValueError: A line is longer than any outcome.
        """
        try:
            new = self._line.recv(_READ_BYTES, socket.MSG_DONTWAIT)
            self._is_silent = not new
        except BlockingIOError:
            return []
        except ConnectionError:
            self._is_silent = True
            return []
        self._heard += new
        if b"\n" in new:
            *lines, rest = bytes(self._heard).split(b"\n")
            self._heard = bytearray(rest)
            return lines
        if len(self._heard) > MAX_BYTES:
            raise ValueError(f"answered with more than {MAX_BYTES >> 20} MiB")
        return []

    @property
    def has_ended(self) -> bool:
        """Whether it is dead, or has hung up; what it said before can still be heard."""
        # The socket alone does not tell: whatever a job has forked holds it open.
        return self._is_silent or self._process.poll() is not None

    def hang_up(self) -> None:
        """Ends what it hears, upon which it is to end."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)

    def ending(self, timeout_s: float = _DYING_S) -> str:
        """Returns how it ended, as the end of a sentence; waits that long for it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        match self._process.returncode:
            case None:
                return "hung up"
            case code if code < 0:
                return f"was killed by signal {-code}"
            case code:
                return f"ended by itself, with exit code {code}"

    def close(self) -> None:
        """Lets go of it; it is dead, or about to be."""
        self._line.close()
        with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel: a dead disk
            self._process.wait(_DYING_S)
