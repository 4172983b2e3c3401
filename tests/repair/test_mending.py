"""What is damaged or gone becomes whole, from wherever it is whole; nothing else changes."""

import json
import os
import shutil
from pathlib import Path

import pytest

from mgit import editing, repair, sync
from mgit.adding import Description, add, export
from mgit.errors import NotFoundError, TrustError
from mgit.objects import CHUNK, PackKind, Payload, Ref, digest_of
from mgit.repair.mending import HERE
from mgit.repository import Repository
from tests.checkpoints import files_below, spoil
from tests.cli.terminal import Terminal
from tests.repair.copies import Copies


def every_ref(repository: Repository) -> list[Ref]:
    packs = repository.store.catalog.packs.values()
    return sorted({row.ref for index in packs for row in index.rows()})


KINDS = ("chunk", "weights", "content", "layout", "manifest", "node", "payload", "signature")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("good", ["clone", "stick"])
def test_every_object_of_a_kind_comes_from_a_copy(copies: Copies, kind: str, good: str) -> None:
    bad = [ref for ref in every_ref(copies.alice) if ref.kind == kind]
    copies.spoil(*bad)
    remote = str(copies.root / good)

    mended = copies.mend(remote)

    assert [(one.ref, one.source) for one in mended.healed] == [(ref, remote) for ref in bad]
    assert mended.report.is_clean
    copies.require_whole()


@pytest.mark.parametrize("good", ["clone", "stick"])
def test_everything_at_once_comes_from_a_copy(copies: Copies, good: str) -> None:
    copies.spoil(*every_ref(copies.alice))

    assert copies.mend(str(copies.root / good)).report.is_clean
    copies.require_whole()


@pytest.mark.parametrize("kind", [PackKind.META, PackKind.CHUNKS])
def test_a_pack_that_is_gone_comes_back(copies: Copies, kind: PackKind) -> None:
    folder = copies.alice.folder.parent
    shutil.copytree(folder, copies.root / "kept")
    for path in sorted(copies.alice.store.packs_folder.glob(f"*.{kind.value}")):
        path.unlink()
        assert not repair.check(copies.alice).is_clean, path

        assert copies.mend(str(copies.stick)).report.is_clean, path
        copies.require_whole()
        shutil.rmtree(folder)
        shutil.copytree(copies.root / "kept", folder)


def test_a_manifest_comes_back_for_a_node_that_lay_in_another_pack(copies: Copies) -> None:
    alice, remote = copies.alice, copies.root / "named"
    add(alice, copies.source("half"), "again", description=Description(operation="again"))
    editing.remove(alice, "half")
    remote.mkdir()
    sync.push(alice, str(remote))
    manifest = Ref("manifest", digest_of(copies.parts("half").manifest))
    (place,) = alice.store.catalog.places(manifest)
    alice.store.path_of(place.pack).unlink()

    copies.mend(str(remote))

    export(copies.alice, "again", copies.root / "out")
    assert files_below(copies.root / "out") == files_below(copies.source("half"))


def test_without_a_remote_the_other_packs_here_are_used(copies: Copies) -> None:
    chunk = Ref(CHUNK, next(copies.parts("base@v1").chunks()))
    alice = copies.alice
    with alice.store.writer(PackKind.CHUNKS) as writer:
        raw = alice.store.reader.chunk(chunk.digest)
        (before,) = alice.store.catalog.places(chunk)
        writer.add(chunk, raw, raw_bytes=len(raw))
        alice.store.install(writer.finish())
    spoil(alice, before)

    mended = copies.mend()

    assert [(one.ref, one.source) for one in mended.healed] == [(chunk, HERE)]
    assert mended.report.is_clean
    copies.require_whole()


def test_what_nobody_has_is_told_and_the_rest_heals(copies: Copies) -> None:
    chunks = sorted(set(copies.parts("base").chunks()))
    bad = [Ref(CHUNK, chunk) for chunk in chunks]
    copies.spoil(*bad)
    shutil.rmtree(copies.root / "clone" / ".mgit" / "packs")
    stick = Repository.at(copies.stick, copies.alice.home)
    spoil(stick, stick.store.catalog.places(bad[0])[0])

    mended = copies.mend(str(copies.stick))

    assert {one.ref for one in mended.healed} == set(bad[1:])
    assert [damage.place.row.ref for damage in mended.report.damage if damage.models] == [bad[0]]
    assert not mended.report.is_clean


def test_all_remotes_are_asked_and_each_gives_what_it_has(copies: Copies) -> None:
    alice, chunks = copies.alice, sorted(set(copies.parts("base").chunks()))
    sync.add_remote(alice, "clone", str(copies.root / "clone"))
    sync.add_remote(alice, "stick", str(copies.stick))
    sync.add_remote(alice, "away", str(copies.root / "nowhere"))
    stick = Repository.at(copies.stick, alice.home)
    for ref in every_ref(stick):
        if ref.kind == CHUNK and ref.digest != chunks[0]:
            spoil(stick, stick.store.catalog.places(ref)[0])
    bad = [Ref(CHUNK, chunk) for chunk in chunks]
    copies.spoil(*bad)
    clone = copies.clone
    spoil(clone, clone.store.catalog.places(bad[0])[0])

    mended = copies.mend()

    origins = {one.ref: one.source for one in mended.healed}
    assert origins == {bad[0]: "stick", **dict.fromkeys(bad[1:], "clone")}
    assert list(mended.failures) == ["away"]
    assert mended.report.is_clean


