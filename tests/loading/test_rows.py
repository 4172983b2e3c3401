"""Some rows of a tensor: the right ones, and no chunk is decoded that does not hold them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mgit import loading
from mgit.decoded import Decoded
from mgit.decoded.room import LIMIT_BYTES, Room
from mgit.decoded.seals import Seals
from mgit.digest import Digest
from mgit.errors import DamagedError, NotFoundError, UsageError
from mgit.loading import LoadedModel
from mgit.objects import CHUNK as CHUNK_KIND
from mgit.objects import DTYPES, Ref, TensorEntry
from mgit.objects.dtypes import cut
from mgit.repository import Repository
from tests.checkpoints import Tensor, f32, floats, noise, parts_of, place_of, spoil
from tests.loading.models import CHUNK, again, cached, chunk_reads, file_of, keep

# long: three chunks of 1,024 rows. wide: each of its two rows is cut into three chunks.
LONG = Tensor("U8", (3 * 1024, 1024), noise(1, 3 * CHUNK).data)
WIDE = Tensor("U8", (2, 3 * CHUNK), noise(2, 6 * CHUNK).data)
MODEL = {
    "long": LONG,
    "wide": WIDE,
    "half": Tensor("BF16", (8, 2, 2), noise(3, 64).data),
    "scale": f32(floats(4, 1), 1),
    "scalar": Tensor("F32", (), bytes(4)),
    "empty": Tensor("F32", (5, 0), b""),
    "packed": Tensor("F4", (2, 4), bytes(4)),
}


@pytest.fixture
def model(alice: Repository) -> LoadedModel:
    return loading.load(keep(alice, "m", MODEL), "m")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Decoded:
    root = tmp_path_factory.mktemp("cache")
    seals = Seals(root / "seals")
    return Decoded(root / "files", root / "locks", seals, Room(root / "files", seals, LIMIT_BYTES))


@given(st.data())
def test_a_part_is_what_a_slice_is_and_takes_the_chunks_it_touches(
    cache: Decoded, data: st.DataObject
) -> None:
    shape = data.draw(st.sampled_from([LONG.shape, WIDE.shape]))
    content = (LONG if shape == LONG.shape else WIDE).data
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    sizes = list(cut(DTYPES["U8"], tuple(shape)))
    ends = np.cumsum(sizes).tolist()
    pieces = [content[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    chunks = {Digest.of(piece): piece for piece in pieces}
    fetched = list[Digest]()

    def fetch(chunk: Digest) -> bytes:
        fetched.append(chunk)
        return chunks[chunk]

    found = cache.part(TensorEntry("U8", tuple(shape), tuple(chunks)), start, stop, fetch)

    places = range(start // CHUNK, -(-stop // CHUNK)) if start < stop else range(0)
    assert found.tobytes() == content[start:stop]
    assert sorted(fetched) == sorted(list(chunks)[place] for place in places)


def test_rows_of_one_chunk_take_one_chunk(alice: Repository, model: LoadedModel) -> None:
    repository = again(alice)
    model = loading.load(repository, "m")
    reads = chunk_reads(repository)

    rows = model.rows("long", 1030, 1032)

    assert rows.tobytes() == LONG.data[1030 << 10 : 1032 << 10]
    assert rows.shape == (2, 1024)
    assert len(reads) == 1
    assert cached(alice) == set()


@pytest.mark.parametrize(
    ("name", "start", "stop", "count"), [("long", 1023, 1025, 2), ("wide", 1, 2, 3)]
)
def test_rows_of_more_chunks_take_those(
    alice: Repository, name: str, start: int, stop: int, count: int
) -> None:
    keep(alice, "m", MODEL)
    repository = again(alice)
    model = loading.load(repository, "m")
    reads = chunk_reads(repository)

    rows = model.rows(name, start, stop)

    assert rows.tobytes() == MODEL[name].data[start * rows.shape[1] : stop * rows.shape[1]]
    assert len(reads) == count


def test_rows_of_a_tensor_in_the_cache_take_no_chunk(alice: Repository, model: LoadedModel) -> None:
    model.arrays()["long"]
    repository = again(alice)
    model = loading.load(repository, "m")
    reads = chunk_reads(repository)

    assert model.rows("long", 5, 7).tobytes() == LONG.data[5 << 10 : 7 << 10]
    assert reads == []


def test_rows_of_a_damaged_file_in_the_cache_are_decoded(
    alice: Repository, model: LoadedModel
) -> None:
    model.arrays()["long"]
    path = file_of(alice, "m", "long")
    path.unlink()
    path.write_bytes(bytes(3 * CHUNK))

    assert loading.load(again(alice), "m").rows("long", 0, 3).tobytes() == LONG.data[: 3 << 10]


def test_rows_are_given_to_torch_too(model: LoadedModel) -> None:
    rows = model.tensor_rows("half", 3, 5)

    assert rows.dtype == torch.bfloat16
    assert tuple(rows.shape) == (2, 2, 2)
    assert rows.view(torch.uint8).numpy().tobytes() == MODEL["half"].data[24:40]


@pytest.mark.parametrize("name", ["long", "half", "scale", "empty"])
def test_all_rows_are_the_tensor_and_no_rows_are_none(model: LoadedModel, name: str) -> None:
    whole = model.arrays()[name]

    assert model.rows(name, 0, whole.shape[0]).tobytes() == whole.tobytes()
    assert model.rows(name, 0, whole.shape[0]).shape == whole.shape
    assert model.rows(name, 1, 1).shape == (0, *whole.shape[1:])


@pytest.mark.parametrize("is_cached", [False, True])
def test_what_is_written_into_rows_stays_there(model: LoadedModel, is_cached: bool) -> None:  # noqa: FBT001
    if is_cached:
        model.arrays()["long"]
    model.rows("long", 0, 1)[:] = 7

    assert model.rows("long", 0, 1).tobytes() == LONG.data[:1024]
    assert model.arrays()["long"].tobytes() == LONG.data


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, 9), (9, 9)])
def test_rows_that_are_not_there_are_refused(model: LoadedModel, start: int, stop: int) -> None:
    with pytest.raises(UsageError, match=rf"no rows {start} to {stop}"):
        model.rows("half", start, stop)


def test_what_has_no_rows_is_refused(model: LoadedModel) -> None:
    with pytest.raises(UsageError, match="no rows"):
        model.rows("scalar", 0, 1)
    with pytest.raises(UsageError, match="numpy has no type"):
        model.rows("packed", 0, 1)
    with pytest.raises(NotFoundError, match="no tensor 'no'"):
        model.rows("no", 0, 1)
    model.close()
    with pytest.raises(ValueError, match="was closed"):
        model.rows("long", 0, 1)


def test_damage_elsewhere_in_the_tensor_is_not_met(alice: Repository, model: LoadedModel) -> None:
    last = parts_of(alice, "m").weights.tensors["long"].chunks[-1]
    spoil(alice, place_of(alice, Ref(CHUNK_KIND, last)))
    model = loading.load(again(alice), "m")

    assert model.rows("long", 0, 9).tobytes() == LONG.data[: 9 << 10]
    with pytest.raises(DamagedError):
        model.rows("long", 2048, 2049)
