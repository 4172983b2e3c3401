"""What version 1 wrote once can be read for ever, and metadata is still written the same."""

from pathlib import Path

import msgpack
import pytest

from mgit import canonical
from mgit.canonical import Value
from mgit.codecs import CODECS
from mgit.digest import Digest
from mgit.errors import FormatError
from mgit.objects import CHUNK, MetaObject, PackKind, Ref, Signature, decode, digest_of, encode
from mgit.signing import is_genuine
from mgit.store import PackIndex, PackWriter, Store
from tests.formats.chunks import (
    CHUNKS,
    DERIVED_CHUNKS,
    EVERY_CHUNK,
    LATER_CHUNKS,
    Chunk,
    bases_of,
    body_of,
)
from tests.formats.make_golden import ENTRY, GOLDEN, KEY, LATER, OBJECTS, SUMMARY, add_all

EVERY_OBJECT = OBJECTS | LATER


def golden(*path: str) -> bytes:
    return GOLDEN.joinpath(*path).read_bytes()


def golden_store(tmp_path: Path) -> Store:
    """A store over the golden packs, with its caches elsewhere."""
    store = Store(tmp_path, tmp_path / "cache")
    (tmp_path / "packs").symlink_to(GOLDEN / "packs")
    return store


def test_there_is_a_golden_file_for_everything() -> None:
    assert {path.name for path in (GOLDEN / "objects").iterdir()} == EVERY_OBJECT.keys()
    assert {path.name for path in (GOLDEN / "bodies").iterdir()} == EVERY_CHUNK.keys()
    assert {chunk.codec for chunk in EVERY_CHUNK.values()} == set(CODECS.values())


@pytest.mark.parametrize("name", EVERY_OBJECT)
def test_an_old_object_means_what_it_meant(name: str) -> None:
    assert decode(golden("objects", name)) == EVERY_OBJECT[name]


@pytest.mark.parametrize("name", EVERY_OBJECT)
def test_an_object_is_written_as_it_was(name: str) -> None:
    assert encode(EVERY_OBJECT[name]) == golden("objects", name)


@pytest.mark.parametrize("name", sorted(EVERY_OBJECT.keys() - {"unknown"}))
def test_a_keep_list_that_is_not_what_the_fields_cite_is_refused(name: str) -> None:
    kind, kept, fields = msgpack.unpackb(golden("objects", name))
    another = ["node", bytes(32)]

    for other in (kept[1:], sorted([*kept, another])):
        if other != kept:
            with pytest.raises(FormatError):
                decode(canonical.encode((kind, other, fields)))


def test_an_old_signature_still_holds() -> None:
    signature = decode(golden("objects", "signature"))

    assert isinstance(signature, Signature)
    assert is_genuine(signature, ENTRY.payload())
    assert KEY.sign(ENTRY.payload()) == signature


@pytest.mark.parametrize("name", EVERY_CHUNK)
def test_an_old_body_decodes_to_the_same_chunk(name: str) -> None:
    chunk = EVERY_CHUNK[name]

    assert chunk.codec.decode(golden("bodies", name), bases_of(chunk), len(chunk.raw)) == chunk.raw


@pytest.mark.parametrize("name", EVERY_CHUNK)
def test_a_body_written_today_decodes_to_the_same_chunk(name: str) -> None:
    chunk = EVERY_CHUNK[name]

    assert chunk.codec.decode(body_of(chunk), bases_of(chunk), len(chunk.raw)) == chunk.raw


def test_the_old_packs_give_every_object_and_chunk(tmp_path: Path) -> None:
    store = golden_store(tmp_path)

    found = {name: decode(store.reader.object(_ref(name))) for name in EVERY_OBJECT}
    chunks = {name: store.reader.chunk(chunk.digest) for name, chunk in EVERY_CHUNK.items()}

    assert found == EVERY_OBJECT
    assert chunks == {name: chunk.raw for name, chunk in EVERY_CHUNK.items()}
    assert store.unready == {}


def test_the_rows_of_the_old_packs_are_as_they_were(tmp_path: Path) -> None:
    indexes = golden_store(tmp_path).catalog.packs.values()
    old, later = sorted(
        (index for index in indexes if index.kind is PackKind.META), key=len, reverse=True
    )
    chunks, later_chunks, derived_chunks = (
        next(index for index in indexes if Ref(CHUNK, made[name].digest) in set(refs(index)))
        for made, name in ((CHUNKS, "raw"), (LATER_CHUNKS, "rcb-F32"), (DERIVED_CHUNKS, "cast"))
    )

    assert rows(old) == [(_ref(name), 0, ()) for name in OBJECTS]
    assert rows(later) == [(_ref(name), 0, ()) for name in LATER]
    assert (old.summary(), later.summary(), chunks.summary()) == (SUMMARY, {}, {})
    assert rows(chunks) == [as_row(chunk) for chunk in CHUNKS.values()]
    assert rows(later_chunks) == [as_row(chunk) for chunk in LATER_CHUNKS.values()]
    assert rows(derived_chunks) == [as_row(chunk) for chunk in DERIVED_CHUNKS.values()]


@pytest.mark.parametrize(
    ("objects", "summary"), [(OBJECTS, SUMMARY), (LATER, {})], ids=["old", "later"]
)
def test_a_metadata_pack_is_written_as_it_was(
    tmp_path: Path, objects: dict[str, MetaObject], summary: Value
) -> None:
    with PackWriter(PackKind.META, tmp_path) as writer:
        add_all(writer, objects)
        (pack,) = writer.finish(summary)

        with pack.file:
            assert pack.path.read_bytes() == golden("packs", f"{pack.pack.hex()}.meta")


def as_row(chunk: Chunk) -> tuple[Ref, int, tuple[Digest, ...]]:
    bases = tuple(EVERY_CHUNK[base].digest for base in chunk.bases)
    return Ref(CHUNK, chunk.digest), chunk.codec.number, bases


def refs(index: PackIndex) -> list[Ref]:
    return [row.ref for row in index.rows()]


def rows(index: PackIndex) -> list[tuple[Ref, int, tuple[Digest, ...]]]:
    return [(row.ref, row.codec, row.bases) for row in index.rows()]


def _ref(name: str) -> Ref:
    return Ref(EVERY_OBJECT[name].kind, digest_of(EVERY_OBJECT[name]))
