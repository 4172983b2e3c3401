"""Every command that writes, as it is struck: what it starts from, its words, who sees a change."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mgit.objects import CHUNK, Ref
from mgit.signing import key_text
from tests.checkpoints import home_of, parts_of, place_of, spoil
from tests.cli.terminal import Terminal
from tests.damage.family import Family
from tests.damage.striking import Run
from tests.repacking.family import Family as Aging
from tests.repacking.family import loosen


def as_it_is(_family: Family) -> None:
    """Nothing comes before the command."""


def after(*lines: str) -> Callable[[Family], None]:
    """Some commands come before it."""

    def prepare(family: Family) -> None:
        for line in lines:
            Terminal("alice", family.root).does(line)

    return prepare


def with_room(family: Family) -> None:
    (family.root / "out").mkdir()


def with_a_conflict(family: Family) -> None:
    Terminal("alice", family.root).does("fetch ../bob")


def loose(family: Family) -> None:
    """All chunks lie in one pack, with much of no use."""
    loosen(Aging(family.root))


def long_ago(family: Family) -> None:
    """The same, and a name was removed long ago."""
    Terminal("alice", family.root).does("rm kid")
    loose(family)
    Aging(family.root).grow_old(91)


def condemned(family: Family) -> None:
    """A collection found, long ago, what is of no use."""
    long_ago(family)
    Terminal("alice", family.root).does("gc")
    Aging(family.root).grow_old(15)


def damaged(family: Family) -> None:
    """The chunks of ``m`` are damaged; a copy of it all is whole."""
    Terminal("alice", family.root).does("clone . ../new")
    alice = family.at("alice")
    for tensor in parts_of(alice, "m").weights.tensors.values():
        for chunk in tensor.chunks:
            spoil(alice, place_of(alice, Ref(CHUNK, chunk)))


@dataclass(frozen=True, slots=True)
class Command:
    """A command that writes.

    Attributes:
        line: Its words; ``{bob}`` is the key of bob, ``{code}`` the digest of the check's source.
        folders: The copies that it reads or writes.
        prepare: What happens to the family before it.
        person: Who runs it.
        repeats: Whether running it again, when it was done, leaves everything as it is.
        failures: What it may exit with where the disk refuses something.
    """

    line: str
    folders: tuple[str, ...] = ("alice",)
    prepare: Callable[[Family], None] = as_it_is
    person: str = "alice"
    repeats: bool = True
    failures: frozenset[int] = frozenset({8})

    def family(self, whole: Family, root: Path) -> Family:
        """Makes what it starts from."""
        for name in {"in", "homes", *self.folders} & {path.name for path in whole.root.iterdir()}:
            shutil.copytree(whole.root / name, root / name)
        made = Family(root)
        self.prepare(made)
        return made

    def on(self, family: Family) -> Run:
        """The run of it in a family."""
        folder = family.root / self.person
        folder.mkdir(exist_ok=True)
        words = self.line.split()
        return Run(
            tuple(STANDING_FOR[word](family) if word in STANDING_FOR else word for word in words),
            folder,
            {"MGIT_CONFIG_HOME": str(family.root / "homes" / self.person)},
            family.root / "said",
        )


def _bob(family: Family) -> str:
    return key_text(home_of("bob", family.root).identity().key.public)


def _code(family: Family) -> str:
    shown = Terminal("bob", family.root).run("trust code --check answers --json")
    return str(shown.document["verbatim"]).removeprefix("sha256:")


STANDING_FOR: Mapping[str, Callable[[Family], str]] = {"{bob}": _bob, "{code}": _code}
HERE_OR_THERE = frozenset({7, 8})  # the other copy's disk is the remote's

COMMANDS = {
    "init": Command("init --as new", ("new",), person="new"),
    "key new": Command("key new --as second"),
    "key use": Command("key use second", prepare=after("key new --as second")),
    "key export": Command("key export alice ../out/alice.pem", prepare=with_room),
    "key import": Command("key import ../homes/alice/keys/alice.pem --as third"),
    "trust folder": Command("trust folder ../copy", ("alice", "copy")),
    "trust code": Command(
        "trust code --check answers --digest {code}", ("alice", "bob"), person="bob"
    ),
    "add": Command("add ../in/next fresh --parent m --tag new"),
    "add, next version": Command("add ../in/next m"),
    "add, healing": Command("add ../in/second m", prepare=damaged),
    "tag": Command("tag kid legal mild"),
    "tag --remove": Command("tag kid legal --remove", prepare=after("tag kid legal")),
    "pin": Command("pin kid"),
    "note": Command("note kid good", repeats=False),
    "rename": Command("rename kid child"),
    "rm": Command("rm kid"),
    "undo": Command("undo", prepare=after("rm kid"), repeats=False),
    "resolve --pick": Command("resolve m --pick m@bob", ("alice", "bob"), with_a_conflict),
    "resolve --both": Command("resolve m --both", ("alice", "bob"), with_a_conflict),
    "trust add": Command("trust add {bob} --role root --as bob"),
    "trust remove": Command("trust remove {bob}"),
    "remote add": Command("remote add lab ../bob", ("alice", "bob")),
    "remote remove": Command(
        "remote remove lab", ("alice", "bob"), prepare=after("remote add lab ../bob")
    ),
    "push": Command("push ../copy", ("alice", "copy"), failures=HERE_OR_THERE),
    "fetch": Command("-C ../copy fetch ../alice", ("alice", "copy"), failures=HERE_OR_THERE),
    "pull": Command("-C ../copy pull ../alice", ("alice", "copy"), failures=HERE_OR_THERE),
    "clone": Command("clone . ../new", ("alice", "new"), failures=HERE_OR_THERE),
    "backfill": Command(
        "-C ../bare backfill m ../alice", ("alice", "bare"), failures=HERE_OR_THERE
    ),
    "merge": Command("merge left right --into both --no-test --executor inline"),
    "build": Command(
        "build small --parent m --recipe prune --arg fraction=0.5 --executor inline",
    ),
    "reproduce": Command("reproduce half --executor inline", ("alice", "bob"), person="bob"),
    "check add": Command("check add tasks:answers --on left", repeats=False),
    "check remove": Command("check remove answers"),
    "test": Command("test kid --executor inline"),
    "cascade run": Command("cascade run half --executor inline"),
    "export": Command("export m ../out"),
    "export --link": Command("export m ../out --link"),
    "gc, phase one": Command("gc", prepare=long_ago),
    "gc, phase two": Command("gc", prepare=condemned),
    "gc, both": Command("gc --grace 0", prepare=long_ago),
    "repack": Command("repack --grace 0", prepare=loose),
    "fsck --repair": Command(
        "fsck --repair --from ../new", ("alice", "new"), damaged, failures=HERE_OR_THERE
    ),
}
READING = {
    *("log", "ls", "show", "status", "stats", "diff", "whoami", "verify"),
    *("key list", "trust list", "check list", "op log", "remote list"),
    *("cascade plan", "cascade show", "cascade log"),
}
