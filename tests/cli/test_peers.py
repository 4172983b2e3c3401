"""Repositories between people, at the command line.

alice  made the repository        bob  a clone of it, as a maintainer
base@v1 <- base (alice)           base@v1 <- base (bob): a conflicted name
"""

from pathlib import Path

import pytest

from tests.cli.terminal import Terminal


@pytest.fixture
def alice(tmp_path: Path) -> Terminal:
    alice = Terminal("alice", tmp_path)
    alice.does("init --as alice")
    alice.does(f"add {alice.checkpoint(0)} base")
    return alice


@pytest.fixture
def bob(alice: Terminal) -> Terminal:
    bob = Terminal("bob", alice.root)
    key = bob.does("key new").out.split()[1]
    alice.does(f"trust add {key} --role maintainer --as bob")
    bob.does("clone ../alice .")
    return bob


@pytest.fixture
def apart(alice: Terminal, bob: Terminal) -> Terminal:
    alice.does(f"add {alice.checkpoint(1)} base")
    bob.does(f"add {bob.checkpoint(2)} base")
    return bob


def test_clone_says_what_came_and_whom_it_met_for_the_first_time(alice: Terminal) -> None:
    carol = Terminal("carol", alice.root)

    ran = carol.does("clone ../alice")

    target = carol.folder / "alice"
    assert ran.out.startswith("cloned 1 node, ")
    assert ran.out.endswith(f" of weights into {target}\n")
    assert ran.err.splitlines()[0].startswith("first contact with repository ")
    assert f"mgit clone {alice.folder}#" in ran.err


def test_a_clone_that_names_the_repository_is_no_first_contact(alice: Terminal) -> None:
    repository = alice.does("status --json").document["repository"]
    carol = Terminal("carol", alice.root)

    ran = carol.does(f"clone ../alice#{repository.removeprefix('sha256:')} there")

    assert ran.err == ""


@pytest.mark.parametrize("verb", ["push", "fetch", "pull"])
def test_one_word_that_is_neither_model_nor_remote_may_have_been_either(
    bob: Terminal, verb: str
) -> None:
    ran = bob.run(f"{verb} nowhere")

    assert ran.exit_code == 4
    assert all(word in ran.err for word in ("mgit ls", "mgit remote list", "./nowhere"))
    assert "remote list" not in bob.run(f"{verb} origin nowhere").err


def test_a_clone_of_another_repository_than_was_named_is_refused(alice: Terminal) -> None:
    ran = Terminal("carol", alice.root).run(f"clone ../alice#{'0' * 64} there")

    assert ran.exit_code == 4
    assert ran.err.startswith("mgit: ")


def test_a_copy_without_weights_says_what_is_absent_and_gets_it_later(alice: Terminal) -> None:
    carol = Terminal("carol", alice.root)
    assert carol.does("clone ../alice . --no-weights").out.startswith("cloned 1 node into ")

    refused = carol.run("export base out")
    carol.does("backfill base")
    carol.does("export base out")

    assert refused.exit_code == 4
    assert refused.err.splitlines()[1] == "  mgit backfill base"


def test_push_says_first_what_it_would_send(alice: Terminal, bob: Terminal) -> None:
    bob.does(f"add {bob.checkpoint(1)} legal --parent base")

    plan = bob.does("push --dry-run")
    before = alice.does("ls").out
    sent = bob.does("push")
    again = bob.does("push")

    assert plan.out.startswith("origin would get 1 node, ")
    assert "legal" not in before
    assert sent.out.startswith("origin got 1 node, ")
    assert again.out == "origin: nothing to send\n"


def test_pull_says_which_names_moved(alice: Terminal, bob: Terminal) -> None:
    alice.does(f"add {alice.checkpoint(1)} base")

    ran = bob.does("pull")
    again = bob.does("pull")

    assert ran.text.splitlines()[1] == "  base  aaaaaaaaaaaa  ->  bbbbbbbbbbbb"
    assert again.out == "origin: nothing new\n"


def test_pull_that_leaves_a_conflicted_name_exits_1_and_lists_it(apart: Terminal) -> None:
    ran = apart.run("pull")

    assert ran.exit_code == 1
    assert ran.out.startswith("conflicted (mgit resolve NAME --pick SIDE):\n  base\norigin: 1 node")
    assert apart.run("pull --json").document["conflicts"] == ["base"]


def test_fetch_lists_conflicts_and_is_done_all_the_same(apart: Terminal) -> None:
    assert apart.run("fetch").exit_code == 0


def test_a_push_that_would_make_a_conflict_is_refused_unless_asked_for(apart: Terminal) -> None:
    refused = apart.run("push")
    forced = apart.run("push --allow-conflict")

    assert refused.exit_code in {1, 3}
    assert forced.exit_code == 0


def test_a_conflicted_name_is_shown_by_its_sides(apart: Terminal) -> None:
    apart.run("pull")

    names = [line.split()[0] for line in apart.does("ls").out.splitlines()]
    unclear = apart.run("export base out")

    assert names == ["NAME", "base@alice", "base@bob"]
    assert "conflicted (mgit resolve NAME --pick SIDE):\n  base  base@alice, base@bob" in (
        apart.does("status").out
    )
    assert unclear.exit_code == 1


def test_resolve_lets_a_name_point_to_one_side(apart: Terminal) -> None:
    apart.run("pull")

    ran = apart.does("resolve base --pick base@alice")

    assert ran.text == "base  aaaaaaaaaaaa\n"
    assert [line.split()[0] for line in apart.does("ls").out.splitlines()] == ["NAME", "base"]


def test_resolve_gives_each_side_a_name(apart: Terminal) -> None:
    apart.run("pull")

    ran = apart.does("resolve base --both")

    assert sorted(line.split()[0] for line in ran.out.splitlines()) == ["base-alice", "base-bob"]
    assert apart.run("show base").exit_code == 4


def test_resolve_wants_one_way(apart: Terminal) -> None:
    ran = apart.run("resolve base")

    assert ran.exit_code == 2
    assert ran.err == "mgit: give one of --pick SEL and --both\n  mgit resolve --help\n"


def test_remotes_are_added_listed_and_forgotten(alice: Terminal, bob: Terminal) -> None:
    alice.does("remote add bob ../bob")
    listed = alice.does("remote list")
    pulled = alice.does("pull bob base")
    alice.does("remote remove bob")

    assert listed.out == f"bob  {bob.folder}\n"
    assert pulled.out.startswith("bob: ")
    assert alice.run("pull bob base").exit_code == 4
    assert alice.does("remote list").out == ""


def test_one_word_is_a_remote_if_there_is_one_of_that_name(bob: Terminal) -> None:
    assert bob.does("fetch origin").out.startswith("origin: ")
    assert bob.does("fetch base").out.startswith("origin: ")
    assert bob.does("fetch ../alice").out.startswith(str(bob.root / "alice"))


def test_a_remote_that_is_not_there_is_exit_code_4_or_7(bob: Terminal) -> None:
    assert bob.run("fetch /nowhere/at/all").exit_code in {4, 7}


def test_more_than_a_remote_and_a_selector_is_wrong_usage(bob: Terminal) -> None:
    assert bob.run("fetch origin base qa").exit_code == 2
