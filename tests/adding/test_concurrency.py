"""Eight processes add to one repository at once: each is as if it had been alone.

one name:     v1 --- v2 --- v3 --- ... --- v8      in whatever order they came
eight names:  n0    n1    n2    ...    n7
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mgit import repair
from mgit.adding import export
from mgit.objects import EdgeKind
from mgit.repository import Repository
from tests.checkpoints import f32, files_below, floats, safetensors, written

PROCESSES = 8
NEAR = floats(0, 4096)
STEP = """
import sys
from pathlib import Path
from mgit.adding import add
from mgit.repository import Home, Repository

root, source, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
repository = Repository.open(
    root / "alice", Home(root / "homes" / "alice", root / "caches" / "alice")
)
print("ready", flush=True)
sys.stdin.readline()
add(repository, source, name)
"""


def add_at_once(root: Path, name_of: Callable[[int], str]) -> None:
    """Starts a process for each source, waits until all are ready, and lets them go."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    started = []
    for number in range(PROCESSES):
        tensors = {"w": f32(floats(number, 0, near=NEAR)), "frozen": f32(NEAR[:99])}
        source = written(root / "in" / str(number) / "m.safetensors", safetensors(tensors))
        command = [sys.executable, "-c", STEP, str(root), str(source.parent), name_of(number)]
        started.append(
            subprocess.Popen(
                command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        )
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        process.communicate()
    assert [process.returncode for process in started] == [0] * PROCESSES


def contents(repository: Repository, root: Path) -> list[dict[str, bytes]]:
    """What every node is when it is exported."""
    for node in repository.history().nodes:
        export(repository, node.hex(), root / "out" / node.hex())
    return [files_below(folder) for folder in (root / "out").iterdir()]


def is_in_order(repository: Repository) -> bool:
    return repair.check(repository).is_clean and not list(repository.store.incoming.iterdir())


@pytest.fixture
def sources(tmp_path: Path) -> Callable[[], list[dict[str, bytes]]]:
    return lambda: [files_below(tmp_path / "in" / str(n)) for n in range(PROCESSES)]


def test_eight_names_added_at_once_are_all_there(
    alice: Repository, tmp_path: Path, sources: Callable[[], list[dict[str, bytes]]]
) -> None:
    add_at_once(tmp_path, "n{}".format)

    names = alice.history().names
    assert set(names.names()) == {f"n{number}" for number in range(PROCESSES)}
    assert all(len(names.resolve(name)) == 1 for name in names.names())
    for number, source in enumerate(sources()):
        export(alice, f"n{number}", tmp_path / "named" / str(number))
        assert files_below(tmp_path / "named" / str(number)) == source
    assert is_in_order(alice)


def test_one_name_added_at_once_is_one_chain_of_eight_versions(
    alice: Repository, tmp_path: Path, sources: Callable[[], list[dict[str, bytes]]]
) -> None:
    add_at_once(tmp_path, lambda _number: "one")

    history = alice.history()
    (tip,) = history.names.resolve("one")
    chain = [tip]
    while parents := history.nodes[chain[-1]].parents(EdgeKind.VERSION):
        (parent,) = parents  # one after the other: never two sides
        chain.append(parent)
    assert len(chain) == len(set(chain)) == PROCESSES
    assert history.nodes.keys() == set(chain)
    found = contents(alice, tmp_path)
    assert len(found) == PROCESSES
    assert all(source in found for source in sources())
    assert is_in_order(alice)
