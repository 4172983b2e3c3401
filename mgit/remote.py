"""The port to other repositories: list packs, read a range, add a pack.

What a remote returns is verified by whoever receives it: a transport is trusted with nothing. A
transport raises the errors named here and no others.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol
from urllib.parse import urlsplit

from mgit.errors import UsageError
from mgit.objects import PackId, PackKind

MAX_READ_BYTES = 16 << 20
ENTRY_POINTS = "mgit.remotes"


@dataclass(frozen=True, slots=True)
class PackListing:
    """One pack at a remote.

    Attributes:
        pack: Its id.
        kind: What it holds.
        size_bytes: Size of the whole file.
    """

    pack: PackId
    kind: PackKind
    size_bytes: int

    @property
    def file_name(self) -> str:
        """What its file is called in a folder of packs."""
        return f"{self.pack.hex()}.{self.kind.value}"


class PackSource(Protocol):
    """A complete pack on this side, to be written to a remote."""

    @property
    def listing(self) -> PackListing:
        """Id, kind and size."""

    def read(self, start: int, stop: int) -> bytes:
        """Returns a range of its bytes."""


class Remote(Protocol):
    """Another repository that can be reached."""

    def packs(self) -> Iterable[PackListing]:
        """Returns the packs that are there.

        Raises:
            NotFoundError: There is no repository at that place.
            RemoteError: It cannot be reached.
        """

    def read(self, pack: PackId, start: int, stop: int) -> bytes:
        """Returns bytes ``start`` to ``stop`` of a pack, at most 16 MiB; fewer at its end.

        Raises:
            PackMissingError: The pack is not there, or no longer.
        """

    def write(self, pack: PackId, source: PackSource) -> None:
        """Adds a pack: all or nothing, and nothing if it is there already.

        Raises:
            ForbiddenError: This remote takes nothing, or nothing from us.
            MachineError: There is no room.
        """


Factory = Callable[[str], Remote]


def scheme_of(url: str) -> str:
    """Returns the scheme of a URL; a plain path is a ``file``.

    Raises:
        UsageError: A URL with credentials in it, or a host that a program could take for an option.
    """
    if "://" not in url:
        return "file"
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{url!r} is not a URL: {error}", hint="look at the URL again") from error
    if parts.password or (parts.username and parts.scheme != "ssh"):
        raise UsageError("a URL must not hold credentials", hint="remove user:password@ from it")
    if (parts.hostname or "").startswith("-"):
        raise UsageError(f"{parts.hostname!r} cannot be a host", hint="look at the URL again")
    return parts.scheme


def connect(url: str) -> Remote:
    """Returns the remote at ``url``, through the transport that is installed for its scheme.

    Raises:
        UsageError: No transport knows the scheme.
    """
    scheme = scheme_of(url)
    found = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if scheme not in found:
        raise UsageError(
            f"no transport for {scheme}:// is installed (there is: {', '.join(sorted(found))})",
            hint=f"pip install mgit-remote-{scheme}, or use a path",
        )
    factory: Factory = found[scheme].load()
    return factory(url)


@dataclass(slots=True)
class Counting:
    """A remote that counts the calls it hands on, so that tests can pin what an operation costs."""

    remote: Remote
    listings: int = 0
    reads: int = 0
    read_bytes: int = 0
    writes: int = 0

    def packs(self) -> Iterable[PackListing]:
        """Counts and hands on."""
        self.listings += 1
        return self.remote.packs()

    def read(self, pack: PackId, start: int, stop: int) -> bytes:
        """Counts and hands on."""
        data = self.remote.read(pack, start, stop)
        self.reads += 1
        self.read_bytes += len(data)
        return data

    def write(self, pack: PackId, source: PackSource) -> None:
        """Counts and hands on."""
        self.writes += 1
        self.remote.write(pack, source)
