"""What a collection removes, when, and what it says."""

import os
import struct
from datetime import timedelta
from pathlib import Path

import pytest

from mgit import editing, sync
from mgit.adding import add
from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError, TrustError, UnknownCodecError
from mgit.objects import PackKind, Ref
from mgit.repacking import collect, sweeping
from mgit.repository import Presence, absences, presence
from mgit.store.format import TRAILER_BYTES, trailer
from tests.checkpoints import (
    NOBODY,
    parts_of,
    place_of,
    spoil,
    without_privileges,
    written,
)
from tests.repacking.family import DAY_S, Family, family_in, node_of, remove

AT_ONCE = timedelta()


def test_a_collection_with_nothing_to_do_changes_nothing(family: Family) -> None:
    before = family.packs()

    found = collect(family.repository, grace=AT_ONCE)

    assert family.packs() == before
    assert (found.kept_nodes, found.condemned_packs, found.removed_packs) == (4, 0, 0)
    assert not any("gc" in op.verb for op in editing.operations(family.repository))


def test_what_was_removed_long_ago_goes_in_two_phases(family: Family) -> None:
    node = remove(family, "other")
    family.grow_old(91)
    before = family.packs()

    first = collect(family.repository)

    assert first.condemned_packs == first.waiting_packs == 1
    assert first.removed_packs == 0
    assert family.packs() == before
    assert family.is_here(node.hex(), "other")

    family.grow_old(15)
    second = collect(family.repository)

    assert second.removed_packs == 1
    assert second.removed_bytes == first.condemned_bytes > 0
    assert second.dropped == (node,)
    assert len(family.packs()) == len(before) - 1
    assert family.is_sound()


def test_what_is_left_is_read_as_it_was_added(family: Family) -> None:
    remove(family, "other")
    family.grow_old(91)

    collect(family.repository, grace=AT_ONCE)

    assert family.is_here("base@v1", "one")
    assert family.is_here("base", "two")
    assert family.is_here("kid", "kid")


def test_the_node_stays_and_says_where_its_weights_went(family: Family) -> None:
    node = remove(family, "other")
    family.grow_old(91)
    collect(family.repository, grace=AT_ONCE)

    with pytest.raises(AbsentError, match="mgit gc"):
        family.is_here(node.hex(), "other")

    assert node in family.repository.history().nodes
    assert node in absences(family.repository)


@pytest.mark.parametrize("days", [0, 89])
def test_what_an_undo_could_bring_back_stays(family: Family, days: int) -> None:
    family.grow_old(400)
    remove(family, "other")
    family.grow_old(days)

    found = collect(family.repository, grace=AT_ONCE)

    assert found.removed_packs == 0
    editing.undo(family.repository)
    assert family.is_here("other", "other")


def test_what_was_replaced_by_something_unrelated_stays_while_it_can_be_undone(
    family: Family,
) -> None:
    family.grow_old(400)
    editing.pick(family.repository, "other", node_of(family.repository, "kid").hex())

    collect(family.repository, grace=AT_ONCE)

    editing.undo(family.repository)
    assert family.is_here("other", "other")


def test_an_undo_between_the_phases_keeps_what_it_brings_back(family: Family) -> None:
    remove(family, "other")
    family.grow_old(91)
    collect(family.repository)
    editing.undo(family.repository)
    family.grow_old(15)

    found = collect(family.repository)

    assert found.removed_packs == 0
    assert family.is_here("other", "other")
    assert family.repository.store.condemned.since() == {}


def test_ancestors_without_a_name_stay(family: Family) -> None:
    remove(family, "base")
    family.grow_old(400)

    found = collect(family.repository, grace=AT_ONCE)

    assert found.kept_nodes == 3  # base@v1 under kid; base@v2 is nobody's parent
    assert family.is_here("kid", "kid")
    (parent,) = family.repository.history().lineage.parents(node_of(family.repository, "kid"))
    assert family.is_here(parent.hex(), "one")


def test_chunks_that_others_rest_on_stay_although_their_model_goes(family: Family) -> None:
    add(family.repository, family.source("two"), "lone")
    remove(family, "base")
    remove(family, "kid")
    family.grow_old(400)

    collect(family.repository, grace=AT_ONCE)

    assert family.is_here("lone", "two")
    assert family.is_sound()


def test_other_peoples_words_and_both_sides_of_a_conflict_stay(
    family: Family, tmp_path: Path
) -> None:
    """A copy moves a name too: two sides."""
    repository = family.repository
    copy = sync.clone(str(repository.folder.parent), tmp_path / "copy", repository.home).repository
    add(copy, family.source("kid"), "other")
    add(repository, family.source("two"), "other")
    sync.pull(repository, str(tmp_path / "copy"))
    assert len(family.repository.history().names.resolve("other")) == 2
    family.grow_old(400)

    collect(family.repository, grace=AT_ONCE)

    history = family.repository.history()
    sides = history.names.resolve("other")
    assert all(presence(family.repository, history.nodes[s]) is Presence.COMPLETE for s in sides)


def test_chunks_of_work_that_was_cut_off_go(family: Family) -> None:
    store = family.repository.store
    with store.writer(PackKind.CHUNKS) as writer:
        writer.add(Ref("chunk", Digest.of(b"left")), b"left", raw_bytes=4)
        store.install(writer.finish())

    found = collect(family.repository, grace=AT_ONCE)

    assert found.removed_packs == 1


