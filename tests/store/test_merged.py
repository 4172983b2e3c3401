"""The merged index is a cache: it answers as the packs do, and losing it loses nothing."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgit.objects import CHUNK, PackId, Ref
from mgit.store import Catalog, merged_index
from mgit.store.format import PackIndex
from tests.store.building import full, id_of, index_of, raw_of, store_at, write_pack

ENOUGH = 17  # packs from which on there is a merged index
WORDS = [f"chunk-{i}" for i in range(12)]


def packs_of(contents: list[set[str]]) -> dict[PackId, PackIndex]:
    """A pack for each set of words; its own number keeps packs of the same words apart."""
    indexes = [
        index_of(full(word).row for word in [f"pack-{number}", *sorted(words)])
        for number, words in enumerate(contents)
    ]
    return {index.pack: index for index in indexes}


def answers(catalog: Catalog) -> dict[str, set[PackId]]:
    return {w: {place.pack for place in catalog.places(Ref(CHUNK, id_of(w)))} for w in WORDS}


contents = st.lists(st.sets(st.sampled_from(WORDS), max_size=5), min_size=ENOUGH, max_size=22)


@given(contents, st.integers(0, 5))
@settings(max_examples=settings().max_examples // 5)
def test_it_answers_as_the_packs_do(
    tmp_path_factory: pytest.TempPathFactory, found: list[set[str]], later: int
) -> None:
    packs = packs_of(found)
    earlier = dict(list(packs.items())[: len(packs) - later])
    path = tmp_path_factory.mktemp("cache") / "merged-index"

    merged_index(path, earlier)
    merged = merged_index(path, packs)

    assert (merged is None) == (len(packs) < ENOUGH)
    assert answers(Catalog(packs, merged=merged)) == answers(Catalog(packs))


def test_few_packs_need_none(tmp_path: Path) -> None:
    assert merged_index(tmp_path / "cache", packs_of([set()] * (ENOUGH - 1))) is None
    assert not (tmp_path / "cache").exists()


def test_it_is_used_again_until_many_packs_stand_beside_it(tmp_path: Path) -> None:
    packs = packs_of([set()] * (2 * ENOUGH))
    some = dict(list(packs.items())[:ENOUGH])

    def covered(held: dict[PackId, PackIndex]) -> int:
        merged = merged_index(tmp_path / "cache", held)
        assert merged is not None
        return len(merged.covered)

    assert [covered(some), covered(dict(list(packs.items())[:-1])), covered(packs)] == [
        ENOUGH,
        ENOUGH,
        2 * ENOUGH,
    ]


def test_it_is_made_again_when_a_pack_is_gone(tmp_path: Path) -> None:
    packs = packs_of([{WORDS[0]}] * (ENOUGH + 1))
    merged_index(tmp_path / "cache", packs)
    packs.popitem()

    merged = merged_index(tmp_path / "cache", packs)

    assert merged is not None
    assert merged.covered == packs.keys()
    assert answers(Catalog(packs, merged=merged)) == answers(Catalog(packs))


def test_it_works_where_it_cannot_be_kept(tmp_path: Path) -> None:
    packs = packs_of([{WORDS[0]}] * ENOUGH)
    (tmp_path / "file").touch()

    merged = merged_index(tmp_path / "file" / "cache", packs)

    assert merged is not None
    assert answers(Catalog(packs, merged=merged)) == answers(Catalog(packs))


def damaged(content: bytes, how: str) -> bytes | None:
    size = len(content)
    return {
        "deleted": None,
        "empty": b"",
        "truncated": content[: size // 2],
        "longer": content + b"\0",
        "zeroed": bytes(size),
        "of another pack": content[:16] + bytes(32) + content[48:],
        "another magic": b"MGITMRG2" + content[8:],
        "another number of packs": content[:8] + b"\1" + content[9:],
        "a digest changed": content[:-40] + bytes(32) + content[-8:],
        "a pack that is not there": content[:-8] + b"\xff" * 4 + content[-4:],
        "a row that is not there": content[:-4] + b"\xff" * 4,
    }[how]


@pytest.mark.parametrize(
    "how",
    [
        "deleted",
        "empty",
        "truncated",
        "longer",
        "zeroed",
        "of another pack",
        "another magic",
        "another number of packs",
        "a digest changed",
        "a pack that is not there",
        "a row that is not there",
    ],
)
def test_a_damaged_cache_loses_nothing(tmp_path: Path, how: str) -> None:
    words = [f"word-{i}" for i in range(ENOUGH)]
    for word in words:
        write_pack(tmp_path / "packs", [full(word)])
    store_at(tmp_path).refresh()
    cache = tmp_path / "cache" / "merged-index"
    content = damaged(cache.read_bytes(), how)
    cache.unlink()
    if content is not None:
        cache.write_bytes(content)

    reader = store_at(tmp_path).reader

    assert [reader.chunk(id_of(word)) for word in words] == [raw_of(word) for word in words]
