"""Three copies of one repository, what can happen to them, and what each of them owes its people.

Owed is every node that was whole in a copy while a name led to it, or to what was made from it, for
as long as a name does, and 90 days longer: until then an undo may bring the name back.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from mgit import editing, repair, sync
from mgit.adding import Description, add, export
from mgit.codecs import FAST, fast
from mgit.codecs.form import Form
from mgit.digest import Digest
from mgit.errors import ConflictError, DamagedError, NotFoundError, UsageError
from mgit.objects import CHUNK, Node, PackKind, Ref
from mgit.repacking import collect, repack
from mgit.repository import Presence, Repository, presence
from mgit.store import Effort
from tests.checkpoints import f32, files_below, floats, spoil
from tests.repacking.family import Family as Peer

PEERS, NAMES = range(3), ("a", "b", "c", "d")
REVIVABLE_DAYS = 90
AGING = ("month", "season")
NAMING = (*AGING, "remove", "strip", "undo")  # no pack with chunks comes or goes
_NEAR = floats(0, 256)


def _models() -> list[dict[str, bytes]]:
    """Raw tensors: small as a difference from the same tensor of any other model."""
    moved = [floats(number, 0, near=_NEAR) for number in range(8)]
    pairs = zip(moved[::2], moved[1::2], strict=True)
    return [{"v": f32(v, 16, 16).data, "w": f32(w, 16, 16).data} for v, w in pairs]


MODELS = _models()


@dataclass(frozen=True)
class Step:
    """One thing that happens; ``what`` is a key of ``STEPS``, the rest is for those who need it.

    Attributes:
        what: It.
        peer: The copy in which it happens.
        other: The copy that it sends to, or receives from.
        name: What it names.
        parent: What a model is said to be made from, if that is here.
        model: Which model.
        near: Another one, or some number.
        meanwhile: What others do before it is done.
    """

    what: str
    peer: int = 0
    other: int = 1
    name: str = "a"
    parent: str = ""
    model: int = 0
    near: int = 0
    meanwhile: tuple["Step", ...] = ()


@dataclass
class World:
    """The copies.

    Attributes:
        root: The folder that they are in.
        sources: The model that each node was made from.
        owed: For each copy, what it owes, and for how many days no name has led to it.
        spoilt: Copies in which a disk lost something.
    """

    root: Path
    sources: dict[Digest, int] = field(default_factory=dict)
    owed: dict[int, dict[Digest, int]] = field(default_factory=lambda: {p: {} for p in PEERS})
    spoilt: set[int] = field(default_factory=set)

    def peer(self, number: int) -> Peer:
        return Peer(self.root / str(number))

    def here(self, number: int) -> Repository:
        return self.peer(number).repository

    def url(self, number: int) -> str:
        return str(self.here(number).folder.parent)

    def source(self, model: int) -> Path:
        return self.root / "in" / str(model)

    def take(self, step: Step) -> None:
        """Takes a step; asserts that everybody whom it concerns still has what they are owed."""
        passed = (ConflictError, NotFoundError, UsageError)  # no such name
        with contextlib.suppress(*passed, *([DamagedError] if self.spoilt else [])):
            STEPS[step.what](self, step)
        if step.what not in NAMING:
            for number in {step.peer, step.other if step.what == "push" else step.peer}:
                self.require_readable(number)
        elif step.what not in AGING:
            self.note_named(step.peer, self.here(step.peer))

    def require_readable(self, number: int) -> None:
        """Asserts that what is owed comes out of a copy as it went in."""
        repository = self.here(number)
        owed = self.note_named(number, repository)
        assert number in self.spoilt or repair.check(repository, is_decoding=True).is_clean
        for node in owed:
            with TemporaryDirectory(dir=self.root) as folder:
                export(repository, node.hex(), Path(folder) / "out")
                source = self.source(self.sources[node])
                assert files_below(Path(folder) / "out") == files_below(source)

    def named(self, number: int) -> frozenset[Digest]:
        return self.here(number).history().named_nodes

    def note_named(self, number: int, repository: Repository) -> dict[Digest, int]:
        """What names lead to is owed from now on, if it is whole; returns all that is."""
        history, owed = repository.history(), self.owed[number]
        fresh = history.named_nodes - owed.keys()
        whole = {node for node in fresh if is_whole(repository, history.nodes[node])}
        owed.update(dict.fromkeys(history.named_nodes & (whole | owed.keys()), 0))
        return owed

    def require_sent(self, source: int, target: int) -> None:
        """Asserts that what names lead to in both copies is whole in one if it was in the other."""
        if self.spoilt:
            return
        repository = self.here(target)
        history = repository.history()
        sent = self.named(source) & self.owed[source].keys() & history.named_nodes
        assert all(is_whole(repository, history.nodes[node]) for node in sent)

    def forget(self, number: int) -> None:
        """Nobody names anything in a copy any more, and nobody has for a long time."""
        for what in ("strip", "season", "collect", "month", "collect"):
            STEPS[what](self, Step(what, number, name=""))

    def during(self, step: Step) -> Callable[[int, int], None]:
        """Returns a progress that takes the steps of others when it is told of any for once."""
        todo = list(step.meanwhile)

        def progress(_done: int, _total: int) -> None:
            while todo:
                self.take(todo.pop(0))

        return progress


def is_whole(repository: Repository, node: Node) -> bool:
    """Whether a node is here, and can be decoded as far as indexes tell."""
    return presence(repository, node) is Presence.COMPLETE


def _add(world: World, step: Step) -> None:
    """Adds a model, in haste or not."""
    repository = world.here(step.peer)
    is_known = step.parent in repository.history().names.names()
    told = Description(parents=[step.parent] if is_known else [])
    node = add(
        repository,
        world.source(step.model),
        step.name,
        description=told,
        effort=Effort.FAST if step.near % 2 else Effort.NORMAL,
        progress=world.during(step),
    ).node
    world.sources[node] = step.model
    world.owed[step.peer][node] = 0


def _remove(world: World, step: Step) -> None:
    editing.remove(world.here(step.peer), step.name)


def _strip(world: World, step: Step) -> None:
    """Removes all names but one."""
    repository = world.here(step.peer)
    for name in repository.history().names.names():
        if name != step.name:
            editing.remove(repository, name)


def _undo(world: World, step: Step) -> None:
    editing.undo(world.here(step.peer))


def _push(world: World, step: Step) -> None:
    here, url = world.here(step.peer), world.url(step.other)
    sync.push(here, url, may_conflict=True, progress=world.during(step))
    world.require_sent(step.peer, step.other)


def _fetch(world: World, step: Step) -> None:
    sync.fetch(world.here(step.peer), world.url(step.other), progress=world.during(step))
    world.require_sent(step.other, step.peer)


def _grow_old(world: World, step: Step, days: int) -> None:
    """Everything here is so many days old; what no name leads to may be owed no more."""
    world.peer(step.peer).grow_old(days)
    owed, named = world.owed[step.peer], world.named(step.peer)
    for node in owed.keys() - named:
        owed[node] = max(owed[node], days)
        if owed[node] >= REVIVABLE_DAYS:
            del owed[node]


def _collect(world: World, step: Step) -> None:
    collect(world.here(step.peer), progress=world.during(step))


def _repack(world: World, step: Step) -> None:
    selector = step.name if step.near % 2 else ""
    repack(world.here(step.peer), selector, progress=world.during(step))


def _race(world: World, step: Step) -> None:
    """Chunks as a writer leaves them who raced with others: differences from what it found here."""
    store = world.here(step.peer).store
    found = store.refresh().catalog
    with store.writer(PackKind.CHUNKS) as writer:
        for tensor, raw in MODELS[step.model].items():
            base = MODELS[step.near % len(MODELS)][tensor]
            if raw != base and Ref(CHUNK, Digest.of(base)) in found:
                body, bases = fast.encode(raw, base, Form("F32")), (Digest.of(base),)
                ref = Ref(CHUNK, Digest.of(raw))
                writer.add(ref, body, raw_bytes=len(raw), codec=FAST.number, bases=bases)
        store.install(writer.finish())


def _spoil(world: World, step: Step) -> None:
    """The newest row of a chunk goes bad, and that is noticed; what needs that very row is lost."""
    repository = world.here(step.peer)
    store = repository.store
    places = store.refresh().catalog.places(Ref(CHUNK, Digest.of(MODELS[step.model]["v"])))
    if not places:
        return
    newest = max(places, key=lambda place: store.path_of(place.pack).stat().st_mtime)
    spoil(repository, newest)
    store.reader.report(newest, "spoilt")
    store.refresh()
    world.spoilt.add(step.peer)
    nodes = repository.history().nodes
    for node in [*world.owed[step.peer]]:
        if not is_whole(repository, nodes[node]):
            del world.owed[step.peer][node]


STEPS: Mapping[str, Callable[[World, Step], None]] = {
    "add": _add,
    "remove": _remove,
    "strip": _strip,
    "undo": _undo,
    "push": _push,
    "fetch": _fetch,
    "month": partial(_grow_old, days=30),
    "season": partial(_grow_old, days=91),
    "collect": _collect,
    "repack": _repack,
    "race": _race,
    "spoil": _spoil,
}
