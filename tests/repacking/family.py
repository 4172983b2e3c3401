r"""A repository with a family, some time ago.

base@v1 --- base@v2        other: of nobody's kin
   \-- kid
"""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mgit import editing, repair
from mgit.adding import Description, add, export
from mgit.digest import Digest
from mgit.objects import CHUNK, PackKind, Ref
from mgit.repository import FOLDER, Repository
from mgit.store import Fact, Facts
from tests.checkpoints import f32, files_below, floats, home_of, repository_of, safetensors, written

DAY_S = 86_400
START = floats(1, 1 << 12)
MOVED = {name: floats(number, 0, near=START) for number, name in enumerate(("two", "kid"), 2)}
WEIGHTS = {"one": START, **MOVED, "other": floats(9, 1 << 12)}


@dataclass(frozen=True, slots=True)
class Family:
    """Who is where."""

    root: Path

    @property
    def repository(self) -> Repository:
        """A handle that knows nothing yet."""
        return Repository.at(self.root / "alice" / FOLDER, home_of("alice", self.root))

    def source(self, name: str) -> Path:
        """The folder of a checkpoint."""
        return self.root / "sources" / name

    def is_here(self, name: str, source: str) -> bool:
        """Whether a model can be written back as it was."""
        target = self.root / "written" / name / str(time.monotonic_ns())
        export(self.repository, name, target)
        return files_below(target) == files_below(self.source(source))

    def packs(self) -> set[str]:
        """The names of all packs."""
        folder = self.repository.store.packs_folder
        return {path.name for path in folder.iterdir() if path.name != "list"}

    def grow_old(self, days: int) -> None:
        """Makes everything that happened so far at least as old as that."""
        repository = self.repository
        moment = time.time() - days * DAY_S
        for path in repository.store.packs_folder.iterdir():
            if path.stat().st_mtime > moment:
                os.utime(path, (moment, moment))
        backdate(repository.facts("operations"), "time", days)
        backdate(repository.facts("condemned"), "seen", days)

    def is_sound(self) -> bool:
        """Whether nothing is damaged or lost."""
        return repair.check(self.repository).is_clean


def backdate(facts: Facts, key: str, days: int) -> None:
    if not facts.path.exists():
        return
    moment = datetime.now(UTC) - timedelta(days=days)
    changed = [dated(fact, key, moment) for fact in facts]
    facts.path.unlink()
    for fact in changed:
        facts.append(fact)


def dated(fact: Fact, key: str, latest: datetime) -> Fact:
    if key not in fact or datetime.fromisoformat(str(fact[key])) <= latest:
        return fact
    return {**fact, key: latest.isoformat()}


def family_in(root: Path) -> Family:
    """Makes the family."""
    made = Family(root)
    for name, values in WEIGHTS.items():
        written(made.source(name) / "a.safetensors", safetensors({"w": f32(values, 64, 64)}))
    alice = repository_of("alice", root)
    add(alice, made.source("one"), "base")
    add(alice, made.source("kid"), "kid", description=Description(parents=["base"]))
    add(alice, made.source("two"), "base")
    add(alice, made.source("other"), "other")
    return made


def node_of(repository: Repository, name: str) -> Digest:
    """What a name points to."""
    (node,) = repository.history().names.resolve(name)
    return node


def remove(family: Family, name: str) -> Digest:
    """Removes a name; returns what it pointed to."""
    node = node_of(family.repository, name)
    editing.remove(family.repository, name)
    return node


def loosen(family: Family) -> None:
    """Puts all chunks into one pack, with much beside them that nobody needs."""
    store = family.repository.store
    store.refresh()
    old = [pack for pack, index in store.catalog.packs.items() if index.kind is PackKind.CHUNKS]
    with store.writer(PackKind.CHUNKS) as writer:
        for place in store.catalog.of_kind(CHUNK):
            row = place.row
            body = store.reader.stored(place)
            writer.add(row.ref, body, raw_bytes=row.raw_bytes, codec=row.codec, bases=row.bases)
        garbage = bytes(1 << 20)
        writer.add(Ref(CHUNK, Digest.of(garbage)), garbage, raw_bytes=len(garbage))
        store.install(writer.finish())
    store.remove(old)
