r"""What ``mgit stats`` and ``mgit gc`` say of space: what it is for, and who gives it back.

base@v1 --- base@v2        other: of nobody's kin
   \-- kid
"""

import re
from datetime import UTC, datetime, timedelta

import pytest

from mgit.codecs import CODECS
from mgit.digest import Digest
from mgit.objects import CHUNK, Ref
from mgit.repacking import collect, repack
from mgit.repository import Repository
from mgit.store import Place
from mgit.viewing import stats
from tests.checkpoints import f32, place_of, spoil, written
from tests.cli.terminal import Terminal
from tests.repacking.family import WEIGHTS, Family, loosen, remove

DAY = timedelta(days=1)


def listed(family: Family) -> Repository:
    """A handle that knows the packs."""
    repository = family.repository
    repository.store.refresh()
    return repository


def row_of(family: Family, source: str) -> Place:
    """Where the weights of a model lie: one, two, kid or other."""
    chunk = Digest.of(f32(WEIGHTS[source], 64, 64).data)
    return place_of(listed(family), Ref(CHUNK, chunk))


def lose(family: Family, source: str) -> None:
    """Removes the pack that the weights of a model are in."""
    listed(family).store.path_of(row_of(family, source).pack).unlink()


def day(moment: datetime | None) -> str:
    return moment.date().isoformat() if moment else ""


def in_days(days: int) -> str:
    return day(datetime.now(UTC) + days * DAY)


def test_what_rests_on_something_lost_is_needed_and_not_garbage(family: Family) -> None:
    resting = sum(row_of(family, source).row.stored_bytes for source in ("two", "kid"))
    lose(family, "one")

    found = stats(family.repository)
    said = Terminal("alice", family.root).does("stats").out

    assert (found.unused_bytes, found.unreadable_bytes, found.lost) == (0, resting, 3)
    assert "rest on what is damaged or lost: mgit fsck" in said
    assert "damaged or lost, in part or whole: 3 models: mgit fsck" in said
    assert "mgit gc" not in said
    assert "x)" not in said  # no ratio says anything here


def test_a_damaged_base_is_no_garbage_once_it_was_met(family: Family) -> None:
    loosen(family)
    before = stats(family.repository)
    bad = row_of(family, "one")
    spoil(listed(family), bad)
    Terminal("alice", family.root).run("fsck")

    found = stats(family.repository)

    assert before.unreadable_bytes == 0
    assert found.unused_bytes == before.unused_bytes
    assert found.unreadable_bytes > bad.row.stored_bytes


def test_a_sound_base_of_something_damaged_is_as_before(family: Family) -> None:
    bad = row_of(family, "kid")
    spoil(listed(family), bad)
    Terminal("alice", family.root).run("fsck")

    found = stats(family.repository)

    assert (found.unused_bytes, found.unreadable_bytes) == (0, bad.row.stored_bytes)


def test_a_model_of_which_a_part_is_lost_has_no_ratio(family: Family) -> None:
    alice = Terminal("alice", family.root)
    alice.does(f"add {alice.checkpoint(0)} first")
    before = family.packs()
    alice.does(f"add {alice.checkpoint(1)} second")
    assert re.search(r"\dx", alice.does("stats second").out)
    (own,) = (name for name in family.packs() - before if name.endswith(".chunks"))

    (family.repository.store.packs_folder / own).unlink()

    said = alice.does("stats second").out
    assert "2 chunks not here" in said
    assert not re.search(r"\dx", said)


def test_a_collection_does_not_call_it_of_no_use(family: Family) -> None:
    resting = sum(row_of(family, source).row.stored_bytes for source in ("two", "kid"))
    lose(family, "one")

    said = Terminal("alice", family.root).does("gc").out
    found = collect(family.repository)

    assert (found.garbage_bytes, found.unreadable_bytes) == (0, resting)
    assert "rest on what is damaged, lost or not here: mgit fsck" in said
    assert "of no use" not in said


