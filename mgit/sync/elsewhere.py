"""The other remotes of a copy: asked for what came damaged from the one that was asked first."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mgit.errors import MgitError
from mgit.remote import connect
from mgit.repository import Repository
from mgit.sync.peer import Peer, meet
from mgit.sync.settings import remotes


@dataclass(slots=True)
class Elsewhere:
    """Remotes beside the one at ``url``. Each is met at most once, and only when needed.

    Attributes:
        repository: Whose remotes.
        url: The remote that is asked anyway.
    """

    repository: Repository
    url: str
    _met: dict[str, Peer | None] = field(default_factory=dict)

    def peers(self) -> Iterator[Peer]:
        """Yields the others that can be reached."""
        for name, url in sorted(remotes(self.repository).items()):
            if url == self.url:
                continue
            if name not in self._met:
                self._met[name] = self._meet(name, url)
            peer = self._met[name]
            if peer:
                yield peer

    def _meet(self, name: str, url: str) -> Peer | None:
        try:
            return meet(self.repository, name, connect(url))
        except MgitError:
            return None  # what came damaged is told in any case
