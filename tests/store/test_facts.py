"""Facts of this copy: what was appended stays, whatever a crash tears."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgit.digest import Digest
from mgit.errors import MachineError
from mgit.store import Facts
from tests.store.building import full, id_of, raw_of, store_at, write_pack

FEWER = settings(max_examples=settings().max_examples // 2)
facts = st.lists(
    st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers(), max_size=3),
    max_size=5,
)


@FEWER
@given(facts, facts)
def test_facts_come_back_in_the_order_they_were_appended(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[Mapping[str, object]],
    then: list[Mapping[str, object]],
) -> None:
    kept = Facts(tmp_path_factory.mktemp("local") / "facts")

    kept.append(*first)
    kept.append(*then)

    assert list(kept) == [*first, *then]


@FEWER
@given(facts.filter(bool), st.integers(1, 1000))
def test_a_torn_line_is_skipped_and_the_next_one_is_whole(
    tmp_path_factory: pytest.TempPathFactory, known: list[Mapping[str, object]], cut: int
) -> None:
    kept = Facts(tmp_path_factory.mktemp("local") / "facts")
    kept.append(*known[:-1])
    whole = kept.path.read_bytes()
    kept.append(known[-1])
    line = kept.path.read_bytes()[len(whole) :]
    torn = line[: cut % (len(line) - 1)]  # at most up to the closing brace, which is left out
    kept.path.write_bytes(whole + torn)

    assert list(kept) == known[:-1]
    kept.append({"next": 1})

    assert list(kept) == [*known[:-1], {"next": 1}]


def test_a_line_that_lacks_only_its_end_is_kept_apart_from_the_next(tmp_path: Path) -> None:
    kept = Facts(tmp_path / "facts")
    kept.path.write_bytes(b'{"a": 1}')

    kept.append({"b": 2})

    assert list(kept) == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    "line", [b"[1]", b"1", b"\xff\xfe", b"{", b"", b"null", b'"text"', b"\0" * 9]
)
def test_a_line_that_is_no_fact_is_skipped(tmp_path: Path, line: bytes) -> None:
    kept = Facts(tmp_path / "facts")
    kept.path.write_bytes(b'{"a": 1}\n' + line + b'\n{"b": 2}\n')

    assert list(kept) == [{"a": 1}, {"b": 2}]


def test_no_file_is_no_fact(tmp_path: Path) -> None:
    assert list(Facts(tmp_path / "none" / "facts")) == []


def test_a_fact_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(MachineError, match="writing facts"):
        Facts(tmp_path / "file" / "facts").append({"a": 1})


@pytest.mark.parametrize(
    "line",
    [
        '{"another": "version wrote this"}',
        '{"pack": 1, "object": 2}',
        '{"pack": "0g", "object": "11"}',
    ],
)
def test_a_note_of_damage_that_makes_no_sense_hides_nothing(tmp_path: Path, line: str) -> None:
    write_pack(tmp_path / "packs", [full("A")])
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "damaged").write_text(line + "\n")

    assert store_at(tmp_path).reader.chunk(id_of("A")) == raw_of("A")


def test_a_row_noted_as_damaged_counts_as_absent_until_its_pack_is_written_again(
    tmp_path: Path,
) -> None:
    pack = write_pack(tmp_path / "packs", [full("A"), full("B")]).stem
    store = store_at(tmp_path)
    refs = {word: row.ref for word in "AB" for row in [full(word).row]}

    store.damage.append({"pack": pack, "kind": "chunk", "object": id_of("A").hex()})
    store.refresh()
    without = [refs[word] in store.catalog for word in "AB"]
    store.damage.append({"healed": Digest(bytes(32)).hex()}, {"healed": pack})
    store.refresh()

    assert without == [False, True]
    assert refs["A"] in store.catalog
