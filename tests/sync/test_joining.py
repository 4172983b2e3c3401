"""A remote of many small metadata packs gets one that stands for them, with a push.

alice:  base      legal (fine-tuned from base), and so many notes
"""

import shutil
from pathlib import Path

import pytest

from mgit import editing, sync
from mgit.digest import Digest
from mgit.objects import PackKind, Ref, Unknown, encode
from mgit.remote import Counting
from mgit.repair import check
from mgit.repository import Repository
from mgit.store import PackWriter, derived
from mgit.store.consolidating import MOST_SMALL
from tests.family import Person, add, files, point, trusted, tuned, weights
from tests.sync.wires import at_rest, counting, push_via

BASE = weights("base")


@pytest.fixture
def alice(tmp_path: Path) -> Repository:
    repository = Person("alice", tmp_path).init()
    add(repository, "base", BASE)
    add(repository, "legal", tuned(BASE, "legal"), "base")
    return repository


@pytest.fixture
def crowded(alice: Repository, tmp_path: Path) -> Path:
    """A stick with as many small metadata packs as are left alone."""
    stick = tmp_path / "stick"
    for number in range(MOST_SMALL - len(list(alice.folder.glob("packs/*.meta")))):
        editing.note(alice, "base", f"note {number}")
    shutil.copytree(alice.folder / "packs", stick / "packs")
    return stick


def joint_at(folder: Path, root: Path) -> tuple[Counting, list[int]]:
    """What it costs somebody new to know a remote; for each of its packs, how many it replaces."""
    remote = counting(folder)
    peer = sync.meet(at_rest(root / "nothing", root), "stick", remote)
    replaced = [len(list(derived(i, lambda _: True))) for i in peer.catalog.packs.values()]
    return remote, sorted(count for count in replaced if count)


def test_a_remote_of_many_small_packs_gets_one_that_stands_for_them(
    alice: Repository, crowded: Path, tmp_path: Path
) -> None:
    editing.note(alice, "base", "one more")
    before, remote = files(crowded / "packs").keys(), counting(crowded)

    push_via(alice, remote)

    assert (remote.reads, remote.writes) == (0, 2)
    assert len(files(crowded / "packs").keys() - before - {"list"}) == 2
    fresh, replaced = joint_at(crowded, tmp_path)
    assert replaced == [MOST_SMALL + 1]
    assert fresh.reads == 1 + len(list(crowded.glob("packs/*.chunks")))
    bob = Person("bob", tmp_path).clone(str(crowded))
    assert bob.history().objects.keys() == alice.history().objects.keys()
    assert check(bob).is_clean


def in_part(alice: Repository, root: Path) -> Repository:
    """Bob's copy of base alone, in which he said something new."""
    bob = Person("bob", root)
    trusted(alice, bob)
    his = bob.clone(str(root / "alice"), select="base")
    point(his, "his", "his")
    return his


def test_what_only_the_remote_has_is_read_to_be_written_together(
    alice: Repository, crowded: Path, tmp_path: Path
) -> None:
    his, remote = in_part(alice, tmp_path), counting(crowded)

    push_via(his, remote)

    assert remote.reads == 1
    assert joint_at(crowded, tmp_path)[1] == [MOST_SMALL + 1]
    assert check(Person("carl", tmp_path).clone(str(crowded))).is_clean


def test_a_damaged_pack_over_there_is_left_out_and_stops_no_push(
    alice: Repository, crowded: Path, tmp_path: Path
) -> None:
    his = in_part(alice, tmp_path)
    for path in crowded.glob("packs/*.meta"):  # he has what the notes say, but not the model
        path.write_bytes(bytes(1) + path.read_bytes()[1:])

    assert sync.push(his, str(crowded)).packs == 1
    assert joint_at(crowded, tmp_path)[1] == [MOST_SMALL]


def test_packs_of_more_kinds_than_one_can_hold_are_left_out(
    alice: Repository, crowded: Path
) -> None:
    for number in range(20):
        stranger = Unknown(f"kind-{number}", frozenset(), number)
        data = encode(stranger)
        with PackWriter(PackKind.META, crowded / "packs") as writer:
            writer.add_object(Ref(stranger.kind, Digest.of(data)), data)
            (pack,) = writer.finish()
        pack.file.close()
        pack.path.rename(crowded / "packs" / f"{pack.pack.hex()}.meta")
    editing.note(alice, "base", "one more")

    assert sync.push(alice, str(crowded)).packs == 1
    assert sync.push(alice, str(crowded)).packs == 0
