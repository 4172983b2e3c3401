"""The files of a merged model, how it is stored, and how it is written back.

start <── ours        ours and theirs are made from start; all three are names
   ^───── theirs
"""

import json
from pathlib import Path

import pytest
from safetensors.numpy import load_file

import mgit
from mgit import adding
from mgit.errors import ConflictError
from mgit.merging import Conflicted, NeedsTest
from tests.merging.models import (
    CONFIG,
    Tensor,
    Workshop,
    elements,
    f32,
    i64,
    moved,
    noise,
    shifted,
    values,
)

START = {
    "embed": f32(*elements(16)),
    "l.0": f32(*elements(8), shape=(2, 4)),
    "l.1": f32(*elements(8), shape=(2, 4)),
}
OURS = {"l.0": shifted(START["l.0"], 1)}
THEIRS = {"l.0": shifted(START["l.0"], 2), "l.1": shifted(START["l.1"], 5)}


# --- files ---


def configured(**keys: object) -> dict[str, str]:
    return {"config.json": json.dumps({"model_type": "tiny", **keys})}


def test_configurations_are_joined_by_keys(shop: Workshop) -> None:
    shop.add("start", START, files=configured(drop=0.1))
    shop.add("ours", START, "start", files=configured(drop=0.2))
    shop.add("theirs", START, "start", files=configured(drop=0.1, labels=3))

    merged = mgit.merge(shop.repository, "ours", "theirs", is_untested_allowed=True)

    assert merged.outcome == NeedsTest((), (), ("config.json",))
    assert json.loads(shop.file("ours", "config.json")) == {
        "model_type": "tiny",
        "drop": 0.2,
        "labels": 3,
    }


def test_a_key_that_both_changed_is_a_conflict_that_can_be_chosen(shop: Workshop) -> None:
    shop.add("start", START, files=configured(drop=0.1))
    shop.add("ours", START, "start", files=configured(drop=0.2))
    shop.add("theirs", START, "start", files=configured(drop=0.3))

    refused = mgit.merge(shop.repository, "ours", "theirs")
    mgit.merge(shop.repository, "ours", "theirs", strategies=["config.json=theirs"])

    (file,) = refused.decisions.files
    assert isinstance(file, Conflicted)
    assert file.keys == ("drop",)
    assert shop.file("ours", "config.json") == configured(drop=0.3)["config.json"]


def test_a_document_of_theirs_is_left_out_where_both_changed_it(shop: Workshop) -> None:
    shop.add("start", START, files={**CONFIG, "README.md": "start"})
    shop.add("ours", START, "start", files={**CONFIG, "README.md": "ours"})
    shop.add("theirs", START, "start", files={**CONFIG, "README.md": "theirs", "NOTICE": "new"})

    merged = mgit.merge(shop.repository, "ours", "theirs")

    assert merged.decisions.overruled == ("README.md",)
    assert shop.file("ours", "README.md") == "ours"
    assert shop.file("ours", "NOTICE") == "new"


@pytest.mark.parametrize(("ours", "theirs"), [("vocab.txt", "Vocab.txt"), ("vocab", "vocab/a")])
def test_files_that_cannot_lie_in_one_folder_are_refused(
    shop: Workshop, ours: str, theirs: str
) -> None:
    shop.add("start", START)
    shop.add("ours", START, "start", files={**CONFIG, ours: "1"})
    shop.add("theirs", START, "start", files={**CONFIG, theirs: "2"})

    with pytest.raises(ConflictError, match="one folder"):
        mgit.merge(shop.repository, "ours", "theirs", is_untested_allowed=True)


# --- what is stored, and what is written back ---


def test_a_combined_tensor_is_stored_as_a_difference(shop: Workshop) -> None:
    base = noise("base", elements=1 << 16)
    shop.family({"w": base}, {"w": moved(base, "ours")}, {"w": moved(base, "theirs")})

    merged = mgit.merge(
        shop.repository, "ours", "theirs", method="average", is_untested_allowed=True
    )

    chunk = shop.parts("ours").weights.tensors["w"].chunks[0]
    assert merged.stored_bytes < 0.6 * len(base.raw)
    assert shop.repository.store.catalog.choices(chunk)[0].row.bases


def test_what_is_only_taken_stores_no_chunk(shop: Workshop) -> None:
    shop.family(START, OURS, {"l.1": THEIRS["l.1"]})

    merged = mgit.merge(shop.repository, "ours", "theirs", is_untested_allowed=True)

    assert merged.is_new
    assert merged.stored_bytes == 0


def test_a_result_of_the_same_tensors_keeps_our_layout(shop: Workshop, tmp_path: Path) -> None:
    shop.family(START, OURS, THEIRS)
    layout = shop.parts("ours").layout

    mgit.merge(shop.repository, "ours", "theirs", method="average", is_untested_allowed=True)
    adding.export(shop.repository, "ours", tmp_path / "out")

    assert shop.parts("ours").layout == layout
    assert load_file(tmp_path / "out" / "model.safetensors")["l.0"].ravel().tolist() == (
        values(shifted(START["l.0"], 1.5))
    )


def test_a_result_of_other_tensors_is_one_file_that_others_can_read(
    shop: Workshop, tmp_path: Path
) -> None:
    new = {"head.ours": f32(1, 2)}, {"head.theirs": i64(3), "mask": Tensor("BOOL", (2,), b"\1\0")}
    shop.family(START, *new)

    mgit.merge(shop.repository, "ours", "theirs", is_untested_allowed=True)
    adding.export(shop.repository, "ours", tmp_path / "out")
    loaded = load_file(tmp_path / "out" / "model.safetensors")

    expected = {**START, **new[0], **new[1]}
    assert {name: array.tobytes() for name, array in loaded.items()} == {
        name: tensor.raw for name, tensor in expected.items()
    }
    (shard,) = shop.parts("ours").layout.shards
    assert json.loads(shard.header)["__metadata__"] == {"format": "pt"}


def test_a_layout_that_only_they_changed_is_theirs(shop: Workshop) -> None:
    shop.add("start", START)
    shop.add("ours", {**START, **OURS}, "start")
    shop.add("theirs", dict(reversed(START.items())), "start")

    mgit.merge(shop.repository, "ours", "theirs")

    assert shop.parts("ours").layout == shop.parts("theirs").layout


def test_what_is_exported_can_be_added_and_is_the_same_content(
    shop: Workshop, tmp_path: Path
) -> None:
    shop.family(START, {"a": f32(1)}, {"b": f32(2)})
    mgit.merge(shop.repository, "ours", "theirs", is_untested_allowed=True)
    adding.export(shop.repository, "ours", tmp_path / "out")

    adding.add(shop.repository, tmp_path / "out", "again")

    assert shop.parts("again").manifest == shop.parts("ours").manifest


def test_a_merged_repository_is_sound(shop: Workshop) -> None:
    shop.family(START, OURS, THEIRS)
    mgit.merge(shop.repository, "ours", "theirs", method="average", is_untested_allowed=True)

    assert mgit.check_integrity(shop.repository).is_clean
