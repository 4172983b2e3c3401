"""What version 1 wrote once can be read for ever, and metadata is still written the same."""

from pathlib import Path

import msgpack
import pytest

from mgit import canonical
from mgit.errors import FormatError
from mgit.objects import CHUNK, PackKind, Ref, Signature, decode, digest_of, encode
from mgit.signing import is_genuine
from mgit.store import PackWriter, Store
from tests.formats.make_golden import (
    CHUNKS,
    ENTRY,
    GOLDEN,
    KEY,
    OBJECTS,
    SUMMARY,
    add_all_objects,
    body_of,
)


def golden(*path: str) -> bytes:
    return GOLDEN.joinpath(*path).read_bytes()


def golden_store(tmp_path: Path) -> Store:
    """A store over the golden packs, with its caches elsewhere."""
    store = Store(tmp_path, tmp_path / "cache")
    (tmp_path / "packs").symlink_to(GOLDEN / "packs")
    return store


def test_there_is_a_golden_file_for_everything() -> None:
    assert {path.name for path in (GOLDEN / "objects").iterdir()} == OBJECTS.keys()
    assert {path.name for path in (GOLDEN / "bodies").iterdir()} == CHUNKS.keys()


@pytest.mark.parametrize("name", OBJECTS)
def test_an_old_object_means_what_it_meant(name: str) -> None:
    assert decode(golden("objects", name)) == OBJECTS[name]


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_is_written_as_it_was(name: str) -> None:
    assert encode(OBJECTS[name]) == golden("objects", name)


@pytest.mark.parametrize("name", sorted(OBJECTS.keys() - {"unknown"}))
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


@pytest.mark.parametrize("name", CHUNKS)
def test_an_old_body_decodes_to_the_same_chunk(name: str) -> None:
    chunk = CHUNKS[name]
    bases = [CHUNKS[chunk.base].raw] if chunk.base else []

    assert chunk.codec.decode(golden("bodies", name), bases, len(chunk.raw)) == chunk.raw


@pytest.mark.parametrize("name", CHUNKS)
def test_a_body_written_today_decodes_to_the_same_chunk(name: str) -> None:
    chunk = CHUNKS[name]
    bases = [CHUNKS[chunk.base].raw] if chunk.base else []

    assert chunk.codec.decode(body_of(chunk), bases, len(chunk.raw)) == chunk.raw


def test_the_old_packs_give_every_object_and_chunk(tmp_path: Path) -> None:
    store = golden_store(tmp_path)

    found = {name: decode(store.reader.object(_ref(name))) for name in OBJECTS}
    chunks = {name: store.reader.chunk(chunk.digest) for name, chunk in CHUNKS.items()}

    assert found == OBJECTS
    assert chunks == {name: chunk.raw for name, chunk in CHUNKS.items()}
    assert store.unready == {}


def test_the_rows_of_the_old_packs_are_as_they_were(tmp_path: Path) -> None:
    indexes = {index.kind: index for index in golden_store(tmp_path).catalog.packs.values()}

    meta = [(row.ref, row.codec, row.bases) for row in indexes[PackKind.META].rows()]
    chunks = [(row.ref, row.codec, row.bases) for row in indexes[PackKind.CHUNKS].rows()]

    assert meta == [(_ref(name), 0, ()) for name in OBJECTS]
    assert indexes[PackKind.META].summary() == SUMMARY
    assert indexes[PackKind.CHUNKS].summary() == {}
    assert chunks == [
        (
            Ref(CHUNK, chunk.digest),
            chunk.codec.number,
            (CHUNKS[chunk.base].digest,) if chunk.base else (),
        )
        for chunk in CHUNKS.values()
    ]


def test_a_metadata_pack_is_written_as_it_was(tmp_path: Path) -> None:
    with PackWriter(PackKind.META, tmp_path) as writer:
        add_all_objects(writer)
        (pack,) = writer.finish(SUMMARY)

        with pack.file:
            assert pack.path.read_bytes() == golden("packs", f"{pack.pack.hex()}.meta")


def _ref(name: str) -> Ref:
    return Ref(OBJECTS[name].kind, digest_of(OBJECTS[name]))