def test_what_only_lacks_a_base_is_not_fetched_again(copies: Copies) -> None:
    before = {place.row.ref for place in copies.alice.store.catalog.of_kind(CHUNK)}
    bases = {base for p in copies.alice.store.catalog.of_kind(CHUNK) for base in p.row.bases}
    copies.spoil(*(Ref(CHUNK, base) for base in bases))

    mended = copies.mend(str(copies.root / "clone"))

    rows = [place.row.ref for place in copies.alice.store.catalog.of_kind(CHUNK)]
    assert {ref.digest for ref in before if rows.count(ref) > 1} <= bases
    assert {one.ref.digest for one in mended.healed} > bases
    copies.require_whole()


def test_nothing_but_what_is_missing_comes_and_no_name_moves(copies: Copies) -> None:
    add(copies.clone, copies.source("half"), "another")
    copies.spoil(Ref(CHUNK, next(copies.parts("base").chunks())))
    meant = copies.alice.history().names.names()

    mended = copies.mend(str(copies.root / "clone"))

    assert mended.report.is_clean
    assert copies.alice.history().names.names() == meant
    assert "another" not in meant


def test_a_sound_copy_asks_nobody_and_stays_as_it_is(copies: Copies) -> None:
    before = files_below(copies.alice.folder)

    mended = copies.mend(str(copies.root / "nowhere"))

    assert (mended.healed, mended.put_aside, mended.failures) == ((), (), {})
    after = files_below(copies.alice.folder)
    assert {name for name in after if not name.startswith("local/")} <= before.keys()


def test_a_remote_that_nobody_knows_is_refused(copies: Copies) -> None:
    with pytest.raises(NotFoundError, match="'nowhere'"):
        copies.mend("nowhere")


def test_after_a_cut_it_is_run_again(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    copies.spoil(*every_ref(copies.alice))

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("mgit.repair.mending.install_objects", cut_off)
        with pytest.raises(KeyboardInterrupt):
            copies.mend(str(copies.stick))

    assert copies.mend(str(copies.stick)).report.is_clean
    copies.require_whole()


def test_a_folder_of_somebody_else_is_not_repaired(copies: Copies) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a folder away")
    copies.spoil(*every_ref(copies.alice))
    folder = copies.alice.folder
    os.chown(folder, 1234, 1234)
    before = files_below(folder)

    with pytest.raises(TrustError, match="belongs to another user"):
        copies.mend(str(copies.stick))

    assert files_below(folder) == before


@pytest.mark.parametrize("content", [b"not = [toml", b'repository = "sha256:' + b"0" * 64 + b'"\n'])
def test_settings_that_make_no_sense_are_written_anew(copies: Copies, content: bytes) -> None:
    path = copies.alice.folder / "config.toml"
    path.write_bytes(content)
    assert repair.check(copies.alice).settings

    mended = copies.mend()

    assert mended.has_new_settings
    assert mended.report.is_clean
    assert (copies.alice.folder / "quarantine" / "config.toml").read_bytes() == content
    copies.require_whole()


def test_the_command_line_repairs_settings_too(copies: Copies, tmp_path: Path) -> None:
    (copies.alice.folder / "config.toml").write_text("not = [toml")
    person = Terminal("alice", tmp_path)

    told = person.run("fsck")
    ran = person.run("fsck --repair --from ../clone")

    assert (told.exit_code, "is not TOML" in told.out) == (5, True)
    assert (ran.exit_code, "settings made no sense" in ran.out) == (0, True)


def test_entries_that_are_gone_come_back(copies: Copies) -> None:
    entries = copies.alice.history().ledger.entries
    heads = set(entries) - {p for entry in entries.values() for p in entry.previous}
    lost = {Ref(Payload.kind, digest) for digest in set(entries) - heads}
    for path in copies.alice.store.packs_folder.glob("*.meta"):
        index = copies.alice.store.catalog.packs
        refs = {row.ref for p, i in index.items() if p.hex() == path.stem for row in i.rows()}
        if refs & lost:
            path.unlink()
    (copies.alice.store.packs_folder / "list").unlink()
    assert set(repair.check(copies.alice).gaps) <= lost

    mended = copies.mend(str(copies.root / "clone"))

    assert {one.ref for one in mended.healed} >= lost
    assert mended.report.is_clean
    copies.require_whole()


def test_the_state_of_a_repair_is_written_for_programs(copies: Copies, tmp_path: Path) -> None:
    copies.spoil(Ref(CHUNK, next(copies.parts("base").chunks())))
    person = Terminal("alice", tmp_path)
    found = json.loads(person.run("fsck --json").out)
    ran = person.run("fsck --repair --from ../clone --json")
    after = json.loads(ran.out)

    (damage,) = found["damage"]
    assert (damage["models"], damage["names"], damage["has_good_copy"]) == (
        ["base"],
        ["base"],
        False,
    )
    assert damage["repair"] == "mgit add PATH base"
    assert [lost["title"] for lost in found["lost"]] == ["base"]
    missing = [{"kind": "chunk", "digest": damage["place"]["digest"]}]
    assert (found["lost"][0]["missing"], found["lost"][0]["gone"]) == (missing, [])
    assert {found["repair"], found["lost"][0]["repair"]} == {damage["repair"]}
    assert ran.exit_code == 0
    assert [one["digest"] for one in after["mended"]["healed"]] == [missing[0]["digest"]]
    assert after["repair"] == ""
    assert person.run("fsck --from ../clone").exit_code == 2
