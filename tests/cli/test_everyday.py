"""What the commands of every day print, as a manual would show it.

base@v1 <┈ base          ┈ version, ─ provenance
   ^───────── legal <── qa
"""

import re
from pathlib import Path
from textwrap import dedent

import pytest

from tests.cli.terminal import TENSORS, Terminal


@pytest.fixture
def alice(tmp_path: Path) -> Terminal:
    return Terminal("alice", tmp_path)


@pytest.fixture
def family(alice: Terminal) -> Terminal:
    alice.does("init --as alice")
    alice.does(f"add {alice.checkpoint(0)} base -m", "the first one")
    alice.does(
        f"add {alice.checkpoint(1)} legal --parent base --operation finetune --tag prod -m",
        "contracts\nof 2024",
    )
    alice.does(f"add {alice.checkpoint(2)} base")
    alice.does(f"add {alice.checkpoint(3)} qa --parent legal --parent base=teacher")
    return alice


def shown(text: str) -> str:
    return dedent(text).lstrip("\n")


def test_init_says_which_repository_and_that_a_key_was_made(alice: Terminal) -> None:
    ran = alice.does("init models --as alice")

    assert ran.text.replace(str(alice.root), "…") == shown("""
        repository aaaaaaaaaaaa in …/alice/models/.mgit
        made a signing key for you: alice
    """)


def test_add_says_what_the_model_takes(alice: Terminal) -> None:
    alice.does("init --as alice")

    first = alice.does(f"add {alice.checkpoint(0)} base")
    again = alice.does(f"add {alice.checkpoint(0)} base")
    other = alice.does(f"add {alice.checkpoint(0)} twin")

    assert first.text.startswith("base  aaaaaaaaaaaa  1.0 kB, stored ")
    assert again.text == "base  aaaaaaaaaaaa  unchanged\n"
    assert other.text == "twin  aaaaaaaaaaaa  1.0 kB, all here already\n"


def test_ls_lists_names(family: Terminal) -> None:
    assert family.does("ls").text == shown("""
        NAME   ID            VERSION  OPERATION  TYPE  TAGS  MADE BY
        base   aaaaaaaaaaaa  v2       import     tiny        alice (--------)
        legal  bbbbbbbbbbbb  v1       finetune   tiny  prod  alice (--------)
        qa     cccccccccccc  v1       derive     tiny        alice (--------)
    """)


def test_ls_of_a_selection_lists_old_versions_too(family: Terminal) -> None:
    assert family.does("ls versions(base)").text == shown("""
        NAME     ID            VERSION  OPERATION  TYPE  MADE BY
        base     aaaaaaaaaaaa  v2       import     tiny  alice (--------)
        base@v1  bbbbbbbbbbbb  v1       import     tiny  alice (--------)
    """)


def test_log_lists_the_selection_and_its_ancestors_newest_first(family: Terminal) -> None:
    assert family.does("log legal").text == shown("""
        legal    aaaaaaaaaaaa  finetune  alice (--------)  0000-00-00  [prod]  contracts
        base@v1  bbbbbbbbbbbb  import    alice (--------)  0000-00-00          the first one
    """)


def test_log_draws_the_family(family: Terminal) -> None:
    drawn = family.does("log --graph").text

    lines = [line.split("  ")[:2] for line in drawn.splitlines()]
    assert lines[0] == ["●", "qa"]
    assert lines[1] == ["├─╮"]
    assert sorted(line[1] for line in lines[2:4]) == ["base", "legal"]
    assert lines[-1] == ["●", "base@v1"]


def test_log_shows_as_many_as_asked_for(family: Terminal) -> None:
    assert len(family.does("log -n 2").out.splitlines()) == 2


