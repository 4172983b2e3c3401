"""What adding writes: nodes and edges, and no byte twice.

    base@v1 --- base@v2          version edges
      \\
       child (role base)         provenance edges
"""

import random
from pathlib import Path

import pytest

from mgit.adding import Description, add, export
from mgit.digest import Digest
from mgit.errors import MgitError, NotFoundError, UsageError
from mgit.objects import CHUNK, Edge, EdgeKind, PackKind, Ref
from mgit.provenance import Provenance
from mgit.repository import Repository, read_parts
from mgit.store import Row
from mgit.store.catalog import WRITE_COST, WRITE_DEPTH
from tests.checkpoints import (
    Tensor,
    f32,
    files_below,
    floats,
    noise,
    parts_of,
    repository_of,
    safetensors,
    spoil,
    written,
)

LAYERS = {name: floats(seed, 256) for seed, name in enumerate(("embed", "first", "second", "head"))}


def saved(folder: Path, tensors: dict[str, Tensor], *, title: str = "") -> Path:
    return written(folder / f"in{title}" / "model.safetensors", safetensors(tensors))


def model(**moved: tuple[float, ...]) -> dict[str, Tensor]:
    return {name: f32(values, 16, 16) for name, values in {**LAYERS, **moved}.items()}


def edges(repository: Repository, node: Digest) -> set[Edge]:
    return set(repository.history().nodes[node].edges)


def rows_of(repository: Repository, name: str) -> dict[str, Row]:
    """The only row of each tensor of one chunk."""
    repository.store.refresh()
    found = {}
    for tensor, entry in parts_of(repository, name).weights.tensors.items():
        (chunk,) = entry.chunks
        (place,) = repository.store.catalog.places(Ref(CHUNK, chunk))
        found[tensor] = place.row
    return found


def count_of_chunks(repository: Repository) -> int:
    repository.store.refresh()
    return sum(1 for _ in repository.store.catalog.of_kind(CHUNK))


def test_the_first_version_stands_alone(alice: Repository, tmp_path: Path) -> None:
    added = add(alice, saved(tmp_path, model()), "base")

    assert added.is_new
    assert not added.is_aside
    assert edges(alice, added.node) == set()
    assert alice.history().names.resolve("base") == {added.node}
    assert alice.history().nodes[added.node].operation == "import"


def test_the_next_version_replaces_the_one_before(alice: Repository, tmp_path: Path) -> None:
    first = add(alice, saved(tmp_path, model()), "base")
    second = add(alice, saved(tmp_path, model(head=floats(9, 256))), "base")

    assert edges(alice, second.node) == {Edge(EdgeKind.VERSION, first.node)}
    assert alice.history().names.resolve("base") == {second.node}


def test_parents_are_edges_with_the_role_they_were_used_as(
    alice: Repository, tmp_path: Path
) -> None:
    base = add(alice, saved(tmp_path, model()), "base")
    teacher = add(alice, saved(tmp_path, model(head=floats(8, 256))), "teacher")
    told = Description(parents=["base", "teacher=distilled-from"])

    child = add(alice, saved(tmp_path, model(head=floats(9, 256))), "child", description=told)

    assert edges(alice, child.node) == {
        Edge(EdgeKind.PROVENANCE, base.node, "base"),
        Edge(EdgeKind.PROVENANCE, teacher.node, "distilled-from"),
    }
    assert alice.history().nodes[child.node].operation == "derive"


@pytest.mark.parametrize(
    ("parent", "error"),
    [("nobody", NotFoundError), ("base=Not A Role", UsageError), ("base=", UsageError)],
)
def test_a_parent_that_is_not_here_or_has_no_sound_role_is_refused(
    alice: Repository, tmp_path: Path, parent: str, error: type[MgitError]
) -> None:
    add(alice, saved(tmp_path, model()), "base")
    before = files_below(alice.folder / "packs")

    with pytest.raises(error):
        add(alice, saved(tmp_path, model()), "child", description=Description(parents=[parent]))

    assert files_below(alice.folder / "packs") == before


