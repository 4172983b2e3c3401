"""Remotes for tests: the real folder behind a wire that is counted, cut, or lies."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mgit import sync
from mgit.errors import RemoteError
from mgit.objects import PackId
from mgit.remote import Counting, PackListing, PackSource, Remote, connect
from mgit.repository import Home, Repository
from mgit.sync import Fetched, Pushed, Source


@dataclass(slots=True)
class Wire:
    """A remote whose connection breaks after so many reads and writes.

    Attributes:
        remote: What it leads to.
        calls_left: Reads and writes until it breaks; negative: it never does.
        reads: Every range that was read.
        before_read: Is called before each read.
    """

    remote: Remote
    calls_left: int = -1
    reads: list[tuple[PackId, int, int]] = field(default_factory=list)
    before_read: Callable[[PackId], None] = lambda _pack: None

    def packs(self) -> Iterable[PackListing]:
        return self.remote.packs()

    def read(self, pack: PackId, start: int, stop: int) -> bytes:
        self._use()
        self.before_read(pack)
        self.reads.append((pack, start, stop))
        return self.remote.read(pack, start, stop)

    def write(self, pack: PackId, source: PackSource) -> None:
        self._use()
        self.remote.write(pack, source)

    def _use(self) -> None:
        if self.calls_left == 0:
            raise RemoteError("the connection broke")
        self.calls_left -= 1


class Meanwhile:
    """A remote at which something happens just before the first pack is written."""

    def __init__(self, folder: Path, happens: Callable[[], object]) -> None:
        self._remote, self._happens = connect(str(folder)), [happens]

    def packs(self) -> Iterable[PackListing]:
        return self._remote.packs()

    def read(self, pack: PackId, start: int, stop: int) -> bytes:
        return self._remote.read(pack, start, stop)

    def write(self, pack: PackId, source: PackSource) -> None:
        while self._happens:
            self._happens.pop()()
        self._remote.write(pack, source)


def counting(folder: Path) -> Counting:
    return Counting(connect(str(folder)))


def fetch_via(repository: Repository, remote: Remote, select: str = "") -> Fetched:
    source = Source("origin", "wire", select)
    return sync.receive(repository, source, remote, lambda _done, _total: None)


def push_via(
    repository: Repository, remote: Remote, selector: str = "", *, may_conflict: bool = False
) -> Pushed:
    return sync.send(
        repository,
        sync.meet(repository, "origin", remote),
        selector,
        is_dry_run=False,
        may_conflict=may_conflict,
        progress=lambda _done, _total: None,
    )


def at_rest(folder: Path, root: Path) -> Repository:
    """What a bare folder of packs holds, as somebody without any caches sees it."""
    return Repository.at(folder, Home(root / "nobody", root / "nowhere"))