def test_show_tells_all_about_a_node(family: Terminal) -> None:
    assert family.does("show legal").text == shown("""
        legal
          node       aaaaaaaaaaaa
          version    v1
          operation  finetune
          type       tiny
          made by    alice (--------)
          made on    0000-00-00T00:00:00Z
          message    contracts of 2024
          tags       prod
          manifest   bbbbbbbbbbbb
          content    cccccccccccc
          children   1
          here       complete
          tensors    3 tensors, 768 B: 192 F32
        parents:
          base@v1  dddddddddddd  provenance  base
        files:
          config.json  23 B
        claims:
          creation  finetune  alice (--------)
          tag       prod      alice (--------)
    """)


def test_status_says_what_is_behind(family: Terminal) -> None:
    ran = family.does("status")

    assert ran.text.replace(str(family.root), "…") == shown("""
        repository aaaaaaaaaaaa in …/alice/.mgit
        you are alice (--------): maintainer, root
        3 names, 4 nodes
        behind (mgit cascade plan):
          legal  base@v1 -> base
    """)


def test_status_of_a_copy_that_is_well(alice: Terminal) -> None:
    alice.does("init --as alice")

    last = alice.does("status").out.splitlines()[-1]

    assert last == "nothing is conflicted, behind, absent or damaged"


def test_diff_says_how_far_each_tensor_moved(family: Terminal) -> None:
    ran = family.run("diff base@v1 legal")

    assert ran.exit_code == 1
    assert ran.text == shown("""
        edited  layers.0.weight  F32 [8, 8]  l2 1.55e-05  100.0% of elements
        edited  layers.1.weight  F32 [8, 8]  l2 1.60e-05  100.0% of elements
        tensors: 0 added, 0 removed, 2 edited, 1 equal; 0 files changed
    """)


def test_diff_stat_takes_layers_together(family: Terminal) -> None:
    ran = family.run("diff --stat base@v1 legal")

    assert ran.text.startswith("edited  layers.[0-1].weight  2 tensors  l2 1.60e-05")


def test_diff_name_only_gives_names(family: Terminal) -> None:
    ran = family.run("diff base@v1 legal --name-only")

    assert ran.out == "edited  layers.0.weight\nedited  layers.1.weight\n"


def test_diff_of_one_tensor_shows_both_sides(family: Terminal) -> None:
    same = family.run("diff base@v1 legal --tensor embedding")
    none = family.run("diff base@v1 legal --tensor nothing")

    assert same.exit_code == 0
    assert same.out == shown("""
        equal  embedding
          A  F32 [8, 8]  256 B  1 chunk
          B  F32 [8, 8]  256 B  1 chunk
    """)
    assert none.exit_code == 4


def test_a_model_does_not_differ_from_itself(family: Terminal) -> None:
    assert family.run("diff base base").exit_code == 0


def test_stats_counts_what_is_shared_once(family: Terminal) -> None:
    sizes = family.does("stats --json").document

    assert sizes["models"][0]["title"] == "base@v1"
    assert sizes["raw_bytes"] > 4 * (3 * 256 + 23)  # headers take their place too
    assert sizes["stored_bytes"] < sum(model["stored_bytes"] for model in sizes["models"])
    assert sizes["pack_bytes"] > sizes["stored_bytes"]


def test_stats_is_a_table_with_a_total(family: Terminal) -> None:
    lines = family.does("stats").out.splitlines()

    assert re.split("  +", lines[0]) == [
        *("NAME", "RAW", "ADDS", "SHARED", "RATIO", "STORED AS", "RESTS ON", "DEEPEST")
    ]
    assert lines[-2].startswith("4.1 kB of models, ")
    assert re.match(r"\d+ packs, ", lines[-1])


def test_stats_of_a_selection_compares_with_what_it_takes(family: Terminal) -> None:
    sizes = family.does("stats qa --json").document

    (model,) = sizes["models"]
    assert sizes["raw_bytes"] == model["raw_bytes"]
    assert sizes["stored_bytes"] == model["stored_bytes"]
    assert model["own_bytes"] + model["shared_bytes"] == model["stored_bytes"]
    assert model["rests_on"] == ["base"]
    assert sizes["resting_bytes"] > 0
    assert "of others" in family.does("stats qa").out


