"""Checkpoint folders as they are published: sharded weights, tokenizer, documents, and oddities.

model-0000N-of-2.safetensors   tensors        README.md, LICENSE, *.png      documents
model.safetensors.index.json   layout         config.json, tokenizer.json …  content
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mgit.adding import add, export
from mgit.checkpoint import is_document, scan
from mgit.errors import FormatError, NotFoundError, UsageError
from mgit.objects import digest_of
from mgit.repository import Repository
from tests.checkpoints import (
    f32,
    files_below,
    floats,
    noise,
    parts_of,
    safetensors,
    without_privileges,
    written,
)

WEIGHTS = "model-00001-of-2.safetensors", "model-00002-of-2.safetensors"
PUBLISHED = {
    WEIGHTS[0]: safetensors({"embed": f32(floats(1, 128), 8, 16)}, metadata={"format": "pt"}),
    WEIGHTS[1]: safetensors({"head": f32(floats(2, 64))}, metadata={"format": "pt"}),
    "model.safetensors.index.json": json.dumps(
        {"weight_map": {"embed": WEIGHTS[0], "head": WEIGHTS[1]}}
    ).encode(),
    "config.json": b'{"model_type": "bert"}',
    "tokenizer.json": b"{}" * 400,
    "README.md": b"# A model\n",
    "LICENSE": b"as you like",
    "figures/loss.PNG": b"\x89PNG",
    "1_Pooling/config.json": b'{"mean": true}',
    "empty.txt": b"",
    "sub/deep/also empty": b"",
    ".hidden": b"a",
    "modèle-模型.txt": "é".encode(),
}


def folder_of(root: Path, **more: bytes) -> Path:
    for path, content in {**PUBLISHED, **more}.items():
        written(root / "in" / path, content)
    return root / "in"


def test_a_published_folder_comes_out_byte_for_byte(alice: Repository, tmp_path: Path) -> None:
    add(alice, folder_of(tmp_path), "m")

    export(alice, "m", tmp_path / "out")

    assert files_below(tmp_path / "out") == PUBLISHED


def test_each_file_is_kept_for_what_it_means(alice: Repository, tmp_path: Path) -> None:
    add(alice, folder_of(tmp_path), "m")

    parts = parts_of(alice, "m")

    assert set(parts.weights.tensors) == {"embed", "head"}
    assert [shard.path for shard in parts.layout.shards] == list(WEIGHTS)
    assert set(parts.layout.files) == {"model.safetensors.index.json"}
    assert set(parts.manifest.documents) == {"README.md", "LICENSE", "figures/loss.PNG"}
    assert {"config.json", "tokenizer.json", "empty.txt"} <= set(parts.content.files)
    assert next(iter(alice.history().nodes.values())).type == "bert"


@pytest.mark.parametrize(
    "path", ["README", "readme.txt", "LICENSE.md", "NOTICE", "docs/a.md", "a.PNG", ".gitattributes"]
)
def test_a_document_is_told_by_its_name(path: str) -> None:
    assert is_document(path)


@pytest.mark.parametrize("path", ["config.json", "vocab.txt", "my-readme.json", "md", "license/x"])
def test_what_a_model_may_read_is_no_document(path: str) -> None:
    assert not is_document(path)


@pytest.mark.parametrize(
    ("path", "is_other_content"),
    [("README.md", False), ("LICENSE", False), ("config.json", True), ("tokenizer.json", True)],
)
def test_only_what_behaviour_depends_on_changes_the_content(
    alice: Repository, tmp_path: Path, path: str, *, is_other_content: bool
) -> None:
    folder = folder_of(tmp_path)
    add(alice, folder, "m")
    before = parts_of(alice, "m")
    written(folder / path, b'{"changed": true}')

    assert add(alice, folder, "m").is_new

    after = parts_of(alice, "m")
    assert (digest_of(after.content) != digest_of(before.content)) == is_other_content


def test_tensors_that_two_files_hold_are_kept_in_both(alice: Repository, tmp_path: Path) -> None:
    content = safetensors({"w": f32(floats(1, 64))})
    files = {"a.safetensors": content, "b.safetensors": content, "c.safetensors": content[:]}
    for path, data in files.items():
        written(tmp_path / "in" / path, data)
    add(alice, tmp_path / "in", "m")

    export(alice, "m", tmp_path / "out")

    assert files_below(tmp_path / "out") == files


def test_the_folders_of_version_control_are_left_out(alice: Repository, tmp_path: Path) -> None:
    git = {".git/HEAD": b"ref", "sub/.git/config": b"x", ".mgit/packs/a.meta": b"y"}
    add(alice, folder_of(tmp_path, **git), "m")

    export(alice, "m", tmp_path / "out")

    assert files_below(tmp_path / "out") == PUBLISHED


@pytest.mark.parametrize(
    ("patterns", "left_out"),
    [
        (["*.md"], {"README.md"}),
        (["1_Pooling/*", "figures/*"], {"1_Pooling/config.json", "figures/loss.PNG"}),
        (["*.safetensors"], set(WEIGHTS)),
        (["nothing like it"], set()),
    ],
)
def test_what_matches_an_exclusion_is_left_out(
    alice: Repository, tmp_path: Path, patterns: list[str], left_out: set[str]
) -> None:
    add(alice, folder_of(tmp_path), "m", exclude=patterns)

    export(alice, "m", tmp_path / "out")

    assert PUBLISHED.keys() - files_below(tmp_path / "out").keys() == left_out


def test_a_damaged_file_can_be_left_out(alice: Repository, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, **{"old.safetensors": b"garbage"})
    with pytest.raises(FormatError, match="old"):
        add(alice, folder, "m")

    assert add(alice, folder, "m", exclude=["old.*"]).is_new


def test_a_link_to_a_file_is_that_file(alice: Repository, tmp_path: Path) -> None:
    blob = written(tmp_path / "blobs" / "abc", safetensors({"w": f32(floats(1, 64))}))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "model.safetensors").symlink_to(blob)
    add(alice, tmp_path / "in", "m")

    export(alice, "m", tmp_path / "out")

    assert files_below(tmp_path / "out") == {"model.safetensors": blob.read_bytes()}
    assert not (tmp_path / "out" / "model.safetensors").is_symlink()
    assert set(parts_of(alice, "m").weights.tensors) == {"w"}


def to_nowhere(folder: Path) -> None:
    (folder / "odd").symlink_to("nowhere")


def to_a_folder(folder: Path) -> None:
    written(folder.parent / "elsewhere" / "vocab.txt", b"a")
    (folder / "odd").symlink_to(folder.parent / "elsewhere")


def to_itself(folder: Path) -> None:
    (folder / "odd").symlink_to("odd")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "odd")


@pytest.mark.parametrize("make", [to_nowhere, to_a_folder, to_itself, pipe])
def test_what_is_no_file_is_refused_unless_it_is_left_out(
    alice: Repository, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    folder = folder_of(tmp_path)
    make(folder)
    before = files_below(alice.folder)

    with pytest.raises(UsageError, match="odd"):
        add(alice, folder, "m")

    assert files_below(alice.folder) == before
    add(alice, folder, "m", exclude=["odd"])
    export(alice, "m", tmp_path / "out")
    assert files_below(tmp_path / "out") == PUBLISHED


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    code = "import sys, pathlib, mgit.checkpoint; mgit.checkpoint.scan(pathlib.Path(sys.argv[1]))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "pipe")],
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert b"UsageError" in ran.stderr


@pytest.mark.parametrize(
    ("first", "second"),
    [("readme.md", "README.md"), ("Sub/a", "sub/A"), ("straße", "STRASSE")],
)
def test_two_files_that_are_one_elsewhere_are_refused(
    alice: Repository, tmp_path: Path, first: str, second: str
) -> None:
    written(tmp_path / "in" / first, b"a")
    written(tmp_path / "in" / second, b"b")
    if len(files_below(tmp_path / "in")) < 2:
        pytest.skip("this file system holds only one of them")

    with pytest.raises(UsageError, match="one file on some systems"):
        add(alice, tmp_path / "in", "m")

    assert add(alice, tmp_path / "in", "m", exclude=[second]).is_new


@pytest.mark.parametrize(
    "path", ["con", "aux.txt", "a:b", "what?", "dot.", "space ", "turn\u202earound", "new\nline"]
)
def test_a_file_that_could_not_be_written_everywhere_is_refused(
    alice: Repository, tmp_path: Path, path: str
) -> None:
    written(tmp_path / "in" / path, b"a")
    written(tmp_path / "in" / "fine.txt", b"a")

    with pytest.raises(UsageError, match="cannot be the path"):
        add(alice, tmp_path / "in", "m")

    assert add(alice, tmp_path / "in", "m", exclude=[path]).is_new


def test_a_subfolder_that_may_not_be_read_is_not_left_out(shared_folder: Path) -> None:
    def step() -> list[str]:
        written(shared_folder / "in" / "config.json", b"{}")
        written(shared_folder / "in" / "sub" / "vocab.txt", b"a")
        (shared_folder / "in" / "sub").chmod(0)
        try:
            return sorted(scan(shared_folder / "in").files)
        finally:
            (shared_folder / "in" / "sub").chmod(0o700)

    assert without_privileges(step) == "MachineError"


def test_a_folder_without_files_and_a_path_without_anything_are_refused(
    alice: Repository, tmp_path: Path
) -> None:
    (tmp_path / "in" / "empty").mkdir(parents=True)

    with pytest.raises(UsageError, match="holds no file"):
        add(alice, tmp_path / "in", "m")
    with pytest.raises(NotFoundError, match="there is no"):
        add(alice, tmp_path / "nowhere", "m")


@pytest.mark.parametrize("there", ["a file", "a full folder", "a link to an empty folder"])
def test_export_touches_nothing_that_is_there(
    alice: Repository, tmp_path: Path, there: str
) -> None:
    add(alice, folder_of(tmp_path), "m")
    target, elsewhere = tmp_path / "to" / "out", tmp_path / "to" / "elsewhere"
    elsewhere.mkdir(parents=True)
    match there:
        case "a file":
            written(target, b"mine")
        case "a full folder":
            written(target / "mine.txt", b"mine")
        case _:
            target.symlink_to(elsewhere)
    before = files_below(tmp_path / "to")

    with pytest.raises(UsageError, match="there already"):
        export(alice, "m", target)

    assert files_below(tmp_path / "to") == before
    assert not list((tmp_path / "to").glob("*.part"))
    assert not list((tmp_path / "to").glob(".*.part"))


def test_export_fills_an_empty_folder_even_if_it_is_where_one_stands(
    alice: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(alice, folder_of(tmp_path), "m")
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")

    export(alice, "m", Path())

    assert files_below(tmp_path / "out") == PUBLISHED


def test_an_export_that_is_cut_off_leaves_nothing_behind(alice: Repository, tmp_path: Path) -> None:
    source = safetensors({"w": noise(1, 3 << 20)})
    add(alice, written(tmp_path / "m.safetensors", source), "m")

    def interrupt(done: int, _total: int) -> None:
        if done > 1 << 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(alice, "m", tmp_path / "to" / "out", progress=interrupt)

    assert list((tmp_path / "to").iterdir()) == []


def test_what_was_added_does_not_change_when_its_source_does(
    alice: Repository, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path)
    add(alice, folder, "m")
    shutil.rmtree(folder)

    export(alice, "m", tmp_path / "out")

    assert files_below(tmp_path / "out") == PUBLISHED


def test_a_checkpoint_that_lacks_a_shard_is_refused(alice: Repository, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in")
    (folder / WEIGHTS[1]).unlink()

    with pytest.raises(UsageError, match="not whole"):
        add(alice, folder, "m")
