"""Three copies that add, remove, collect, repack and exchange: nothing kept is ever unreadable.

And what nobody has kept for long goes.
"""

import shutil
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgit import sync
from mgit.objects import CHUNK
from tests.checkpoints import Tensor, home_of, repository_of, safetensors, written
from tests.property.peers import AGING, MODELS, NAMES, PEERS, Step, World

FEW = settings(max_examples=max(settings().max_examples // 4, 5))
FIRST = (  # d is of nobody's kin, and stored as c is: two chunks away from one that stands alone
    Step("add", name="a", model=0),
    Step("add", name="b", model=1, parent="a"),
    Step("add", name="c", model=2, parent="b"),
    Step("add", name="d", model=2),
)

peers = st.sampled_from(PEERS)
models = st.integers(0, len(MODELS) - 1)


def some(*what: str) -> st.SearchStrategy[Step]:
    """One of these steps, anywhere."""
    names, parents = st.sampled_from(NAMES), st.sampled_from(("", *NAMES))
    return st.builds(
        Step, st.sampled_from(what), peers, peers, names, parents, models, st.integers(0, 7)
    )


swift = some("add", "add", "remove", "strip", "undo", "push", "fetch", "race", "race")
alone = swift | some("race", "spoil")  # what a disk loses while others rely on it is lost


@st.composite
def busy(draw: st.DrawFn) -> Step:
    """A step that takes so long that things happen meanwhile, in the copies that it concerns."""
    step = draw(some("add", "add", "push", "fetch", "fetch", "collect", "repack"))
    where = st.sampled_from((step.peer, step.other))
    others = draw(st.lists(swift | some("month", "collect"), min_size=1, max_size=3))
    return replace(step, meanwhile=tuple(replace(other, peer=draw(where)) for other in others))


@st.composite
def collected(draw: st.DrawFn) -> list[Step]:
    """Between the two phases of a collection things happen, most of them in the same copy."""
    first = draw(some("remove", "strip", "strip", "race", "repack"))
    age = Step(draw(st.sampled_from(AGING)), first.peer)
    condemning, month = Step("collect", first.peer), Step("month", first.peer)
    removing = draw(st.sampled_from((condemning, Step("repack", first.peer, name="a", near=1))))
    between = draw(st.lists(alone | busy(), max_size=3))
    near = [replace(step, peer=first.peer) if draw(st.booleans()) else step for step in between]
    return [first, age, condemning, *near, month, removing]


stories = st.lists(st.builds(list, st.tuples(alone | busy())) | collected())


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three copies of one repository, of one person on three machines."""
    root = tmp_path_factory.mktemp("three")
    world = World(root)
    for number, model in enumerate(MODELS):
        tensors = {name: Tensor("F32", (16, 16), raw) for name, raw in model.items()}
        written(world.source(number) / "m.safetensors", safetensors(tensors))
    first = repository_of("alice", root / "0")
    for step in FIRST:
        world.take(replace(step, other=0))
    for copy in (root / "1", root / "2"):
        shutil.copytree(root / "0" / "homes", copy / "homes")
        sync.clone(str(first.folder.parent), copy / "alice", home_of("alice", copy))
    return world


def require_all_goes_well(beginning: World, steps: Iterable[Step]) -> None:
    with TemporaryDirectory() as name:
        world = deepcopy(beginning)
        world.root = Path(name) / "world"
        shutil.copytree(beginning.root, world.root)
        for step in steps:
            world.take(step)
        for peer in PEERS:
            world.require_readable(peer)
            world.forget(peer)
            assert not list(world.here(peer).store.catalog.of_kind(CHUNK))


@FEW
@given(stories)
def test_nothing_that_is_kept_becomes_unreadable(
    beginning: World, chosen: list[list[Step]]
) -> None:
    require_all_goes_well(beginning, chain(*chosen))


def collected_once(peer: int, name: str) -> list[Step]:
    """All names but one are removed, and what nobody needs then is condemned."""
    return [Step("strip", peer, name=name), Step("season", peer), Step("collect", peer)]


ONLY_A, NOTHING = collected_once(0, "a"), collected_once(0, "")
EMPTY_1 = [*collected_once(1, ""), Step("month", 1), Step("collect", 1)]
MONTH, COLLECT, REPACK = Step("month"), Step("collect"), Step("repack")
REPACK_A = Step("repack", name="a", near=1)  # it has nothing to gain, and looks at what is due
ADD_D = Step("add", name="d", model=2)
STORIES = {
    "phase two looks again": [*ONLY_A, ADD_D, MONTH, REPACK_A],
    "what a writer relies on stays": [*ONLY_A, MONTH, replace(ADD_D, meanwhile=(COLLECT,))],
    "what came to be needed during a collection stays": [
        *(Step("strip"), Step("season"), replace(COLLECT, meanwhile=(ADD_D,)), MONTH, COLLECT)
    ],
    "what came to be needed during a repack stays": [
        *(Step("strip"), Step("season"), replace(REPACK, meanwhile=(ADD_D,)), MONTH, COLLECT)
    ],
    "what an undo brings back stays": [
        *(Step("season"), Step("strip"), MONTH, COLLECT, MONTH, COLLECT, Step("undo"))
    ],
    "bases of bases stay": [*collected_once(0, "d"), MONTH, COLLECT],
    "two rows that rest on each other are none": [
        *(*NOTHING, Step("race", model=1, near=0), Step("race", model=0, near=1)),
        *(Step("add"), Step("add", name="b", model=1), MONTH, REPACK),
    ],
    "a row that is damaged is none": [
        *(*ONLY_A, Step("race", model=1, near=0), Step("spoil", model=1)),
        *(Step("add", name="b", model=1), MONTH, REPACK_A),
    ],
    "what shares a pack with what is written anew is copied": [Step("repack", 1, name="b", near=1)],
    "what a model was made from stays": [
        *(Step("strip", name="c"), Step("season"), REPACK, MONTH, COLLECT)
    ],
    "a push sends nothing that rests on what is not there": [
        *(*EMPTY_1, Step("add", name="d", model=3), Step("strip", name="d"), Step("push"))
    ],
    "a fetch takes the bases too": [
        *(*EMPTY_1, Step("add", name="d", model=3), Step("fetch", 1, 0))
    ],
    "a push tells when its bases went": [
        *(*collected_once(1, ""), Step("add", name="d", model=3)),
        Step("push", meanwhile=(Step("month", 1), Step("collect", 1))),
    ],
}


@pytest.mark.parametrize("steps", STORIES.values(), ids=STORIES)
def test_each_rule_is_needed(beginning: World, steps: list[Step]) -> None:
    require_all_goes_well(beginning, steps)