def test_what_fills_the_disk_beside_the_packs_is_told(family: Family) -> None:
    alice = Terminal("alice", family.root)
    assert ".mgit/" not in alice.does("stats").out
    for number, folder in enumerate(("decoded", "quarantine", "incoming"), 1):
        written(family.repository.folder / folder / "some" / "thing", bytes(number * 1000))

    said = alice.does("stats").out

    document = alice.does("stats --json").document
    names = ("decoded_bytes", "quarantine_bytes", "incoming_bytes")
    assert [document[name] for name in names] == [1000, 2000, 3000]
    for words in (
        r"1.0 kB decoded, in .mgit/decoded: .* may be deleted at any time",
        r"2.0 kB put aside by a repair, in .mgit/quarantine: gc, after 14 days",
        r"3.0 kB being written, or cut off, in .mgit/incoming: gc",
    ):
        assert re.search(words, said)


def test_a_collection_says_what_stays_so_that_undo_can_bring_it_back(family: Family) -> None:
    size_bytes = row_of(family, "other").row.stored_bytes
    nothing = collect(family.repository, grace=timedelta())
    alice = Terminal("alice", family.root)
    alice.does("rm other")

    ran = alice.does("gc --grace 0")

    assert (nothing.held_bytes, nothing.held_until) == (0, None)
    assert f"stay until {in_days(90)}, so that undo can bring them back" in ran.out
    assert alice.does("gc --json").document["held_until"] == in_days(90)
    assert size_bytes <= collect(family.repository, is_dry_run=True).held_bytes < 2 * size_bytes


def test_it_stays_as_long_as_the_step_that_let_it_go_and_not_as_long_as_later_ones(
    family: Family,
) -> None:
    remove(family, "other")
    family.grow_old(40)
    Terminal("alice", family.root).does("tag kid legal")

    held = collect(family.repository).held_until
    family.grow_old(91)
    collect(family.repository)

    assert day(held) == in_days(50)
    assert collect(family.repository).held_until is None


def test_condemned_packs_are_told_with_the_day_they_may_go(family: Family) -> None:
    loosen(family)
    alice = Terminal("alice", family.root)

    ran = alice.does("repack --grace 3")

    assert f"the others take space; gc may remove them from {in_days(3)} on" in ran.out
    assert f"mgit gc removes them from {in_days(14)} on" in alice.does("stats").out
    assert alice.does("stats --json").document["condemned_since"].startswith(in_days(0))
    assert repack(family.repository, grace=timedelta()).waiting_until is None


def test_one_model_has_one_ratio(family: Family) -> None:
    row, total = (
        re.findall(r"\d+\.\d\dx", text)
        for text in Terminal("alice", family.root).does("stats kid").out.splitlines()[1:]
    )

    assert row == total
    assert len(row) == 1


def test_where_nothing_is_selected_it_says_so(family: Family) -> None:
    assert Terminal("alice", family.root).does("stats tag:nope").out == "nothing is selected\n"


def test_models_that_were_left_out_count_in_no_ratio(family: Family) -> None:
    bob = Terminal("bob", family.root)
    bob.does(f"clone --no-weights {family.root / 'alice'} models")

    nothing = bob.does("-C models stats").out
    bob.does("-C models backfill other")
    found = bob.does("-C models stats --json").document
    some = bob.does("-C models stats").out

    assert not re.search(r"\dx", nothing)
    assert "mgit fsck" not in nothing + some
    assert "mgit gc" not in nothing + some
    assert found["lost"] == 0
    assert found["whole_bytes"] * 3 < found["raw_bytes"]
    times = found["whole_bytes"] / found["stored_bytes"]
    assert f"stored {found['stored_bytes'] / 1000:.1f} kB ({times:.2f}x)" in some


@pytest.mark.parametrize("word", ["ADDS", "SHARED", "RATIO", "RESTS ON", "STORED AS", "DEEPEST"])
def test_a_heading_is_explained(family: Family, word: str) -> None:
    said = " ".join(Terminal("alice", family.root).does("stats --help").out.split())

    assert word in said


def test_every_way_to_store_is_explained(family: Family) -> None:
    said = Terminal("alice", family.root).does("stats --help").out

    for codec in CODECS.values():
        assert re.search(rf"\b{codec.name.removesuffix('-x')}\b", said)
