"""What nobody needs any more goes aside, is never deleted, and nothing else goes."""

import shutil
import struct
from pathlib import Path

import pytest

from mgit import repair, sync
from mgit.adding import export
from mgit.digest import Digest
from mgit.errors import DamagedError
from mgit.objects import CHUNK, Manifest, Node, PackKind, Ref
from mgit.repository import Repository
from mgit.store.format import TRAILER_BYTES, trailer
from tests.building.projects import ADD, maker
from tests.checkpoints import files_below, spoil
from tests.repair.copies import DAY_S, Copies


def aside(copies: Copies) -> dict[str, bytes]:
    return files_below(copies.alice.store.quarantine)


def newest(copies: Copies) -> Path:
    """A pack whose objects make another pack when they are fetched: it has a summary."""
    packs = copies.alice.store.packs_folder.glob("*.meta")
    return max(packs, key=lambda path: path.stat().st_mtime_ns)


def test_a_damaged_pack_goes_aside_when_everything_in_it_is_elsewhere(copies: Copies) -> None:
    alice = copies.alice
    (place,) = alice.store.catalog.places(Ref(CHUNK, next(copies.parts("base").chunks())))
    index = alice.store.catalog.packs[place.pack]
    for row in index.rows():
        spoil(alice, type(place)(place.pack, row))
    path = alice.store.path_of(place.pack)
    content = path.read_bytes()
    with alice.store.writer(PackKind.CHUNKS) as writer:
        for row in index.rows():
            raw = copies.clone.store.reader.chunk(row.ref.digest)
            writer.add(row.ref, raw, raw_bytes=len(raw))
        alice.store.install(writer.finish())

    mended = copies.mend()

    assert mended.put_aside == (path.name,)
    assert aside(copies) == {path.name: content}
    assert path.name not in (alice.store.packs_folder / "list").read_text()
    assert repair.check(copies.alice).damage == ()
    copies.require_whole()


def test_a_damaged_pack_stays_while_something_is_only_in_it(copies: Copies) -> None:
    alice = copies.alice
    chunks = list(alice.store.catalog.of_kind(CHUNK))
    pack = max({p.pack for p in chunks}, key=lambda one: sum(p.pack == one for p in chunks))
    rows = list(alice.store.catalog.packs[pack].rows())
    assert len(rows) > 1
    copies.spoil(rows[0].ref)

    mended = copies.mend(str(copies.stick))

    assert mended.put_aside == ()
    assert mended.report.is_clean
    assert [damage.has_good_copy for damage in mended.report.damage] == [True]
    copies.require_whole()


def test_a_pack_whose_damage_nobody_can_heal_stays(copies: Copies) -> None:
    bad = Ref(CHUNK, next(copies.parts("base").chunks()))
    copies.spoil(bad)
    packs = set(files_below(copies.alice.store.packs_folder))

    mended = copies.mend(days=9)

    assert mended.put_aside == ()
    assert set(files_below(copies.alice.store.packs_folder)) == packs
    assert mended.report.damage[0].models == ("base",)


def test_what_nobody_needs_goes_aside_without_a_good_copy(copies: Copies) -> None:
    alice = copies.alice
    with alice.store.writer(PackKind.CHUNKS) as writer:
        writer.add(Ref(CHUNK, Digest.of(b"of no use")), b"of no use", raw_bytes=9)
        (pack,) = writer.finish()
        alice.store.install([pack])
    spoil(alice, alice.store.catalog.places(Ref(CHUNK, Digest.of(b"of no use")))[0])
    assert not repair.check(copies.alice).is_clean

    mended = copies.mend()

    assert mended.put_aside == (f"{pack.pack.hex()}.chunks",)
    assert mended.report.is_clean


@pytest.mark.parametrize("kept", [0, 10, -1])
def test_a_file_that_may_be_arriving_stays_for_a_day(copies: Copies, kept: int) -> None:
    path = newest(copies)
    path.write_bytes(path.read_bytes()[:kept])
    content = path.read_bytes()

    soon = copies.mend(str(copies.stick))
    is_there = path.is_file() and path.read_bytes() == content
    later = copies.mend(str(copies.stick), days=2)

    assert (soon.put_aside, is_there, list(soon.report.unready)) == ((), True, [path.name])
    assert later.put_aside == (path.name,)
    assert later.report.is_clean
    assert aside(copies) == {path.name: content}
    copies.require_whole()


