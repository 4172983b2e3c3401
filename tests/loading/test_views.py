"""Raw bytes as arrays and tensors: every bit pattern of every type, in both directions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load as load_with_safetensors

from mgit import tensors
from mgit.decoded import Decoded
from mgit.decoded.room import LIMIT_BYTES, Room
from mgit.decoded.seals import Seals
from mgit.digest import Digest
from mgit.errors import UsageError
from mgit.objects import DTYPES, TensorEntry
from mgit.objects.dtypes import cut, size_bytes
from tests.checkpoints import Tensor, safetensors

WHOLE = [name for name, dtype in DTYPES.items() if dtype.bits >= 8]
IN_BOTH = [name for name in WHOLE if name != "F8_E8M0"]  # safetensors 0.8 cannot give it to torch
PACKED = [name for name, dtype in DTYPES.items() if dtype.bits < 8]
SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)


@st.composite
def stored(draw: st.DrawFn, dtypes: Sequence[str] = WHOLE) -> Tensor:
    """Any bits as any type of any small shape: 0-d and empty ones too."""
    dtype, shape = draw(st.sampled_from(dtypes)), draw(SHAPES)
    size = size_bytes(DTYPES[dtype], shape)
    return Tensor(dtype, shape, draw(st.binary(min_size=size, max_size=size)))


def raw_of(tensor: Tensor) -> tensors.Raw:
    return np.frombuffer(bytearray(tensor.data), np.uint8)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Decoded:
    root = tmp_path_factory.mktemp("cache")
    seals = Seals(root / "seals")
    return Decoded(root / "files", root / "locks", seals, Room(root / "files", seals, LIMIT_BYTES))


@given(stored())
def test_an_array_has_the_type_the_shape_and_the_very_bits(tensor: Tensor) -> None:
    array = tensors.as_array(raw_of(tensor), tensor.dtype, tuple(tensor.shape))

    assert array.shape == tensor.shape
    assert array.dtype.itemsize * 8 == DTYPES[tensor.dtype].bits
    assert array.tobytes() == tensor.data


@given(stored())
def test_bits_go_to_torch_and_back_unchanged(tensor: Tensor) -> None:
    there = tensors.as_tensor(raw_of(tensor), tensor.dtype, tuple(tensor.shape))

    dtype, shape, raw = tensors.from_tensor(there)

    assert (dtype, shape, bytes(raw)) == (tensor.dtype, tensor.shape, tensor.data)


@given(stored(IN_BOTH))
def test_torch_sees_what_safetensors_shows_it(tensor: Tensor) -> None:
    expected = load_with_safetensors(safetensors({"t": tensor}))["t"]

    found = tensors.as_tensor(raw_of(tensor), tensor.dtype, tuple(tensor.shape))

    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert tensors.from_tensor(found) == tensors.from_tensor(expected)


@given(tensor=stored())
def test_the_cache_gives_the_very_bits_made_and_found(cache: Decoded, tensor: Tensor) -> None:
    sizes = list(cut(DTYPES[tensor.dtype], tuple(tensor.shape)))
    parts = [tensor.data[sum(sizes[:i]) :][:size] for i, size in enumerate(sizes)]
    chunks = {Digest.of(part): part for part in parts}
    entry = TensorEntry(tensor.dtype, tuple(tensor.shape), tuple(Digest.of(p) for p in parts))

    made = cache.tensor(entry, chunks.__getitem__)
    found = cache.tensor(entry, dict[Digest, bytes]().__getitem__)

    assert made.tobytes() == found.tobytes() == tensor.data


def test_a_view_of_a_larger_tensor_gives_its_own_elements_only() -> None:
    table = torch.arange(12, dtype=torch.float32).reshape(3, 4)

    transposed = tensors.from_tensor(table.T)
    column = tensors.from_tensor(table[:, 1])

    assert (transposed[1], bytes(transposed[2])) == ((4, 3), table.numpy().T.tobytes())
    assert (column[1], bytes(column[2])) == ((3,), np.array([1, 5, 9], "<f4").tobytes())


def test_a_parameter_and_a_conjugate_are_stored_as_their_values() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    conjugate = torch.tensor([1 + 2j], dtype=torch.complex64).conj()

    assert bytes(tensors.from_tensor(parameter)[2]) == np.ones(2, "<f4").tobytes()
    assert bytes(tensors.from_tensor(conjugate)[2]) == np.array([1 - 2j], "<c8").tobytes()


@pytest.mark.parametrize(
    "tensor",
    [torch.ones(2, dtype=torch.complex128), torch.eye(2).to_sparse()],
    ids=["no type of ours", "sparse"],
)
def test_a_tensor_that_no_checkpoint_holds_is_refused(tensor: torch.Tensor) -> None:
    with pytest.raises(UsageError, match="cannot be stored"):
        tensors.from_tensor(tensor)


@pytest.mark.parametrize("dtype", PACKED)
def test_types_below_a_byte_are_refused_not_guessed(dtype: str) -> None:
    raw = np.zeros(DTYPES[dtype].bits, np.uint8)

    with pytest.raises(UsageError, match=f"numpy has no type for {dtype}"):
        tensors.as_array(raw, dtype, (8,))
    with pytest.raises(UsageError, match=f"no type for {dtype}"):
        tensors.as_tensor(raw, dtype, (8,))


def test_what_is_written_into_a_mapping_never_reaches_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with (tmp_path / "file").open("rb") as file:
        mapping = tensors.mapped(file.fileno(), 4)

    mapping[:] = 0

    assert mapping.tobytes() == bytes(4)
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_mapping_that_the_system_refuses_is_an_error(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file, pytest.raises(PermissionError):
        tensors.mapped(file.fileno(), 4)  # not opened for reading
