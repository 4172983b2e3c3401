"""Three copies that add, remove, collect, repack and exchange: nothing kept is ever unreadable.

Kept is what a name leads to and what that was made from, wherever it was whole before a step.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mgit import editing, repair, sync
from mgit.adding import Description, add, export
from mgit.digest import Digest
from mgit.errors import ConflictError, NotFoundError, UsageError
from mgit.repacking import collect, repack
from mgit.repository import Presence, Repository, presence
from mgit.store import Effort
from tests.checkpoints import f32, files_below, floats, home_of, repository_of, safetensors, written
from tests.repacking.family import Family as Peer

FEW = settings(max_examples=max(settings().max_examples // 10, 5))
AT_ONCE = timedelta()
MODELS, NAMES = 4, ("a", "b", "c")
NEAR = floats(0, 256)
peers = st.integers(0, 2)
names = st.sampled_from(NAMES)


@dataclass
class World:
    """The copies, and what every node was made from."""

    root: Path
    sources: dict[Digest, str]

    def peer(self, number: int) -> Peer:
        return Peer(self.root / str(number))

    def here(self, number: int) -> Repository:
        return self.peer(number).repository

    def url(self, number: int) -> str:
        return str(self.here(number).folder.parent)

    def add(self, number: int, name: str, model: int, parent: str | None) -> None:
        """Adds a model, in haste or not, that was made from another, where that is here."""
        repository = self.here(number)
        is_known = parent in repository.history().names.names()
        told = Description(parents=[parent]) if parent and is_known else Description()
        effort = Effort.FAST if model % 2 else Effort.NORMAL
        source = self.root / "in" / str(model)
        node = add(repository, source, name, description=told, effort=effort).node
        self.sources[node] = str(model)

    def kept(self, number: int) -> Iterator[Digest]:
        """What is kept in a copy, and whole."""
        repository = self.here(number)
        history = repository.history()
        for digest in history.named_nodes:
            if presence(repository, history.nodes[digest]) is Presence.COMPLETE:
                yield digest

    def require_readable(self, number: int, nodes: set[Digest]) -> None:
        """Asserts that these nodes come out of a copy as they went in."""
        assert repair.check(self.here(number), is_decoding=True).is_clean
        for node in nodes:
            with TemporaryDirectory(dir=self.root) as folder:
                export(self.here(number), node.hex(), Path(folder) / "out")
                assert files_below(Path(folder) / "out") == files_below(
                    self.root / "in" / self.sources[node]
                )


@dataclass(frozen=True)
class Step:
    """One thing that happens; ``what`` is a key of ``STEPS``."""

    what: str
    peer: int
    other: int
    name: str
    parent: str
    model: int


def _add(world: World, step: Step) -> None:
    world.add(step.peer, step.name, step.model, step.parent)


def _remove(world: World, step: Step) -> None:
    editing.remove(world.here(step.peer), step.name)


def _push(world: World, step: Step) -> None:
    sync.push(world.here(step.peer), world.url(step.other), may_conflict=True)


def _fetch(world: World, step: Step) -> None:
    sync.fetch(world.here(step.peer), world.url(step.other))


def _collect(world: World, step: Step) -> None:
    world.peer(step.peer).grow_old(91)
    collect(world.here(step.peer), grace=AT_ONCE)


def _repack(world: World, step: Step) -> None:
    repack(world.here(step.peer), grace=AT_ONCE)


STEPS: Mapping[str, Callable[[World, Step], None]] = {
    "add": _add,
    "remove": _remove,
    "push": _push,
    "fetch": _fetch,
    "collect": _collect,
    "repack": _repack,
}
steps = st.builds(
    Step, st.sampled_from(sorted(STEPS)), peers, peers, names, names, st.integers(0, MODELS - 1)
)


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three copies of one repository, of one person on three machines; b is made from a."""
    root = tmp_path_factory.mktemp("three")
    near = NEAR
    for model in range(MODELS):
        tensors = {"a": f32(near, 16, 16), "b": f32(floats(model + 9, 0, near=NEAR), 16, 16)}
        written(root / "in" / str(model) / "m.safetensors", safetensors(tensors))
        near = floats(model, 0, near=near)
    first = repository_of("alice", root / "0")
    base = add(first, root / "in" / "0", "a").node
    made = add(first, root / "in" / "1", "b", description=Description(parents=["a"])).node
    for number in ("1", "2"):
        shutil.copytree(root / "0" / "homes", root / number / "homes")
        sync.clone(
            str(first.folder.parent), root / number / "alice", home_of("alice", root / number)
        )
    return World(root, {base: "0", made: "1"})


def _at_first(what: str, name: str = "a", other: int = 1) -> Step:
    return Step(what, 0, other, name, name, 2)


@FEW
@example([_at_first("remove"), _at_first("collect")])
@example([_at_first("add", "b"), _at_first("push"), _at_first("remove", "b"), _at_first("collect")])
@given(st.lists(steps, min_size=4, max_size=16))
def test_nothing_that_is_kept_becomes_unreadable(beginning: World, chosen: list[Step]) -> None:
    with TemporaryDirectory() as name:
        root = Path(name) / "world"
        shutil.copytree(beginning.root, root)
        world = World(root, dict(beginning.sources))
        for step in chosen:
            whole = [set(world.kept(number)) for number in range(3)]
            with contextlib.suppress(ConflictError, NotFoundError, UsageError):  # no such name
                STEPS[step.what](world, step)
            for number, before in enumerate(whole):
                world.require_readable(number, before & world.here(number).history().named_nodes)
