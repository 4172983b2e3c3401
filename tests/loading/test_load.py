"""``mgit.load``: a model as arrays, tensors, files and a folder, read when they are asked for."""

from pathlib import Path

import numpy as np
import pytest
import torch

import mgit
from mgit import loading
from mgit.digest import Digest
from mgit.errors import AbsentError, DamagedError, NotFoundError, UsageError
from mgit.loading import Lazy
from mgit.objects import CHUNK, DTYPES, Ref, TensorEntry, Weights
from mgit.objects.dtypes import size_bytes
from mgit.repository import Repository
from tests.checkpoints import (
    Tensor,
    f32,
    files_below,
    floats,
    noise,
    parts_of,
    place_of,
    spoil,
)
from tests.family import Person
from tests.loading.models import again, bits, bits_of, cached, chunk_reads, keep, told

# base ──▶ legal: the embedding is shared, the weight is not
EMBEDDING = noise(1, 3000)
BASE = {"embedding": EMBEDDING, "weight": f32(floats(2, 64), 8, 8)}
LEGAL = {"embedding": EMBEDDING, "weight": f32(floats(3, 64, near=floats(2, 64)), 8, 8)}


@pytest.fixture
def family(alice: Repository) -> Repository:
    keep(alice, "base", BASE)
    return keep(alice, "legal", LEGAL, "base")


def test_every_type_is_loaded_bit_by_bit(alice: Repository) -> None:
    drawn = noise(7, 4096).data
    whole = [name for name, dtype in DTYPES.items() if dtype.bits >= 8]
    tensors = {
        f"{dtype}{list(shape)}": Tensor(dtype, shape, drawn[: size_bytes(DTYPES[dtype], shape)])
        for dtype in whole
        for shape in [(), (0, 3), (5,), (4, 3, 2)]
    }
    repository = keep(alice, "every", tensors)

    model = loading.load(repository, "every")

    assert bits(model) == bits_of(tensors)
    assert {
        n: bytes(t.reshape(-1).view(torch.uint8).numpy())
        for n, t in model.tensors().items()
        if t.numel()
    } == {n: t.data for n, t in tensors.items() if t.data}
    assert {n: tuple(t.shape) for n, t in model.tensors().items()} == {
        n: t.shape for n, t in tensors.items()
    }


