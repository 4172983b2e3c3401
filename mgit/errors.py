"""Every failure that mgit expects, grouped by what the caller can do about it.

Knows nothing of the rest. An exit code stands beside each class because scripts rely on it; the
table is printed by ``mgit --help``.
"""


class MgitError(Exception):
    """An expected failure.

    Attributes:
        hint: The next step, an exact command where there is one; may be empty.
        exit_code: What the command line exits with.
    """

    exit_code = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConflictError(MgitError):
    """The answer is "no" until somebody decides: a conflicted name, a push that would make one."""

    exit_code = 1


class RunError(MgitError):
    """Somebody's function did not do what it is for: it raised, took too long, or made NaN."""

    exit_code = 1


class UsageError(MgitError):
    """The request makes no sense as it stands: a bad name, an ambiguous prefix, a cycle."""

    exit_code = 2


class MovedError(MgitError):
    """Somebody else moved it meanwhile: look, and run again."""

    exit_code = 3


class NotFoundError(MgitError):
    """There is no such name, node, remote or repository."""

    exit_code = 4


class AbsentError(NotFoundError):
    """It exists, but its bytes are not in this copy; the message says why."""


class DamagedError(MgitError):
    """Bytes are not what their digest or format says."""

    exit_code = 5


class FormatError(DamagedError):
    """Bytes that no correct writer produces: not canonical, truncated, out of bounds."""


class UnknownCodecError(MgitError):
    """Stored in a way that this version, or this installation, cannot read."""

    exit_code = 8


class TrustError(MgitError):
    """Not signed, not trusted, or not allowed."""

    exit_code = 6


class PickleError(TrustError):
    """A checkpoint that can only be read by running it."""


class RemoteError(MgitError):
    """The remote cannot be reached."""

    exit_code = 7


class PackMissingError(RemoteError):
    """A pack that the listing named is gone: list again."""


class ForbiddenError(MgitError):
    """The remote refuses this operation to us, or to everybody (read-only)."""

    exit_code = 6


class MachineError(MgitError):
    """This machine: no space, no permission, no memory, a failing disk."""

    exit_code = 8
