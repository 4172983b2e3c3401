"""What ``mgit fsck`` says: one line for what is damaged, one remedy, and no old news.

base <- legal <- qa      alice has one damaged chunk, of base; the others rest on it
"""

import shutil
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal


@pytest.fixture
def alice(tmp_path: Path) -> Terminal:
    alice = Terminal("alice", tmp_path)
    alice.does("init --as alice")
    alice.does(f"add {alice.checkpoint(0)} base")
    (pack,) = packs_of(alice)
    alice.does(f"add {alice.checkpoint(1)} legal --parent base")
    alice.does(f"add {alice.checkpoint(2)} qa --parent legal")
    shutil.copytree(alice.folder, tmp_path / "copy")
    pack.write_bytes(b"\xff" + pack.read_bytes()[1:])
    return alice


def packs_of(person: Terminal) -> list[Path]:
    return list((person.folder / ".mgit" / "packs").glob("*.chunks"))


def remedies(person: Terminal, command: str = "fsck") -> list[str]:
    lines = person.run(command).out.splitlines()
    return [line for line in lines if line.startswith("repair: ")]


def every_repair(document: object) -> set[str]:
    """Returns all that stands under ``repair`` anywhere in a document."""
    match document:
        case dict():
            inner = set().union(*(every_repair(value) for value in document.values()))
            return inner | ({document["repair"]} if "repair" in document else set())
        case list():
            return set().union(*(every_repair(value) for value in document))
        case _:
            return set()


def test_one_damaged_chunk_is_one_line(alice: Terminal) -> None:
    ran = alice.run("fsck")

    damage, repair, verdict = ran.out.splitlines()
    assert damage.startswith("chunk ")
    assert damage.endswith("; affects: base, legal, qa")
    assert repair == "repair: add its checkpoint again, as in: mgit add PATH base"
    assert verdict.endswith(": damaged")
    assert ran.err == ""


def test_text_and_document_name_the_same_remedy(alice: Terminal) -> None:
    assert every_repair(alice.run("fsck --json").document) == {"mgit add PATH base"}

    alice.does("remote add copy ../copy")

    assert remedies(alice) == ["repair: mgit fsck --repair"]
    assert every_repair(alice.run("fsck --json").document) == {"mgit fsck --repair"}


def test_a_repair_without_a_remote_says_that_nobody_was_asked(alice: Terminal) -> None:
    ran = alice.run("fsck --repair")

    assert ran.exit_code == 5
    assert "no remote is known here" in ran.err
    assert "no remote is known" not in alice.run("fsck --repair --from ../copy").err


def test_what_was_repaired_is_no_news_the_next_time(alice: Terminal) -> None:
    first = alice.does("fsck --repair --from ../copy")
    again = alice.does("fsck --repair --from ../copy")
    told = alice.does("fsck")

    assert "whole again" in first.out
    assert again.out == told.out
    assert told.out.startswith("1 damaged copy of what another pack has whole: nothing to do; mgit")


def test_what_is_gone_is_told_beside_what_is_damaged(alice: Terminal) -> None:
    as_added = (alice.root / "copy" / ".mgit" / "packs").glob("*.chunks")
    newest = max(as_added, key=lambda path: path.stat().st_mtime_ns)
    (alice.folder / ".mgit" / "packs" / newest.name).unlink()

    ran = alice.run("fsck")

    assert "something is gone of qa: " in ran.out
    assert "something is gone of base" not in ran.out
    assert "affects: base, legal" in ran.out
    assert remedies(alice) == [
        "repair: add its checkpoint again, as in: mgit add PATH base",
        "repair: from a copy that has it: mgit fsck --repair --from REMOTE",
    ]


def test_what_a_gone_pack_held_comes_from_a_copy_by_a_repair(alice: Terminal) -> None:
    for pack in packs_of(alice):
        pack.unlink()

    ran = alice.run("fsck --repair")

    assert "repair: from a copy that has it: mgit fsck --repair --from REMOTE" in ran.out
    assert "mgit fetch" not in ran.out + ran.err
    alice.does("fsck --repair --from ../copy")