def test_what_is_needed_of_a_loose_pack_is_written_anew(family: Family) -> None:
    store = family.repository.store
    needed = place_of(family.repository, chunk_of(family, "other"))
    with store.writer(PackKind.CHUNKS) as writer:
        writer.add(Ref("chunk", Digest.of(b"left")), b"left" * 99_999, raw_bytes=4)
        body = store.reader.stored(needed)
        writer.add(needed.row.ref, body, raw_bytes=needed.row.raw_bytes, codec=needed.row.codec)
        store.install(writer.finish())
    store.path_of(needed.pack).unlink()

    found = collect(family.repository, grace=AT_ONCE)

    assert found.copied_bytes == needed.row.stored_bytes
    assert found.removed_packs == 1
    assert family.is_here("other", "other")
    assert family.is_sound()


def chunk_of(family: Family, name: str) -> Ref:
    return Ref("chunk", next(iter(parts_of(family.repository, name).chunks())))


def test_a_dry_run_says_what_would_happen_and_changes_nothing(family: Family) -> None:
    remove(family, "other")
    family.grow_old(91)
    before = family.packs()

    planned = collect(family.repository, grace=AT_ONCE, is_dry_run=True)

    assert family.packs() == before
    assert family.repository.store.condemned.since() == {}
    done = collect(family.repository, grace=AT_ONCE)
    assert planned.removed_bytes == done.removed_bytes
    assert planned.condemned_packs == done.condemned_packs == 1


def test_the_listing_says_what_is_left(family: Family) -> None:
    remove(family, "other")
    family.grow_old(91)

    collect(family.repository, grace=AT_ONCE)

    lines = (family.repository.store.packs_folder / "list").read_text().splitlines()
    assert {text.split()[0] for text in lines} == family.packs()


def test_it_stands_in_the_log_and_is_not_what_an_undo_takes_back(family: Family) -> None:
    remove(family, "other")
    family.grow_old(91)
    collect(family.repository, grace=AT_ONCE)

    last = editing.operations(family.repository)[-1]

    assert (last.verb, last.is_undoable) == ("gc", False)
    assert editing.undo(family.repository).verb == "rm other"


def test_weights_that_are_gone_come_back_by_adding_them(family: Family) -> None:
    remove(family, "other")
    family.grow_old(91)
    collect(family.repository, grace=AT_ONCE)

    add(family.repository, family.source("other"), "other")

    assert family.is_here("other", "other")
    assert collect(family.repository, grace=AT_ONCE).removed_packs == 0
    assert family.is_here("other", "other")


def test_a_feature_that_is_not_known_stops_everything(family: Family) -> None:
    remove(family, "other")
    family.grow_old(91)
    path = next(family.repository.store.packs_folder.glob("*.meta"))
    with_feature(path, at=24)
    before = family.packs()

    with pytest.raises(UnknownCodecError, match="needs a newer mgit"):
        collect(family.repository, grace=AT_ONCE)

    assert family.packs() == before
    assert family.repository.store.condemned.since() == {}


def with_feature(path: Path, *, at: int) -> Path:
    """Sets a feature bit that nobody knows; the pack gets another id by it."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<Q", content, len(content) - TRAILER_BYTES)
    start = len(content) - TRAILER_BYTES - length
    index = bytearray(content[start : start + length])
    index[at + 7] |= 0x80
    changed = path.with_name(f"{Digest.of(bytes(index)).hex()}{path.suffix}")
    changed.write_bytes(content[:start] + bytes(index) + trailer(bytes(index)))
    return changed


@pytest.mark.parametrize("what", ["unfinished", "newer"])
def test_a_pack_that_cannot_be_read_stops_everything(family: Family, what: str) -> None:
    path = next(family.repository.store.packs_folder.glob("*.meta"))
    if what == "newer":
        with_feature(path, at=8)
    else:
        path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(DamagedError, match="may need other things"):
        collect(family.repository, grace=AT_ONCE)


def test_a_damaged_description_stops_everything(family: Family) -> None:
    repository = family.repository
    history = repository.history()
    manifest = history.nodes[node_of(repository, "kid")].manifest
    spoil(repository, place_of(repository, Ref("manifest", manifest)))

    with pytest.raises(DamagedError, match="is damaged"):
        collect(family.repository, grace=AT_ONCE)


def test_a_damaged_chunk_stays_until_it_is_healed(family: Family) -> None:
    repository = family.repository
    spoil(repository, place_of(repository, chunk_of(family, "other")))
    assert not family.is_sound()
    before = family.packs()

    assert collect(family.repository, grace=AT_ONCE).removed_packs == 0

    assert family.packs() == before
    add(family.repository, family.source("other"), "other")
    assert family.is_here("other", "other")


def test_leftovers_are_swept(family: Family) -> None:
    repository = family.repository
    part = repository.store.incoming / "0123.part"
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(bytes(1000))
    moment = part.stat().st_mtime - DAY_S
    os.utime(part, (moment, moment))

    assert collect(repository).swept_bytes == 1000

    assert not part.exists()


def test_what_cannot_be_removed_is_told_and_all_else_goes(
    shared_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_QUARANTINE_DAYS", -1)  # when a file changed cannot be set

    def swept() -> list[object]:
        family = family_in(shared_folder)
        remove(family, "other")
        family.grow_old(91)
        put_aside = family.repository.store.quarantine
        for path in (put_aside / "a" / "held" / "file", put_aside / "a" / "file", put_aside / "b"):
            written(path, bytes(1000))
        (put_aside / "a" / "held").chmod(0o500)
        found = collect(family.repository, grace=AT_ONCE)
        (put_aside / "a" / "held").chmod(0o700)
        left = {path.relative_to(put_aside).as_posix() for path in put_aside.rglob("*")}
        stuck = [Path(path).name for path in found.stuck]
        return [stuck, sorted(left), found.swept_bytes >= 2000, found.removed_packs]

    assert without_privileges(swept) == str([["a"], ["a", "a/held", "a/held/file"], True, 1])


def test_another_users_folder_is_left_alone(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: NOBODY)

    with pytest.raises(TrustError):
        collect(family.repository)
