"""Packs that this copy is going to remove: their objects are elsewhere, or nobody needs them.

They stay for a while, because a program may be reading them, here or over a shared folder.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from mgit.digest import Digest
from mgit.objects import PackId
from mgit.store.facts import Facts


@dataclass(frozen=True, slots=True)
class Condemned:
    """The list of condemned packs, as facts of this copy."""

    facts: Facts

    def add(self, packs: Iterable[PackId]) -> None:
        """Condemns packs, from now on."""
        seen = datetime.now(UTC).isoformat()
        self.facts.append({"condemned": _as_text(packs), "seen": seen})

    def forget(self, packs: Iterable[PackId]) -> None:
        """Takes packs off the list: they are removed, or needed again."""
        self.facts.append({"forgotten": _as_text(packs)})

    def since(self) -> dict[PackId, datetime]:
        """Returns when each condemned pack was first seen as such."""
        found: dict[PackId, datetime] = {}
        for fact in self.facts:
            with contextlib.suppress(ValueError):  # a line that makes no sense
                match fact:
                    case {"condemned": list(packs), "seen": str(seen)}:
                        when = datetime.fromisoformat(seen).astimezone(UTC)
                        for pack in _packs(packs):
                            found.setdefault(pack, when)
                    case {"forgotten": list(packs)}:
                        for pack in _packs(packs):
                            found.pop(pack, None)
                    case _:
                        continue
        return found

    def ever(self) -> frozenset[PackId]:
        """Returns the packs that were ever condemned, also those that are off the list."""
        found: set[PackId] = set()
        for fact in self.facts:
            with contextlib.suppress(ValueError):  # a line that makes no sense
                match fact:
                    case {"condemned": list(packs)}:
                        found.update(_packs(packs))
                    case _:
                        continue
        return frozenset(found)


def _as_text(packs: Iterable[PackId]) -> list[str]:
    return sorted(pack.hex() for pack in packs)


def _packs(texts: Iterable[object]) -> list[PackId]:
    return [PackId(Digest.from_text(str(text))) for text in texts]
