"""What a check finds, and what it is not misled by."""

import errno
import os

import pytest

from mgit import repair
from mgit.codecs import FAST, fast
from mgit.codecs.form import Form
from mgit.objects import CHUNK, PackKind, Ref
from mgit.repair import Report
from mgit.repository import Repository
from mgit.store import Place
from tests.checkpoints import spoil
from tests.repair.copies import Copies


def listing(repository: Repository) -> list[str]:
    return (repository.store.packs_folder / "list").read_text().splitlines()


def write_listing(repository: Repository, lines: list[str]) -> None:
    (repository.store.packs_folder / "list").write_text("".join(f"{line}\n" for line in lines))


def gone(report: Report) -> list[str]:
    return [pack.hex() for pack in report.gone]


def test_a_pack_that_the_listing_names_and_that_is_not_here_is_gone(copies: Copies) -> None:
    alice = copies.alice
    lines = listing(alice)
    for name in (line.partition(" ")[0] for line in lines):
        path = alice.store.packs_folder / name
        content = path.read_bytes()
        path.unlink()

        report = repair.check(copies.alice)

        assert gone(report) == [name.partition(".")[0]]
        assert not report.is_clean
        path.write_bytes(content)
    assert repair.check(copies.alice).is_clean


def test_a_listing_that_is_out_of_date_shows_nothing(copies: Copies) -> None:
    alice = copies.alice
    strange = f"{'0' * 64}.meta 1000"

    for lines in ([], ["nonsense"], listing(alice)[1:], [*listing(alice)[1:], strange]):
        write_listing(alice, lines)
        assert repair.check(copies.alice).is_clean, lines
    (alice.store.packs_folder / "list").unlink()
    assert repair.check(copies.alice).is_clean


def test_a_pack_that_was_meant_to_go_is_not_gone(copies: Copies) -> None:
    alice = copies.alice
    lines = listing(alice)
    with alice.store.writer(PackKind.CHUNKS) as writer:
        writer.add(Ref(CHUNK, copies.node("base")), b"of no use", raw_bytes=9)
        (pack,) = writer.finish()
        alice.store.install([pack])
    with_it = listing(alice)
    alice.store.condemned.add([pack.pack])
    alice.store.remove([pack.pack])
    assert listing(alice) == lines

    write_listing(alice, with_it)  # it was cut off before it was written

    assert repair.check(copies.alice).is_clean


def badly_coded(copies: Copies) -> Place:
    """Stores a chunk of base with a fault that only decoding shows; returns where."""
    alice = copies.alice
    chunk = next(copies.parts("base").chunks())
    raw = alice.store.reader.chunk(chunk)
    base = next(copies.parts("base@v1").chunks())
    wrong = bytes([raw[0] ^ 1]) + raw[1:]
    body = fast.encode(wrong, alice.store.reader.chunk(base), Form("F32"))
    for place in alice.store.catalog.places(Ref(CHUNK, chunk)):
        alice.store.path_of(place.pack).unlink()
    with alice.store.writer(PackKind.CHUNKS) as writer:
        writer.add(Ref(CHUNK, chunk), body, raw_bytes=len(raw), codec=FAST.number, bases=(base,))
        for other in set(copies.parts("base").chunks()) - {chunk}:
            content = copies.clone.store.reader.chunk(other)
            writer.add(Ref(CHUNK, other), content, raw_bytes=len(content))
        alice.store.install(writer.finish())
    return alice.store.catalog.places(Ref(CHUNK, chunk))[0]


def test_what_was_coded_wrongly_is_found_by_decoding_alone(copies: Copies) -> None:
    place = badly_coded(copies)
    assert repair.check(copies.alice).is_clean

    (damage,) = repair.check(copies.alice, is_decoding=True).damage

    assert (damage.place, damage.models) == (place, ("base",))
    assert "digest" in damage.reason


def test_what_decoding_found_is_not_forgotten_by_a_check_that_does_not_decode(
    copies: Copies,
) -> None:
    place = badly_coded(copies)
    repair.check(copies.alice, is_decoding=True)

    assert [damage.place for damage in repair.check(copies.alice).damage] == [place]
    assert repair.mend(copies.alice, str(copies.root / "clone")).report.is_clean
    copies.require_whole()


def test_what_decodes_well_is_not_blamed_for_its_base(copies: Copies) -> None:
    bad = Ref(CHUNK, next(copies.parts("base@v1").chunks()))
    copies.spoil(bad)

    report = repair.check(copies.alice, is_decoding=True)

    assert [damage.place.row.ref for damage in report.damage] == [bad]
    assert set(report.damage[0].models) == {"base@v1", "base", "half"}


def test_what_the_disk_refuses_to_give_is_told(
    copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = copies.alice.store.catalog.places(Ref(CHUNK, next(copies.parts("half").chunks())))
    spots = {place.row.offset for place in refused}
    real = os.pread

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        if offset in spots and size == refused[0].row.stored_bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", pread)

    for is_decoding in (False, True):
        (damage,) = repair.check(copies.alice, is_decoding=is_decoding).damage

        assert (damage.place, damage.models) == (refused[0], ("half",))
        assert "Input/output error" in damage.reason


def test_of_two_bad_rows_in_a_pack_the_one_that_is_good_again_counts_again(copies: Copies) -> None:
    alice = copies.alice
    first, second = sorted(place.row.ref for place in alice.store.catalog.of_kind(CHUNK))[:2]
    with alice.store.writer(PackKind.CHUNKS) as writer:
        for ref in (first, second):
            raw = alice.store.reader.chunk(ref.digest)
            writer.add(ref, raw, raw_bytes=len(raw))
        (pack,) = writer.finish()
        alice.store.install([pack])
    places = {
        ref: Place(pack.pack, row) for ref in (first, second) if (row := pack.index.find(ref))
    }
    for place in places.values():
        spoil(alice, place)
    assert len(repair.check(copies.alice).damage) == 2

    spoil(alice, places[first])  # the bit flips back

    assert [damage.place for damage in repair.check(copies.alice).damage] == [places[second]]
    alice.store.refresh()
    assert {digest for _, digest in alice.store.catalog.damaged} == {second.digest}