def test_what_a_pack_held_that_nobody_has_is_not_known_and_a_fetch_brings_it(
    copies: Copies,
) -> None:
    path = newest(copies)
    path.write_bytes(path.read_bytes()[:-1])

    mended = copies.mend(str(copies.root / "clone"), days=2)

    assert mended.put_aside == (path.name,)
    assert [pack.hex() for pack in mended.report.gone] == [path.stem]
    assert not mended.report.is_clean
    sync.fetch(copies.alice, str(copies.root / "clone"))
    copies.require_whole()


@pytest.mark.parametrize("name", ["notes.txt", "0" * 64, "A" * 64 + ".meta", "0" * 64 + ".other"])
def test_a_file_that_is_no_pack_stays_for_ever(copies: Copies, name: str) -> None:
    (copies.alice.store.packs_folder / name).write_bytes(b"mine")

    assert copies.mend(days=99).put_aside == ()
    assert (copies.alice.store.packs_folder / name).read_bytes() == b"mine"


def newer(path: Path, how: str) -> bytes:
    """A pack as a newer version may write it: another magic, or a feature to be read by."""
    content = bytearray(path.read_bytes())
    end = len(content) - TRAILER_BYTES
    (length,) = struct.unpack_from("<Q", content, end)
    index = content[end - length : end]
    if how == "magic":
        index[:8] = b"MGITIDX2"
    else:
        index[8] |= 1
    return bytes(content[: end - length] + index + trailer(bytes(index)))


@pytest.mark.parametrize("how", ["magic", "feature"])
def test_a_pack_of_a_newer_version_stays_for_ever(copies: Copies, how: str) -> None:
    packs = copies.alice.store.packs_folder
    content = newer(next(packs.glob("*.chunks")), how)
    (length,) = struct.unpack_from("<Q", content, len(content) - TRAILER_BYTES)
    pack = Digest.of(content[-TRAILER_BYTES - length : -TRAILER_BYTES])
    (packs / f"{pack.hex()}.chunks").write_bytes(content)

    mended = copies.mend(days=99)

    assert list(mended.report.unready) == [f"{pack.hex()}.chunks"]
    assert mended.put_aside == ()


def test_a_pack_that_went_aside_may_come_back(copies: Copies) -> None:
    path = newest(copies)
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    copies.mend(str(copies.root / "clone"), days=2)

    path.write_bytes(content)

    assert aside(copies)
    assert repair.check(copies.alice).is_clean
    shutil.rmtree(copies.alice.store.quarantine)
    copies.require_whole()


def test_what_lay_in_a_pack_that_went_aside_is_still_missed(tmp_path: Path) -> None:
    """A run stores the model before a step makes a node of it: the manifest lies apart from it."""
    alice = maker(tmp_path)
    alice.write(ADD)
    built = alice.tune()
    manifest = alice.node(built).manifest
    store = alice.repository.store
    (place,) = store.catalog.places(Ref(Manifest.kind, manifest))
    assert not store.catalog.packs[place.pack].find(Ref(Node.kind, built.node))
    path = store.path_of(place.pack)
    path.write_bytes(path.read_bytes()[:-TRAILER_BYTES])
    fresh = Repository.at(alice.repository.folder, alice.repository.home)

    mended = repair.mend(fresh, now_s=path.stat().st_mtime + 2 * DAY_S)

    assert mended.put_aside == (path.name,)
    for report in (mended.report, repair.check(fresh)):
        assert [lost.title for lost in report.lost] == ["tuned"]
        assert report.lost[0].missing == (Ref(Manifest.kind, manifest),)
        assert not report.is_clean
    with pytest.raises(DamagedError, match="lost from this folder"):
        export(fresh, "tuned", tmp_path / "out")
