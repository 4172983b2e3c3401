"""Packs written anew: smaller, in order, and nothing but packs is different."""

from datetime import timedelta
from pathlib import Path

import pytest

from mgit.adding import Description, add
from mgit.codecs import CODECS, FAST, PLANES, PLANES_X, PRUNE, RCB, entropy, fast, planes
from mgit.codecs.form import Form
from mgit.digest import Digest
from mgit.errors import ConflictError, DamagedError
from mgit.objects import CHUNK, PackKind, Ref
from mgit.repacking import Repacked, repack
from mgit.repacking.growing import Growing
from mgit.repository import Repository
from mgit.store import Catalog, Effort, Place, Row
from mgit.store.catalog import WRITE_COST
from mgit.store.files import locked
from mgit.store.format import check_of
from mgit.viewing import stats
from tests.checkpoints import f32, floats, parts_of, place_of, safetensors, written
from tests.repacking.family import START, WEIGHTS, Family, loosen, remove
from tests.store.building import Made, write_pack

AT_ONCE = timedelta()
SOURCES = {"base@v1": "one", "base": "two", "kid": "kid", "other": "other"}
MORE = ("cousin", "pruned", "copy")


def values_of(name: str) -> tuple[float, ...]:
    """Relatives of the family of whom nobody says so."""
    cousin = floats(11, 0, near=START)
    few = tuple(value if abs(value) > 1.5 else 0.0 for value in cousin)
    return {"cousin": cousin, "pruned": few, "copy": floats(12, 0, near=cousin)}[name]


@pytest.fixture
def wide(family: Family) -> Family:
    """The family, and three that came without a word, stored in haste."""
    for name in MORE:
        written(family.source(name) / "a.safetensors", safetensors({"w": f32(values_of(name))}))
    add(family.repository, family.source("cousin"), "cousin", effort=Effort.FAST)
    made = Description(parents=["cousin"])
    add(family.repository, family.source("pruned"), "pruned", description=made, effort=Effort.FAST)
    add(family.repository, family.source("copy"), "copy", effort=Effort.FAST)
    return family


def chunk_packs(repository: Repository) -> dict[str, int]:
    repository.store.refresh()
    catalog = repository.store.catalog
    packs = catalog.packs.keys() - catalog.condemned
    found = (catalog.packs[pack] for pack in packs)
    return {i.pack.hex(): i.bodies_bytes for i in found if i.kind is PackKind.CHUNKS}


def require_whole(family: Family) -> None:
    assert family.is_sound()
    named = {name: name for name in family.repository.history().names.names() if name in MORE}
    for name, source in (SOURCES | named).items():
        assert family.is_here(name, source)


def repacked(family: Family, selector: str = "", **more: object) -> Repacked:
    return repack(family.repository, selector, **{"grace": AT_ONCE, **more})  # type: ignore[arg-type]


def test_everything_is_as_before_in_one_smaller_pack(wide: Family) -> None:
    before = chunk_packs(wide.repository)
    names = wide.repository.history().names.names()

    found = repacked(wide)

    (after,) = chunk_packs(wide.repository).values()
    assert found.is_changed
    assert found.removal.packs == found.condemned_packs == len(before)
    assert after < sum(before.values()) * 0.97
    assert wide.repository.history().names.names() == names
    require_whole(wide)


def test_doing_it_again_changes_nothing(wide: Family) -> None:
    repacked(wide)
    before = wide.packs()

    found = repacked(wide)

    assert not found.is_changed
    assert found.recoded == 0
    assert wide.packs() == before


def test_a_derivation_that_was_missed_is_found(wide: Family) -> None:
    (chunk,) = parts_of(wide.repository, "pruned").weights.tensors["w"].chunks

    repacked(wide)

    row = place_of(wide.repository, Ref(CHUNK, chunk)).row
    assert (row.codec, row.stored_bytes < 64) == (PRUNE.number, True)


def test_chunks_lie_in_the_order_of_first_use(wide: Family, tmp_path: Path) -> None:
    tensors = {f"t{number}": f32(floats(number, 64)) for number in range(20, 30)}
    add(wide.repository, written(tmp_path / "many.safetensors", safetensors(tensors)), "many")

    repacked(wide)

    parts = parts_of(wide.repository, "many")
    places = [place_of(wide.repository, Ref(CHUNK, c)) for c in parts.chunks()]
    assert [place.row.offset for place in places] == sorted(place.row.offset for place in places)


def test_the_old_packs_stay_until_their_grace_is_over(wide: Family) -> None:
    before = wide.packs()

    found = repacked(wide, grace=timedelta(days=14))

    assert (found.condemned_packs > 0, found.removal.packs) == (True, 0)
    assert before < wide.packs()
    require_whole(wide)


def test_a_dry_run_tells_and_changes_nothing(wide: Family) -> None:
    before = wide.packs()

    told = repacked(wide, is_dry_run=True)

    assert wide.packs() == before
    assert list(wide.repository.store.incoming.iterdir()) == []
    assert (told.is_dry_run, told.is_changed) == (True, True)
    assert told.recoded == repacked(wide).recoded


def test_of_a_selection_other_packs_stay_as_they_are(wide: Family) -> None:
    packs = {name: rows(wide.repository, name) for name in ("kid", "pruned")}

    repacked(wide, "pruned")

    assert rows(wide.repository, "kid") == packs["kid"]
    assert rows(wide.repository, "pruned") != packs["pruned"]
    require_whole(wide)


