"""Adding the same checkpoint again heals whatever of it is damaged.

node -> manifest -> content -> weights -> chunks
                 -> layout
"""

from pathlib import Path

import pytest

from mgit import repair
from mgit.adding import Description, add, export
from mgit.errors import DamagedError, MgitError
from mgit.objects import CHUNK, PackKind, Ref
from mgit.repository import Repository
from tests.checkpoints import (
    f32,
    files_below,
    floats,
    parts_of,
    safetensors,
    spoil,
    written,
)

NEAR = floats(1, 256)


def folder_of(root: Path, title: str, values: tuple[float, ...]) -> Path:
    tensors = {"w": f32(values, 16, 16), "b": f32(values[:20])}
    written(root / title / "model.safetensors", safetensors(tensors))
    written(root / title / "README.md", b"# A model that is told of at length\n" * 9)
    return written(root / title / "config.json", b'{"model_type": "tiny"}').parent


@pytest.fixture
def sources(alice: Repository, tmp_path: Path) -> dict[str, Path]:
    """``base`` in two versions, and a ``child`` of it that rests on both."""
    made = {
        "base@v1": folder_of(tmp_path, "1", NEAR),
        "base": folder_of(tmp_path, "2", floats(2, 0, near=NEAR)),
        "child": folder_of(tmp_path, "3", floats(3, 0, near=NEAR)),
    }
    add(alice, made["base@v1"], "base")
    add(alice, made["base"], "base")
    add(alice, made["child"], "child", description=Description(parents=["base"]))
    return made


def comes_out(repository: Repository, name: str, source: Path, target: Path) -> bool:
    export(repository, name, target)
    return files_below(target) == files_below(source)


def test_every_chunk_heals(alice: Repository, sources: dict[str, Path], tmp_path: Path) -> None:
    chunks = sorted(set(parts_of(alice, "child").chunks()))
    for number, chunk in enumerate(chunks):
        (place,) = alice.store.catalog.places(Ref(CHUNK, chunk))
        spoil(alice, place)
        fresh = Repository.at(alice.folder, alice.home)
        with pytest.raises(DamagedError):
            export(fresh, "child", tmp_path / "refused")

        added = add(fresh, sources["child"], "child")

        assert not added.is_new
        assert comes_out(fresh, "child", sources["child"], tmp_path / f"out{number}")
        alice.store.refresh()
    assert not (tmp_path / "refused").exists()


def test_damage_that_nobody_has_met_yet_heals_too(
    alice: Repository, sources: dict[str, Path], tmp_path: Path
) -> None:
    for chunk in sorted(set(parts_of(alice, "child").chunks())):
        spoil(alice, alice.store.catalog.places(Ref(CHUNK, chunk))[0])
    fresh = Repository.at(alice.folder, alice.home)

    add(fresh, sources["child"], "child")

    assert comes_out(fresh, "child", sources["child"], tmp_path / "out")


@pytest.mark.parametrize("kind", ["weights", "content", "layout", "manifest", "node"])
def test_every_kind_of_description_heals(
    alice: Repository, sources: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    node = next(iter(alice.history().names.resolve("child")))
    manifest = alice.history().nodes[node].manifest
    parts = parts_of(alice, "child")
    digest = {
        "weights": parts.content.weights,
        "content": parts.manifest.content,
        "layout": parts.manifest.layout,
        "manifest": manifest,
        "node": node,
    }[kind]
    (place,) = alice.store.catalog.places(Ref(kind, digest))
    spoil(alice, place)
    fresh = Repository.at(alice.folder, alice.home)
    with pytest.raises(MgitError):
        export(fresh, "child", tmp_path / "refused")

    told = Description(parents=["base"])
    added = add(fresh, sources["child"], "child", description=told)

    assert (added.node, added.is_new) == (node, False)
    assert comes_out(fresh, "child", sources["child"], tmp_path / "out")
    assert comes_out(fresh, "base", sources["base"], tmp_path / "base")
    assert fresh.history().names.resolve("child") == {node}
    assert all(damage.has_good_copy for damage in repair.check(fresh).damage)


def test_a_damaged_node_of_a_second_version_heals_as_the_same_node(
    alice: Repository, sources: dict[str, Path], tmp_path: Path
) -> None:
    (node,) = alice.history().names.resolve("base")
    spoil(alice, alice.store.catalog.places(Ref("node", node))[0])
    fresh = Repository.at(alice.folder, alice.home)

    assert add(fresh, sources["base"], "base").node == node

    assert comes_out(fresh, "base@v1", sources["base@v1"], tmp_path / "out1")
    assert comes_out(fresh, "base", sources["base"], tmp_path / "out2")


def test_another_checkpoint_is_not_put_over_a_damaged_node(
    alice: Repository, sources: dict[str, Path], tmp_path: Path
) -> None:
    (node,) = alice.history().names.resolve("child")
    spoil(alice, alice.store.catalog.places(Ref("node", node))[0])
    fresh = Repository.at(alice.folder, alice.home)
    packs = files_below(alice.store.packs_folder)

    with pytest.raises(DamagedError, match="'child'"):
        add(fresh, folder_of(tmp_path, "other", floats(9, 256)), "child")

    assert files_below(alice.store.packs_folder) == packs
    assert sources.keys() == {"base@v1", "base", "child"}


def test_a_pack_that_is_gone_heals(
    alice: Repository, sources: dict[str, Path], tmp_path: Path
) -> None:
    for index in alice.store.catalog.packs.values():
        if index.kind is PackKind.CHUNKS:
            alice.store.path_of(index.pack).unlink()
    fresh = Repository.at(alice.folder, alice.home)

    for name in ("base", "child"):
        add(fresh, sources[name], name)

        assert comes_out(fresh, name, sources[name], tmp_path / "out" / name)
    with pytest.raises(DamagedError):
        export(fresh, "base@v1", tmp_path / "refused")


def test_a_damaged_genesis_is_told_as_damage(alice: Repository, tmp_path: Path) -> None:
    for place in list(alice.store.catalog.of_kind("payload")):
        spoil(alice, place)

    with pytest.raises(MgitError, match="damaged"):
        add(Repository.at(alice.folder, alice.home), folder_of(tmp_path, "1", NEAR), "m")
