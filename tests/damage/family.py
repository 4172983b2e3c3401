r"""A small family in several copies, and what one can see of it.

    m@v1 --- m         alice/   all of it
      |\-- kid         copy/    what there was when m was at v1
      |\-- left        bare/    all of it, without weights
      |\-- right       bob/     another maintainer's, in which m went elsewhere
      \--- half        in/      checkpoints

``half`` was made by a recipe and is behind; ``kid`` has a check.
"""

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mgit import repair, sync
from mgit.digest import Digest
from mgit.editing.trusting import members
from mgit.objects import TEST_RESULT, Role
from mgit.repository import FOLDER, Presence, Repository, presence
from mgit.signing import key_text
from tests.checkpoints import f32, files_below, floats, home_of, safetensors, written
from tests.cli.terminal import Terminal

CHECK = """
import mgit


@mgit.check(on="m", gates=[mgit.at_least("accuracy", 0.5)])
def answers(model):
    return mgit.Samples([True, True, True])
"""
NEAR = floats(1, 1 << 10)
MOVED = ("first", "second", "next", "theirs", "kid", "left", "right")
COPIES = ("alice", "copy", "bare", "bob", "new")


@dataclass(frozen=True)
class Seen:
    """What one can see of a repository; whatever a command changes, it changes something here.

    Attributes:
        names: Name -> what it points to.
        statements: How many claims of each type there are; without results of checks, because
            that a check could not be run is one, and scores tell when it could.
        members: Who has which roles, by label: keys are drawn.
        remotes: Name -> the last word of its URL: the family is copied from place to place.
        whole: The nodes whose weights are here.
        faults: How much is damaged or lost.
    """

    names: dict[str, frozenset[Digest]]
    statements: dict[str, int]
    members: tuple[tuple[str, frozenset[Role]], ...]
    remotes: dict[str, str]
    whole: frozenset[Digest]
    faults: int


@dataclass(frozen=True)
class Person:
    """What one can see of a person's home."""

    keys: tuple[str, ...]
    key_in_use: str | None
    folders: tuple[str, ...]
    code: frozenset[str]


@dataclass(frozen=True)
class State:
    """What one can see of everything."""

    repositories: dict[str, Seen]
    people: dict[str, Person]
    exported: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Family:
    """Who is where."""

    root: Path

    def at(self, folder: str) -> Repository:
        """A copy, as somebody opens it who knows nothing yet."""
        owner = "bob" if folder == "bob" else "alice"
        return Repository.at(self.root / folder / FOLDER, home_of(owner, self.root))

    def copied_to(self, root: Path) -> "Family":
        """The same, elsewhere."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return Family(root)

    def state(self) -> State:
        """What one can see now."""
        seen = {name: self._seen(name) for name in COPIES if self._is_begun(name)}
        return State(
            {
                name: found
                for name, found in seen.items()
                if found.names or found.members or found.faults
            },
            {person: self._person(person) for person in ("alice", "bob")},
            {
                name: content
                for name, content in files_below(self.root / "out").items()
                if not name.endswith(".part")  # what was cut off, under a name that nobody reads
            },
        )

    def _person(self, name: str) -> Person:
        home = home_of(name, self.root)
        folders = tuple(Path(folder).name for folder in home.trusted_folders())
        return Person(tuple(home.labels()), home.key_in_use(), folders, frozenset(home._code()))

    def _is_begun(self, folder: str) -> bool:
        """Whether a repository is there that has a settled id; one half made is as none."""
        packs = self.root / folder / FOLDER / "packs"
        return packs.is_dir() and bool(self.at(folder).settings())

    def _seen(self, folder: str) -> Seen:
        report = repair.check(self.at(folder), is_decoding=True)
        lost = (report.unready, report.gone, report.lost, report.gaps, report.forged)
        repository = self.at(folder)
        history = repository.history()
        names = history.names
        claims = {claim for entry in history.ledger.entries.values() for claim in entry.claims}
        told = Counter(history.statements[claim].predicate_type for claim in claims)
        return Seen(
            {name: names.resolve(name) for name in names.names()},
            {kind: number for kind, number in told.items() if kind != TEST_RESULT},
            tuple((member.label, member.roles) for member in members(repository)),
            {name: Path(url).name for name, url in sync.remotes(repository).items()},
            frozenset(
                digest
                for digest, node in history.nodes.items()
                if presence(repository, node) is Presence.COMPLETE
            ),
            sum(not damage.has_good_copy for damage in report.damage)
            + sum(map(len, lost))
            + bool(report.settings),
        )


def build(root: Path) -> Family:
    """Makes the family."""
    for number, title in enumerate(MOVED, 2):
        second = NEAR if title in ("left", "first") else floats(number, 0, near=NEAR)
        first = NEAR if title in ("right", "first") else floats(number + 50, 0, near=NEAR)
        tensors = {"a": f32(first, 32, 32), "b": f32(second, 32, 32)}
        written(root / "in" / title / "m.safetensors", safetensors(tensors))
        written(root / "in" / title / "config.json", b'{"model_type": "tiny"}')
    alice, bob = Terminal("alice", root), Terminal("bob", root)
    written(alice.folder / "tasks.py", CHECK.encode())
    alice.does("init --as alice")
    alice.does("add ../in/first m")
    alice.does("clone . ../copy")
    for title in ("kid", "left", "right"):
        alice.does(f"add ../in/{title} {title} --parent m")
    alice.does("build half --parent m --recipe cast --executor inline")
    alice.does("check add tasks:answers --on kid")
    bob.does("clone ../alice . --as bob")
    alice.does(
        "trust add --role maintainer --as bob", key_text(home_of("bob", root).identity().key.public)
    )
    bob.does("fetch ../alice")
    bob.does("add ../in/theirs m")
    alice.does("add ../in/second m")
    alice.does("clone . ../bare --no-weights")
    return Family(root)