def test_a_path_does_for_a_repository(family: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MGIT_CONFIG_HOME", str(family.home.config))

    model = mgit.load(family.folder.parent, "legal@v1")

    assert bits(model) == bits_of(LEGAL)


def test_a_model_says_which_node_it_is(family: Repository) -> None:
    model = mgit.load(family, "base")

    assert frozenset([model.node]) == family.history().names.resolve("base")


def test_a_tensor_is_the_same_object_every_time(family: Repository) -> None:
    model = loading.load(family, "base")

    model.tensors()["weight"].zero_()

    assert model.tensors()["weight"].abs().sum() == 0


def test_nobody_else_sees_what_is_written_into_a_tensor(family: Repository) -> None:
    mine, other = loading.load(family, "base"), loading.load(again(family), "base")
    untouched = other.tensors()["weight"]

    mine.tensors()["weight"].zero_()
    mine.arrays()["embedding"].fill(0)

    assert bits(other) == bits(loading.load(again(family), "base")) == bits_of(BASE)
    assert untouched.numpy().tobytes() == BASE["weight"].data


def test_a_model_can_be_trained_in_place(family: Repository) -> None:
    layer = torch.nn.Linear(8, 8, bias=False)
    model = loading.load(family, "base")
    layer.load_state_dict({"weight": model.tensors()["weight"]}, assign=True)

    layer(torch.ones(1, 8)).sum().backward()
    torch.optim.SGD(layer.parameters(), lr=1.0).step()

    assert model.tensors()["weight"].detach().numpy().tobytes() != BASE["weight"].data
    assert bits(loading.load(again(family), "base")) == bits_of(BASE)


def test_a_tensor_costs_its_own_chunks_and_no_others(alice: Repository) -> None:
    repository = keep(alice, "m", {"small": noise(1, 500), "large": noise(2, 2 << 20)})
    model = loading.load(repository, "m")
    reads = chunk_reads(repository)

    assert "large" in model.arrays()
    assert reads == []
    assert model.arrays()["small"].size == 500
    assert len(reads) == 1
    assert sum(reads) < 1000


def test_a_second_load_reads_no_chunk(family: Repository) -> None:
    bits(loading.load(family, "legal"))
    repository = again(family)
    model = loading.load(repository, "legal")
    reads = chunk_reads(repository)

    bits(model)

    assert reads == []


def test_equal_tensors_of_two_models_are_one_file(family: Repository) -> None:
    bits(loading.load(family, "base"))
    bits(loading.load(family, "legal"))

    assert len(cached(family)) == 3  # the embedding, and two weights


def test_equal_tensors_of_one_model_are_not_one_tensor(alice: Repository) -> None:
    repository = keep(alice, "m", {"a": EMBEDDING, "b": EMBEDDING})
    model = loading.load(repository, "m")

    model.tensors()["a"].zero_()

    assert model.tensors()["b"].numpy().tobytes() == EMBEDDING.data


def test_a_tied_tensor_is_the_tensor_it_is_tied_to() -> None:
    chunk = Digest.of(b"1")
    weights = Weights(
        {
            "in": TensorEntry("U8", (1,), (chunk,)),
            "out": TensorEntry("U8", (1,), (chunk,), alias="in"),
            "itself": TensorEntry("U8", (1,), (chunk,), alias="itself"),
            "other": TensorEntry("U8", (1,), (Digest.of(b"2"),), alias="in"),
            "nothing": TensorEntry("U8", (1,), (chunk,), alias="gone"),
        }
    )
    made = Lazy(weights, lambda entry: [entry.chunks])

    assert made["out"] is made["in"]
    assert all(made[name] is not made["in"] for name in ("itself", "other", "nothing"))
    assert made["other"] == [(Digest.of(b"2"),)]


def test_an_unknown_tensor_is_a_key_error(family: Repository) -> None:
    model = loading.load(family, "base")

    assert list(model.arrays()) == ["embedding", "weight"]
    assert "bias" not in model.arrays()
    with pytest.raises(KeyError, match="bias"):
        model.arrays()["bias"]


def test_a_file_is_given_byte_for_byte(family: Repository) -> None:
    model = loading.load(family, "base")

    assert model.file("config.json") == b'{"model_type": "tiny"}'
    with pytest.raises(NotFoundError, match=r"it has: config\.json") as caught:
        model.file("model.safetensors")
    assert ".folder()" in caught.value.hint


def test_a_folder_holds_the_files_that_were_added(family: Repository) -> None:
    with loading.load(family, "legal") as model:
        folder = model.folder()

        added = family.folder.parent.parent / "checkpoints" / "legal"
        assert files_below(folder) == files_below(added)
        assert loading.load(again(family), "legal").folder() == folder


def test_a_closed_model_gives_nothing_but_what_it_gave_stays(family: Repository) -> None:
    with loading.load(family, "base") as model:
        weight, arrays = model.tensors()["weight"], model.arrays()

    assert weight.numpy().tobytes() == BASE["weight"].data
    with pytest.raises(ValueError, match="closed"):
        arrays["embedding"]
    for gone in (model.tensors, model.arrays, model.folder, lambda: model.file("config.json")):
        with pytest.raises(ValueError, match="closed"):
            gone()
    model.close()


def test_weights_that_are_elsewhere_are_asked_for(tmp_path: Path) -> None:
    here = Person("alice", tmp_path).init()
    keep(here, "base", BASE)
    light = Person("bob", tmp_path).clone(str(tmp_path / "alice"), weights=False)

    with pytest.raises(AbsentError, match="weights of base are not here") as caught:
        loading.load(light, "base")

    assert caught.value.hint == "mgit backfill base"


def test_a_damaged_chunk_is_named_and_nothing_is_cached(family: Repository) -> None:
    chunk = parts_of(family, "base").weights.tensors["embedding"].chunks[0]
    spoil(family, place_of(family, Ref(CHUNK, chunk)))
    model = loading.load(again(family), "base")

    with pytest.raises(DamagedError, match=chunk.short):
        model.arrays()["embedding"]

    assert cached(family) == set()
    assert np.array_equal(
        model.arrays()["weight"].ravel(), np.frombuffer(BASE["weight"].data, "<f4")
    )


@pytest.mark.parametrize("limit", [-1, True, "64 GiB", 1.5])
def test_a_limit_that_is_no_number_of_bytes_is_refused(family: Repository, limit: object) -> None:
    family.write_settings({**family.settings(), "decoded-limit": limit})

    with pytest.raises(UsageError, match="decoded-limit is"):
        loading.load(family, "base")


def test_arrays_never_import_torch(family: Repository) -> None:
    script = """
model = loading.load(repository, "base")
sum(int(array.size) for array in model.arrays().values())
print("torch" in sys.modules)
"""

    assert told(script, family) == "False"
