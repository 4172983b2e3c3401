"""``mgit merge`` at a terminal.

base <── legal        both moved layers.0 and layers.1; legal alone has a head
  ^───── qa
"""

import json
import struct
from pathlib import Path
from textwrap import dedent

import pytest

from tests.cli.terminal import Terminal


@pytest.fixture
def alice(tmp_path: Path) -> Terminal:
    terminal = Terminal("alice", tmp_path)
    terminal.does("init --as alice")
    terminal.does(f"add {terminal.checkpoint(0)} base")
    terminal.does(f"add {terminal.checkpoint(1)} legal --parent base")
    terminal.does(f"add {terminal.checkpoint(2)} qa --parent base")
    return terminal


def shown(text: str) -> str:
    return dedent(text).lstrip("\n")


def test_a_conflict_is_shown_with_numbers_and_a_way_out(alice: Terminal) -> None:
    ran = alice.run("merge legal qa")

    assert ran.exit_code == 1
    assert ran.text == shown("""
        base aaaaaaaaaaaa  ours bbbbbbbbbbbb  theirs cccccccccccc
          conflict  edited on both sides  layers.[0-1].weight  2 tensors  ours l2 1.6e-05, theirs l2 1.5e-05 to 1.7e-05, cosine 0.75 to 0.80, signs against 0%
        conflict: 2 tensors to decide; nothing moved
    """)  # noqa: E501
    assert ran.err == shown("""
        combine them: mgit merge legal qa --method task_arithmetic
        or choose a side, ours, theirs or base: mgit merge legal qa --strategy layers.0.weight=ours
    """)


def test_what_needs_a_test_is_refused(alice: Terminal) -> None:
    ran = alice.run("merge legal qa --method task_arithmetic")

    assert ran.exit_code == 1
    assert ran.text == shown("""
        base aaaaaaaaaaaa  ours bbbbbbbbbbbb  theirs cccccccccccc
          combined  by task_arithmetic:weight=1.0  layers.[0-1].weight  2 tensors
        needs a test: the result combines both sides and wants testing
    """)
    assert ran.err == shown("""
        no check is for it: mgit check add MOD:FN --on SEL
        or keep it without a test: mgit merge legal qa --method task_arithmetic --no-test
    """)


def test_the_way_out_repeats_what_was_asked_for(alice: Terminal) -> None:
    ran = alice.run("merge legal qa --into both --strategy layers.0.*=average")

    assert ran.err.splitlines()[0] == (
        "combine them: mgit merge legal qa --into both --strategy 'layers.0.*=average'"
        " --method task_arithmetic"
    )


def test_a_merge_without_a_test_is_a_new_version(alice: Terminal) -> None:
    ran = alice.does("merge legal qa --method average --no-test -m", "one model for both")

    verdict, made = ran.text.splitlines()[-2:]
    assert verdict == "needs a test: the result combines both sides and is untested"
    assert made.startswith("legal  dddddddddddd  stored ")
    assert "one model for both" in alice.does("log legal").out
    assert alice.does("show legal --json").document["operation"] == "merge"


def test_a_dry_run_has_the_same_exit_code(alice: Terminal) -> None:
    assert alice.run("merge legal qa --dry-run").exit_code == 1
    assert alice.run("merge legal qa --dry-run --method average").exit_code == 1
    assert alice.run("merge legal qa --dry-run --method average --no-test").exit_code == 0
    assert alice.does("ls --json").document["names"][1]["version"] == 1


def test_what_is_clean_is_merged(alice: Terminal) -> None:
    ran = alice.does("merge legal qa --method theirs")

    assert ran.text == shown("""
        base aaaaaaaaaaaa  ours bbbbbbbbbbbb  theirs cccccccccccc
          edited by theirs  as theirs says  layers.[0-1].weight  2 tensors
        clean: in all that counts, the result is theirs
        legal  dddddddddddd  stored 0 B
    """)


def test_the_document_says_all_of_it(alice: Terminal) -> None:
    ran = alice.run("merge legal qa --json --method average --strategy layers.0*=ours --dry-run")

    document = ran.document
    assert document["schema"] == "mgit.merge/v1"
    assert document["outcome"] == {
        "kind": "needs-test",
        "from_ours": ["layers.0.weight"],
        "from_theirs": [],
        "combined": ["layers.1.weight"],
    }
    assert document["node"] is None
    assert document["is_dry_run"] is True
    assert document["decisions"]["counts"]["combined"] == 1
    assert document["decisions"]["tensors"] == [
        {
            "name": "layers.0.weight",
            "decision": "edited by ours",
            "detail": "as ours says",
            "statistics": None,
        },
        {
            "name": "layers.1.weight",
            "decision": "combined",
            "detail": "by average",
            "statistics": None,
        },
    ]


def test_files_and_documents_are_listed(tmp_path: Path) -> None:
    alice = Terminal("alice", tmp_path)
    alice.does("init --as alice")
    parents = ""
    for name, drop, card in (("base", 1, "a"), ("ours", 2, "b"), ("theirs", 3, "c")):
        folder = checkpoint(tmp_path / name, {"drop": drop}, card)
        alice.does(f"add {folder} {name} {parents}")
        parents = "--parent base"

    ran = alice.run("merge ours theirs")

    assert ran.text == shown("""
        base aaaaaaaaaaaa  ours bbbbbbbbbbbb  theirs cccccccccccc
          conflict        the same keys edited on both sides: drop  config.json  file
          edited by ours  theirs is left out                        README.md    document
        conflict: 1 file to decide; nothing moved
    """)


def checkpoint(folder: Path, config: dict[str, object], card: str) -> Path:
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "README.md").write_text(card)
    return folder


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("merge legal nobody", 4, "nobody"),
        ("merge legal qa --method ties", 2, "choose from: ours, theirs, base, average"),
        ("merge legal qa --strategy head=ours", 2, "head=ours"),
        ("merge legal qa --base base --strategy head", 2, "GLOB=METHOD"),
    ],
)
def test_errors_say_what_to_do(alice: Terminal, words: str, code: int, says: str) -> None:
    ran = alice.run(words)

    assert ran.exit_code == code
    assert says in ran.err


def test_unrelated_models_are_refused(alice: Terminal) -> None:
    alice.does(f"add {alice.checkpoint(5)} stranger")

    ran = alice.run("merge legal stranger")

    assert ran.exit_code == 2
    assert ran.err == shown("""
        mgit: legal and stranger are unrelated: they have no common ancestor here
          if you know what both come from: mgit merge legal stranger --base SEL
    """)