def test_export_writes_the_same_bytes(family: Terminal) -> None:
    ran = family.does("export legal out")

    written = family.folder / "out"
    added = Path(family.checkpoint(1))
    assert ran.text == f"legal  aaaaaaaaaaaa  written to {written}\n"
    assert {p.name: p.read_bytes() for p in written.iterdir()} == {
        p.name: p.read_bytes() for p in added.iterdir()
    }


def test_export_of_some_tensors_writes_one_file(family: Terminal) -> None:
    tensor = TENSORS[0]

    ran = family.does(f"export legal some --tensor {tensor[:-1]}*")

    written = family.folder / "some"
    assert ran.text == f"legal  aaaaaaaaaaaa  written to {written}\n"
    assert [path.name for path in written.iterdir()] == ["model.safetensors"]
    assert tensor.encode() in (written / "model.safetensors").read_bytes()
    refused = family.run("export legal none --tensor nothing.*")
    assert refused.exit_code == 4
    assert "has no tensor" in refused.err


def test_export_may_link_to_the_cache(family: Terminal) -> None:
    for folder in ("one", "two"):
        family.does(f"export legal {folder} --link")

    one, two = (family.folder / folder / "model.safetensors" for folder in ("one", "two"))
    assert one.samefile(two)


def test_small_edits_say_what_they_did(family: Terminal) -> None:
    lines = [
        family.does("tag base|legal stable").text,
        family.does("tag legal stable prod --remove").text,
        family.does("note legal", "fails on tables").text,
        family.does("rename legal law/legal").text,
        family.does("rm qa").text,
        family.does("undo").text,
    ]

    assert "".join(lines) == shown("""
        tagged 2 nodes: stable
        untagged 1 node: stable prod
        noted on legal  aaaaaaaaaaaa
        legal -> law/legal
        removed qa; undo: mgit undo
        undone: rm qa
    """)
    assert "qa" in family.does("ls").out


def test_the_operation_log_lists_the_newest_first(family: Terminal) -> None:
    family.does("rm qa")
    family.does("undo")

    assert family.does("op log").text == shown("""
        6  0000-00-00T00:00:00Z  undo rm qa  not undoable
        5  0000-00-00T00:00:00Z  rm qa       not undoable
        4  0000-00-00T00:00:00Z  add qa
        3  0000-00-00T00:00:00Z  add base
        2  0000-00-00T00:00:00Z  add legal
        1  0000-00-00T00:00:00Z  add base
    """)


def test_a_sound_repository_is_said_to_be_sound(family: Terminal) -> None:
    assert family.does("fsck").out.endswith(": sound\n")


def test_damage_is_named_with_the_models_it_affects_and_the_repair(family: Terminal) -> None:
    for pack in (family.folder / ".mgit" / "packs").glob("*.chunks"):
        pack.write_bytes(b"\xff" + pack.read_bytes()[1:])

    ran = family.run("fsck")

    assert ran.exit_code == 5
    assert "is damaged: stored bytes differ" in ran.out
    assert "affects: " in ran.out
    assert "repair: add its checkpoint again, as in: mgit add PATH base" in ran.out
    assert family.run("export base out").exit_code == 5
    assert family.does("status").out.count("damaged (mgit fsck)") == 1


def test_adding_the_same_checkpoint_again_repairs(family: Terminal) -> None:
    for pack in (family.folder / ".mgit" / "packs").glob("*.chunks"):
        pack.write_bytes(b"\xff" + pack.read_bytes()[1:])
    family.run("fsck")

    for seed, name in ((2, "base"), (1, "legal"), (3, "qa")):
        family.does(f"add {family.checkpoint(seed)} {name}")

    family.does("export base out")


def test_what_is_said_of_a_version_that_is_there_already_is_told_to_be_left(
    family: Terminal,
) -> None:
    line = f"add {family.checkpoint(1)} legal"

    told = family.does(f"{line} --operation other --tag later -m note --parent qa")

    assert "unchanged" in told.out
    assert "stays as it was: without --parent, --operation, --message" in told.err
    assert family.does(f"{line} --tag latest").err == ""
