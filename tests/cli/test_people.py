"""Keys, roles and who vouches for what, at the command line.

alice  made the repository: root and maintainer
bob    has a clone and no role, until alice gives him one
"""

import json
import re
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal

_WHY = "signed by a key without a role"


@pytest.fixture
def alice(tmp_path: Path) -> Terminal:
    alice = Terminal("alice", tmp_path)
    alice.does("init --as alice")
    alice.does(f"add {alice.checkpoint(0)} base")
    return alice


@pytest.fixture
def bob(alice: Terminal) -> Terminal:
    bob = Terminal("bob", alice.root)
    bob.does("clone ../alice . --as bob")
    return bob


def test_a_first_key_is_called_as_the_person_logs_in(tmp_path: Path) -> None:
    odd = Terminal("dora", tmp_path, {"LOGNAME": "1 Dora_Müller"})

    assert odd.does("key new").out.startswith("dora-m-ller  ed25519:")


def test_key_list_marks_the_key_that_signs(alice: Terminal) -> None:
    alice.does("key new --as laptop")
    alice.does("key use laptop")

    assert [line[:10].rstrip() for line in alice.does("key list").out.splitlines()] == [
        "   alice",
        "*  laptop",
    ]


def test_a_key_moves_to_another_machine_in_a_file(alice: Terminal) -> None:
    alice.does("key export alice alice.pem")

    there = Terminal("elsewhere", alice.root)
    there.does("key import ../alice/alice.pem")

    file = alice.folder / "alice.pem"
    assert file.stat().st_mode & 0o777 == 0o600
    assert there.does("key list --json").document["keys"][0]["label"] == "alice"
    assert there.does("whoami").out.split()[3] == alice.does("whoami").out.split()[3]


def test_a_key_file_is_never_written_over(alice: Terminal) -> None:
    (alice.folder / "alice.pem").write_text("mine")

    assert alice.run("key export alice alice.pem").exit_code == 2
    assert (alice.folder / "alice.pem").read_text() == "mine"


def test_a_locked_key_is_listed_with_its_problem(alice: Terminal) -> None:
    Terminal("alice", alice.root, {"MGIT_PASSPHRASE": "secret"}).does("key new --as vault")

    keys = alice.does("key list --json").document["keys"]

    assert [bool(key["problem"]) for key in keys] == [False, True]


def test_whoami_outside_a_repository_knows_no_roles(alice: Terminal, tmp_path: Path) -> None:
    inside = alice.does("whoami").out
    (tmp_path / "empty").mkdir()

    outside = alice.does(f"-C {tmp_path / 'empty'} whoami").out

    assert "roles here   maintainer, root" in inside
    assert "roles here" not in outside


def test_what_a_key_without_a_role_adds_stands_aside(bob: Terminal, alice: Terminal) -> None:
    added = bob.does(f"add {bob.checkpoint(1)} base")
    bob.does("push")

    assert added.out.splitlines()[1] == "your key has no role here: it shows up as @bob/base"
    assert alice.does("ls").text.splitlines()[2] == (
        "@bob/base  bbbbbbbbbbbb  v2       import     tiny  bob (--------, no role)  no role"
    )


def test_verify_names_the_step_that_nobody_with_a_role_signed(bob: Terminal) -> None:
    bob.does(f"add {bob.checkpoint(1)} base")

    ran = bob.run("verify @bob/base")

    assert ran.exit_code == 6
    assert [re.split("  +", text) for text in ran.text.splitlines()] == [
        ["ok", "base", "a" * 12, "import", "alice (--------)", "0000-00-00"],
        ["NO", "@bob/base", "b" * 12, "import", "bob (--------, no role)", "0000-00-00", _WHY],
        ["@bob/base", "b" * 12, "not verified: 1 of 2 steps"],
    ]
    assert bob.run("verify @bob/base --json").document["is_verified"] is False


def test_verify_is_content_when_every_step_is_vouched_for(alice: Terminal) -> None:
    ran = alice.run("verify base")

    assert ran.exit_code == 0
    assert ran.out.endswith("verified: 1 step\n")


def test_a_role_lets_a_key_move_names_and_can_be_taken_back(bob: Terminal, alice: Terminal) -> None:
    key = bob.does("whoami --json").document["key"]["key"]

    given = alice.does(f"trust add {key} --role maintainer --as bob --names law/*")
    listed = alice.does("trust list")
    alice.does("trust remove bob")

    assert given.out.split()[::2] == ["bob", "maintainer"]
    assert given.out.split()[-1] == "law/*"
    assert [line.split()[0] for line in listed.out.splitlines()] == ["alice", "bob"]
    assert len(alice.does("trust list --json").document["members"]) == 1


def test_who_may_not_do_something_is_told_so_with_exit_code_6(bob: Terminal) -> None:
    ran = bob.run("rm base")

    assert ran.exit_code == 6
    assert ran.err.startswith("mgit: your key 'bob' may not move 'base'")


def test_trusting_a_folder_is_remembered(alice: Terminal) -> None:
    folder = alice.does("trust folder . --json").document["folder"]

    home = alice.root / "homes" / "alice" / "config.toml"
    assert json.dumps(folder) in home.read_text()
