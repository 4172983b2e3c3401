r"""Alice's repository, which is damaged in tests, and copies of it that are not.

base@v1 --- base                 alice/    hers: no remote is known to her
   \------- half                 clone/    what somebody cloned: the same objects in other packs
                                 stick/    the same packs
"""

import shutil
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from mgit import editing, repair, sync
from mgit.adding import Description, add, export
from mgit.digest import Digest
from mgit.objects import Ref
from mgit.repair import Mended
from mgit.repository import FOLDER, Parts, Repository, read_parts
from mgit.selection import Selection
from tests.checkpoints import (
    Tensor,
    f32,
    files_below,
    floats,
    home_of,
    repository_of,
    safetensors,
    spoil,
    written,
)

DAY_S = 86_400
NEAR = floats(1, 512)


@dataclass(frozen=True, slots=True)
class Copies:
    """Who is where."""

    root: Path

    @property
    def alice(self) -> Repository:
        """Her repository, as somebody opens it who knows nothing yet."""
        return Repository.at(self.root / "alice" / FOLDER, home_of("alice", self.root))

    @property
    def clone(self) -> Repository:
        return Repository.at(self.root / "clone" / FOLDER, home_of("bob", self.root))

    @property
    def stick(self) -> Path:
        return self.root / "stick"

    def source(self, name: str) -> Path:
        """The checkpoint that a version was made from."""
        return self.root / "in" / name

    def mend(self, remote: str = "", *, days: int = 0) -> Mended:
        """Repairs hers, after some days."""
        return repair.mend(self.alice, remote, now_s=time.time() + days * DAY_S)

    def node(self, name: str) -> Digest:
        history = self.clone.history()
        return Selection(self.clone, history).one(name)

    def parts(self, name: str) -> Parts:
        """What describes a checkpoint."""
        return read_parts(self.clone, self.clone.history().nodes[self.node(name)])

    def spoil(self, *refs: Ref) -> None:
        """Flips a bit in every row of hers of these objects."""
        alice = self.alice
        alice.store.refresh()
        for ref in refs:
            for place in alice.store.catalog.places(ref):
                spoil(alice, place)

    def require_whole(self) -> None:
        """Asserts that everything of hers is as it was, and comes out."""
        alice = self.alice
        assert repair.check(alice).is_clean
        assert alice.history().objects == self.clone.history().objects
        for name in ("base@v1", "base", "half"):
            target = self.root / "out" / name
            export(alice, name, target)
            assert files_below(target) == files_below(self.source(name)), name
        shutil.rmtree(self.root / "out")


def copies_in(root: Path) -> None:
    """Makes the copies."""
    alice = repository_of("alice", root)
    half = b"".join(struct.pack("<e", value) for value in NEAR)
    tensors = {
        "base@v1": f32(NEAR, 16, 32),
        "base": f32(floats(2, 0, near=NEAR), 16, 32),
        "half": Tensor("F16", (16, 32), half),
    }
    for name, tensor in tensors.items():
        source = root / "in" / name
        written(source / "m.safetensors", safetensors({"w": tensor}))
        written(source / "config.json", name.encode())
        told = Description(parents=["base@v1"]) if name == "half" else Description()
        add(alice, source, name.partition("@")[0], description=told)
    editing.own_identity(home_of("bob", root), "bob")
    sync.clone(str(root / "alice"), root / "clone", home_of("bob", root))
    shutil.copytree(alice.store.packs_folder, root / "stick" / "packs")