def test_the_same_bytes_again_are_no_new_version(alice: Repository, tmp_path: Path) -> None:
    source = saved(tmp_path, model())
    first = add(alice, source, "base")
    before = files_below(alice.folder / "packs")

    second = add(alice, source, "base")

    assert (second.node, second.is_new, second.stored_bytes) == (first.node, False, 0)
    assert files_below(alice.folder / "packs") == before


def test_the_same_bytes_again_get_the_tags_that_are_new(alice: Repository, tmp_path: Path) -> None:
    source = saved(tmp_path, model())
    first = add(alice, source, "base", description=Description(tags=["legal"]))

    again = add(alice, source, "base", description=Description(tags=["legal", "small"]))

    assert not again.is_new
    tags = Provenance(alice.history()).tags(first.node)
    assert {tag: len(claims) for tag, claims in tags.items()} == {"legal": 1, "small": 1}


def test_the_same_bytes_under_another_name_cost_no_chunk(alice: Repository, tmp_path: Path) -> None:
    source = saved(tmp_path, model())
    add(alice, source, "base")
    before = count_of_chunks(alice)

    added = add(alice, source, "copy")

    assert count_of_chunks(alice) == before
    assert added.stored_bytes == 0


def test_frozen_tensors_are_stored_once(alice: Repository, tmp_path: Path) -> None:
    add(alice, saved(tmp_path, model()), "base")
    before = count_of_chunks(alice)

    add(alice, saved(tmp_path, model(head=floats(9, 256))), "child")

    assert count_of_chunks(alice) == before + 1
    ours, theirs = rows_of(alice, "child"), rows_of(alice, "base")
    assert {name for name in LAYERS if ours[name] == theirs[name]} == {"embed", "first", "second"}


def test_tied_tensors_are_stored_once(alice: Repository, tmp_path: Path) -> None:
    tied = f32(floats(1, 256))
    add(alice, saved(tmp_path, {"embed": tied, "head": tied}), "tied")

    assert count_of_chunks(alice) == 1


def test_a_nudged_child_is_stored_as_differences_from_its_parent(
    alice: Repository, tmp_path: Path
) -> None:
    add(alice, saved(tmp_path, model()), "base")
    base = rows_of(alice, "base")
    moved = {name: floats(7, 0, near=values) for name, values in LAYERS.items()}

    add(alice, saved(tmp_path, model(**moved)), "child", description=Description(parents=["base"]))

    for name, row in rows_of(alice, "child").items():
        assert row.bases == (base[name].ref.digest,)
        assert row.stored_bytes < 0.75 * row.raw_bytes


@pytest.mark.parametrize("parents", [["base"], []])
def test_an_unrelated_model_is_not_stored_as_differences(
    alice: Repository, tmp_path: Path, parents: list[str]
) -> None:
    add(alice, saved(tmp_path, {"w": noise(1, 4096)}), "base")

    told = Description(parents=parents)
    add(alice, saved(tmp_path, {"w": noise(2, 4096)}), "other", description=told)

    assert rows_of(alice, "other")["w"].bases == ()


def test_a_tensor_of_another_type_or_size_is_no_base(alice: Repository, tmp_path: Path) -> None:
    add(alice, saved(tmp_path, model()), "base")
    values = LAYERS["embed"]
    as_words = f32(values)
    others = {
        "embed": Tensor("I32", as_words.shape, as_words.data[:-1] + b"x"),
        "first": f32(LAYERS["first"][:200]),
    }

    add(alice, saved(tmp_path, others), "child", description=Description(parents=["base"]))

    assert all(row.bases == () for row in rows_of(alice, "child").values())


def test_a_base_in_a_coding_of_tomorrow_is_no_base(alice: Repository, tmp_path: Path) -> None:
    tensor = f32(floats(1, 256))
    with alice.store.writer(PackKind.CHUNKS) as writer:
        ref = Ref(CHUNK, Digest.of(tensor.data))
        writer.add(ref, b"future", raw_bytes=len(tensor.data), codec=77)
        alice.store.install(writer.finish())
    add(alice, saved(tmp_path, {"w": tensor}), "m")

    add(alice, saved(tmp_path, {"w": f32(floats(2, 0, near=floats(1, 256)))}), "m")

    assert rows_of(alice, "m")["w"].bases == ()