def test_what_shares_a_pack_with_a_selection_is_copied(wide: Family) -> None:
    few = tuple(value if abs(value) > 1 else 0.0 for value in values_of("copy"))
    written(wide.source("few") / "a.safetensors", safetensors({"w": f32(few)}))
    made = Description(parents=["copy"])
    add(wide.repository, wide.source("few"), "few", description=made, effort=Effort.FAST)
    loosen(wide)
    assert repacked(wide, is_dry_run=True).recoded == 2

    found = repacked(wide, "pruned")

    assert (found.chunks, found.recoded) == (8, 1)
    assert wide.is_here("few", "few")
    require_whole(wide)


def test_what_rests_on_something_that_nobody_keeps_gets_another_place(family: Family) -> None:
    """The copy of other rests on it; then nobody keeps other any more."""
    near = safetensors({"w": f32(floats(31, 0, near=WEIGHTS["other"]), 64, 64)})
    written(family.source("near") / "a.safetensors", near)
    add(family.repository, family.source("near"), "near")
    repository = family.repository
    (base,) = parts_of(repository, "other").weights.tensors["w"].chunks
    assert [place.row.bases for place in rows(repository, "near")] == [(base,)]
    remove(family, "other")
    family.grow_old(91)

    found = repacked(family)

    assert Ref(CHUNK, base) not in family.repository.store.refresh().catalog
    assert family.is_sound()
    assert family.is_here("near", "near")
    assert found.chunks == 4


def test_a_row_is_copied_only_where_its_bases_have_their_places_and_within_bounds() -> None:
    growing = Growing(Catalog({}))
    chain = [row_on(f"{number}", f"{number - 1}") for number in range(1, 11)]

    assert not growing.may_take(chain[0])
    growing.take(row_on("0"))
    for row in chain:
        growing.take(row)

    assert [growing.may_take(row) for row in chain] == [n < WRITE_COST for n in range(1, 11)]


def row_on(word: str, base: str = "") -> Row:
    """A row of a hundred bytes that takes all of them, over another one."""
    bases = (Digest.of(base.encode()),) if base else ()
    return Row(Ref(CHUNK, Digest.of(word.encode())), 3, bases, 0, 100, 100, bytes(16))


def rows(repository: Repository, name: str) -> list[Place]:
    chunks = parts_of(repository, name).weights.tensors["w"].chunks
    return [place_of(repository, Ref(CHUNK, chunk)) for chunk in chunks]


def test_a_collection_goes_first(wide: Family) -> None:
    with (
        locked(wide.repository.folder / "local" / "collecting"),
        pytest.raises(ConflictError, match="under way"),
    ):
        repacked(wide)


@pytest.mark.skipif(not entropy.is_available(), reason="the optional entropy coder is no part here")
def test_the_entropy_coder_comes_and_goes_by_the_setting(family: Family, tmp_path: Path) -> None:
    settings = family.repository.settings()
    family.repository.write_settings({**settings, "entropy-coder": "openzl"})
    values = tuple(value * 1.01 for value in floats(3, 1 << 16))
    written(tmp_path / "big.safetensors", safetensors({"w": f32(values)}))
    near = floats(4, 0, near=values)
    written(tmp_path / "near.safetensors", safetensors({"w": f32(near)}))
    add(family.repository, tmp_path / "big.safetensors", "big")
    add(family.repository, tmp_path / "near.safetensors", "near", description=MADE_FROM_BIG)
    assert {PLANES_X.number, RCB.number} <= codecs(family.repository)  # where it is of use alone

    family.repository.write_settings(settings)
    found = repacked(family)

    assert found.is_changed
    assert not {9, 10} & codecs(family.repository)
    assert family.is_sound()


MADE_FROM_BIG = Description(parents=["big"])


def codecs(repository: Repository) -> set[int]:
    repository.store.refresh()
    found = {place.row.codec for place in repository.store.catalog.of_kind(CHUNK)}
    assert found <= CODECS.keys()
    return found


def test_stats_tell_what_is_condemned_and_what_nobody_needs(family: Family) -> None:
    loosen(family)
    garbage = stats(family.repository)

    repacked(family, grace=timedelta(days=14))

    found = stats(family.repository)
    assert garbage.unused_bytes >= 1 << 20
    assert (garbage.condemned_packs, garbage.condemned_bytes) == (0, 0)
    assert (found.condemned_packs, found.unused_bytes) == (1, 0)
    assert found.condemned_bytes > 1 << 20
    assert found.stored_bytes == sum(chunk_packs(family.repository).values())


def lie_about_kid(family: Family, base: str) -> None:
    """Writes a small row of a chunk that decodes to another chunk; its check is as promised."""
    repository = family.repository
    (chunk,) = parts_of(repository, "kid").weights.tensors["w"].chunks
    bases = parts_of(repository, base).weights.tensors["w"].chunks if base else ()
    raw, nothing = bytes(1 << 14), bytes(1 << 14)
    body = planes.encode(raw, Form("F32")) if not base else fast.encode(raw, nothing, Form("F32"))
    number = FAST.number if base else PLANES.number
    row = Row(Ref(CHUNK, chunk), number, bases, 0, len(body), len(raw), check_of(body))
    write_pack(repository.store.packs_folder, [Made(row, body)])


def test_a_row_that_lies_is_passed_over_when_it_is_read(family: Family) -> None:
    loosen(family)
    lie_about_kid(family, "")

    assert repacked(family).is_changed

    require_whole(family)


def test_what_does_not_come_back_is_not_installed(family: Family) -> None:
    """The row that lies is the deepest, so that nobody reads it; it is the smallest, too."""
    lie_about_kid(family, "base")
    before = family.packs()

    with pytest.raises(DamagedError, match="damaged"):
        repacked(family)

    assert family.packs() == before
    assert list(family.repository.store.incoming.iterdir()) == []
    assert family.is_here("kid", "kid")
