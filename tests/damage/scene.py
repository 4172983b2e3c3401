"""A small family in two copies, and the commands that are cut off in it.

    alice/  m@v1 --- m@v2     next/  what becomes m@v3
    copy/   m@v1              new/   not there yet

``python -m tests.damage.scene STEP ROOT`` runs one step: it says "ready", and begins when it is
sent a line.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mgit import editing, repair, sync
from mgit.adding import add
from mgit.digest import Digest
from mgit.repository import FOLDER, Home, Repository
from tests.checkpoints import f32, floats, home_of, noise, repository_of, safetensors, written

Names = dict[str, frozenset[Digest]]
NEAR = floats(1, 1 << 12)
SOURCES = ("first", "second", "next")


@dataclass(frozen=True, slots=True)
class Scene:
    """Who is where."""

    root: Path

    @property
    def home(self) -> Home:
        return home_of("alice", self.root)

    @property
    def alice(self) -> Repository:
        return self.at("alice")

    @property
    def copy(self) -> Repository:
        return self.at("copy")

    def at(self, folder: str) -> Repository:
        return Repository.at(self.root / folder / FOLDER, self.home)

    def copied_to(self, root: Path) -> "Scene":
        """The same, elsewhere."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return replace(self, root=root)

    def names(self) -> dict[str, Names]:
        """What every name means in every repository that is there."""
        folders = [name for name in ("alice", "copy", "new") if self.is_begun(name)]
        found = {}
        for folder in folders:
            names = self.at(folder).history().names
            found[folder] = {name: names.resolve(name) for name in names.names()}
        return {folder: names for folder, names in found.items() if names or folder != "new"}

    def is_begun(self, folder: str) -> bool:
        """Whether a repository is there, be it an empty one."""
        packs = self.root / folder / FOLDER / "packs"
        return packs.is_dir() and bool(self.at(folder).settings())

    def faults(self) -> list[repair.Report]:
        """What is wrong in any of the repositories."""
        begun = (name for name in ("alice", "copy", "new") if self.is_begun(name))
        reports = [repair.check(self.at(name)) for name in begun]
        return [report for report in reports if not report.is_clean]


def build(root: Path) -> Scene:
    """Makes the scene; about 300 KB a version, so that a command takes a while."""
    scene = Scene(root)
    values = NEAR
    for number, title in enumerate(SOURCES):
        values = floats(number, 0, near=values)
        content = safetensors({"w": f32(values, 64, 64), "frozen": noise(1, 1 << 18)})
        content_of_its_own = safetensors({"fresh": noise(number + 2, 1 << 18)})
        written(root / title / "a.safetensors", content)
        written(root / title / "b.safetensors", content_of_its_own)
        written(root / title / "config.json", b'{"model_type": "tiny"}')
    alice = repository_of("alice", root)
    add(alice, root / "first", "m")
    sync.clone(str(root / "alice"), root / "copy", scene.home)
    add(alice, root / "second", "m")
    return scene


def run_init(scene: Scene) -> None:
    editing.init(scene.root / "new", home_of("somebody", scene.root), label="somebody")


def run_add(scene: Scene) -> None:
    add(scene.alice, scene.root / "next", "m")


def run_push(scene: Scene) -> None:
    sync.push(scene.alice, str(scene.root / "copy"))


def run_clone(scene: Scene) -> None:
    sync.clone(str(scene.root / "alice"), scene.root / "new", scene.home)


def run_pull(scene: Scene) -> None:
    sync.pull(scene.copy, str(scene.root / "alice"))


STEPS: dict[str, Callable[[Scene], None]] = {
    "init": run_init,
    "add": run_add,
    "push": run_push,
    "clone": run_clone,
    "pull": run_pull,
}


def command(step: str, scene: Scene) -> list[str]:
    return [sys.executable, "-m", "tests.damage.scene", step, str(scene.root)]


def environment() -> dict[str, str]:
    """For a child that imports what this process does, and writes nothing beside its work."""
    path = os.pathsep.join(sys.path)
    return os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def started(step: str, scene: Scene) -> "subprocess.Popen[str]":
    """A process that has imported everything and waits for a line."""
    process = subprocess.Popen(
        command(step, scene),
        env=environment(),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def send_off(process: "subprocess.Popen[str]") -> None:
    """Lets it begin."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def require_before_or_after(scene: Scene, step: str, before: Scene, after: Scene) -> None:
    """Asserts what holds after a step was cut off, and that it can then be run to its end."""
    assert scene.faults() == []
    assert scene.names() in (before.names(), after.names())
    if step != "init" or not (scene.root / "new" / FOLDER).exists():  # init refuses a second time
        STEPS[step](scene)
    assert scene.faults() == []
    assert scene.names() == after.names()
    if step == "init":
        require_usable(scene)


def require_usable(scene: Scene) -> None:
    """Asserts that what init made is a repository in which one can work."""
    made = Repository.open(scene.root / "new", home_of("somebody", scene.root))
    assert add(made, scene.root / "first", "mine").is_new


@pytest.fixture(scope="session")
def before(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """The scene as nobody has touched it; to be copied."""
    return build(tmp_path_factory.mktemp("before"))


@pytest.fixture(scope="session")
def after(before: Scene, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Scene]:
    """The scene after a step that was not cut off."""
    made: dict[str, Scene] = {}

    def after_step(step: str) -> Scene:
        if step not in made:
            made[step] = before.copied_to(tmp_path_factory.mktemp(f"after-{step}"))
            STEPS[step](made[step])
        return made[step]

    return after_step


def main() -> None:
    step, root = sys.argv[1:]
    print("ready", flush=True)  # noqa: T201  # the parent waits for it
    sys.stdin.readline()
    STEPS[step](Scene(Path(root)))


if __name__ == "__main__":
    main()