def test_a_damaged_base_is_no_base(alice: Repository, tmp_path: Path) -> None:
    add(alice, saved(tmp_path, model()), "m")
    for place in list(alice.store.catalog.of_kind(CHUNK)):
        spoil(alice, place)
    child = saved(tmp_path, model(head=floats(9, 0, near=LAYERS["head"])))

    add(alice, child, "m")

    export(alice, "m", tmp_path / "out")
    assert files_below(tmp_path / "out") == files_below(child.parent)


def test_rows_that_are_appended_share_the_full_chunks_before_them(
    alice: Repository, tmp_path: Path
) -> None:
    rows = noise(1, 2 << 20).data
    add(alice, saved(tmp_path, {"vocabulary": Tensor("U8", (2 << 10, 1 << 10), rows)}), "m")
    grown = Tensor("U8", ((2 << 10) + 3, 1 << 10), rows + bytes(3 << 10))

    added = add(alice, saved(tmp_path, {"vocabulary": grown}), "m")

    (parent,) = alice.history().nodes[added.node].parents()
    before = read_parts(alice, alice.history().nodes[parent]).weights.tensors["vocabulary"]
    after = parts_of(alice, "m").weights.tensors["vocabulary"]
    assert after.chunks[:2] == before.chunks
    assert len(after.chunks) == 3
    assert count_of_chunks(alice) == 3


def test_twelve_versions_stay_shallow_and_cheap_and_exact(
    alice: Repository, tmp_path: Path
) -> None:
    values, sources = LAYERS["embed"], []
    deepest = 0
    for step in range(12):
        sources.append(saved(tmp_path, {"w": f32(values)}, title=str(step)).parent)
        add(alice, sources[-1], "m")
        cost = alice.store.catalog.cost(rows_of(alice, "m")["w"].ref.digest)
        assert cost is not None
        assert cost.depth <= WRITE_DEPTH == 8
        assert cost.raw_bytes <= WRITE_COST * 1024 == 6 * 1024
        deepest = max(deepest, cost.depth)
        values = floats(step, 0, near=values)

    assert deepest >= 4  # differences of differences are made at all
    for step, source in enumerate(sources):
        target = tmp_path / "out" / str(step)
        export(alice, f"m@v{step + 1}", target)
        assert files_below(target) == files_below(source)


def test_progress_reaches_the_size_of_the_checkpoint(alice: Repository, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    source = saved(tmp_path, {"w": noise(1, 3 << 20), "b": noise(2, 10)})

    added = add(alice, source, "m", progress=lambda *told: heard.append(told))

    done = [step for step, _ in heard]
    assert done == sorted(done)
    assert {total for _, total in heard} == {added.raw_bytes} == {source.stat().st_size}
    assert done[-1] == added.raw_bytes


def test_a_key_without_a_role_adds_aside(alice: Repository, tmp_path: Path) -> None:
    shared = add(alice, saved(tmp_path, model()), "base")
    mallory = repository_of("mallory", tmp_path)
    theirs = Repository.at(alice.folder, mallory.home)

    added = add(theirs, saved(tmp_path, model(head=floats(9, 256))), "base")

    assert added.is_aside
    assert theirs.history().names.resolve("base") == {shared.node}
    assert mallory.identity().key.public in theirs.history().names.aside()


def test_any_bytes_with_any_history_come_out_as_they_went_in(
    alice: Repository, tmp_path: Path
) -> None:
    drawn = random.Random(5)  # noqa: S311
    sources: dict[str, Path] = {}
    for step in range(15):
        name = drawn.choice(["a", "b", "c"])
        known = sorted({version.partition("@")[0] for version in sources})
        told = Description(parents=drawn.sample(known, min(len(known), drawn.randrange(3))))
        moved = {
            layer: floats(step, 0, near=values)
            for layer, values in LAYERS.items()
            if drawn.random() < 0.5
        }
        source = saved(tmp_path, model(**{**moved, "head": floats(step, 256)}), title=str(step))
        node = add(alice, source, name, description=told).node
        sources[f"{name}@{node.hex()}"] = source.parent

    for version, source in sources.items():
        target = tmp_path / "out" / version
        export(alice, version.partition("@")[2], target)
        assert files_below(target) == files_below(source)
