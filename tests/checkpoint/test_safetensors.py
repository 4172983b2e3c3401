"""Safetensors files: what goes in comes out byte for byte, and what is damaged does not go in.

 length   header (JSON, padded)            bodies, end to end
+--------+--------------------------------+-----------+-----+
| 8 byte | {"a": {dtype, shape, 0-8}, …}  | a a a a a | b b |
+--------+--------------------------------+-----------+-----+
"""

import json
import shutil
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
import safetensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from mgit.adding import add, export
from mgit.errors import FormatError
from mgit.objects import DTYPES, Content, digest_of
from mgit.repository import FOLDER, Repository
from tests.checkpoints import (
    Tensor,
    f32,
    files_below,
    floats,
    noise,
    parts_of,
    repository_of,
    with_header,
    written,
)
from tests.checkpoints import safetensors as file_of

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(
    lambda name: name != "__metadata__"
)


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    dtype = draw(st.sampled_from(sorted(DTYPES)))
    bits = DTYPES[dtype].bits
    shape = tuple(draw(st.lists(st.integers(0, 5), max_size=4)))
    if bits % 8:
        shape = (*shape, 4)  # so that the last byte is filled
    size = int(np.prod(shape, dtype=int)) * bits // 8
    return Tensor(dtype, shape, draw(st.binary(min_size=size, max_size=size)))


@st.composite
def sound_files(draw: st.DrawFn) -> bytes:
    held = draw(st.dictionaries(NAMES, tensors(), max_size=5))
    texts = st.dictionaries(NAMES, st.text(st.characters(exclude_categories=["Cs"])), max_size=2)
    return file_of(
        held,
        metadata=draw(st.none() | texts),
        listed=draw(st.permutations(sorted(held))),
        padding=draw(st.integers(0, 40)),
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return repository_of("alice", tmp_path_factory.mktemp("house"))


def round_trip(repository: Repository, folder: Path, content: bytes) -> bytes:
    source, target = folder / "in" / "m.safetensors", folder / "out"
    written(source, content)
    add(repository, source, "m")
    export(repository, "m", target)
    return (target / "m.safetensors").read_bytes()


@given(content=sound_files())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_comes_out_byte_for_byte_and_reads_elsewhere(
    house: Repository, tmp_path: Path, content: bytes
) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as name:
        shutil.copytree(house.folder, Path(name) / FOLDER)
        exported = round_trip(Repository.open(Path(name), house.home), Path(name), content)

    assert exported == content
    safetensors.deserialize(exported)  # type: ignore[no-untyped-call]


def test_what_the_safetensors_package_wrote_it_reads_again(
    alice: Repository, tmp_path: Path
) -> None:
    arrays = {
        "half": np.arange(12, dtype=np.float16).reshape(3, 4),
        "double": np.array([np.nan, -0.0, np.inf, 5e-324]),
        "none": np.zeros((0, 3), np.float32),
        "one": np.array(7, np.int64),
        "flags": np.array([True, False]),
        "pair": np.array([1 + 2j, -3j], np.complex64),
    }
    save_file(arrays, tmp_path / "m.safetensors", metadata={"format": "np"})
    add(alice, tmp_path / "m.safetensors", "m")

    export(alice, "m", tmp_path / "out")

    found = load_file(tmp_path / "out" / "m.safetensors")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_every_type_is_kept_as_a_tensor_of_that_type(
    alice: Repository, tmp_path: Path, dtype: str
) -> None:
    count = 512
    body = noise(1, count * DTYPES[dtype].bits // 8).data
    content = file_of({"w": Tensor(dtype, (2, count // 2), body)})

    assert round_trip(alice, tmp_path, content) == content

    assert parts_of(alice, "m").weights.tensors["w"].dtype == dtype


@pytest.mark.parametrize(
    ("dtype", "bits"),
    [
        ("F32", "7fc00000 7f800001 ffc0ffee 80000000 00000001 7f800000"),
        ("F16", "7e01 7c01 fe00 8000 0001 fc00"),
        ("BF16", "7fc1 7f81 ffc0 8000 0001 ff80"),
        ("F8_E4M3", "7f ff 80 01"),
        ("F64", "7ff8000000000001 7ff0000000000001 8000000000000000 0000000000000001"),
        ("BOOL", "00 01 02 ff"),
    ],
)
def test_no_bit_pattern_is_tidied_up(
    alice: Repository, tmp_path: Path, dtype: str, bits: str
) -> None:
    row = b"".join(bytes.fromhex(word)[::-1] for word in bits.split())
    plain = noise(3, len(row) * 40).data
    odd = plain[: len(row)] + row * 39
    shape = (len(odd) * 8 // DTYPES[dtype].bits,)
    add(
        alice, written(tmp_path / "m.safetensors", file_of({"w": Tensor(dtype, shape, plain)})), "m"
    )

    content = file_of({"w": Tensor(dtype, shape, odd)})

    assert round_trip(alice, tmp_path, content) == content


def test_a_tensor_of_several_chunks_comes_out_whole(alice: Repository, tmp_path: Path) -> None:
    content = file_of({"wide": noise(1, (2 << 20) + 5), "more": f32(floats(1, 300))})

    assert round_trip(alice, tmp_path, content) == content

    assert len(parts_of(alice, "m").weights.tensors["wide"].chunks) == 3


@pytest.mark.parametrize("size", [640, 896, 1152, 1408, 66176])
def test_a_header_whose_length_looks_like_a_pickle_is_still_a_header(
    alice: Repository, tmp_path: Path, size: int
) -> None:
    tensor = {"w": Tensor("F32", (1,), b"abc.")}  # ends as pickles end, too
    taken = len(file_of(tensor)) - 8 - 4
    content = file_of(tensor, padding=size - taken)
    assert content[:1] == b"\x80"

    assert round_trip(alice, tmp_path, content) == content


def described(**changed: object) -> bytes:
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changed}
    header = {"weird": {key: value for key, value in entry.items() if value is not None}}
    return with_header(json.dumps(header).encode(), bytes(8))


DAMAGED = {
    "nothing": (b"", ""),
    "seven bytes": (b"1234567", ""),
    "a length beyond the end": (struct.pack("<Q", 100) + b"{}", "header of 100"),
    "a length of 2^64 - 1": (b"\xff" * 8 + b"{}", "header of"),
    "no JSON": (with_header(b"{not json", b""), "not JSON"),
    "no UTF-8": (with_header(b'{"\xff": 1}', b""), "not JSON"),
    "a list": (with_header(b"[]", b""), "not a JSON object"),
    "a number": (with_header(b"7", b""), "not a JSON object"),
    "nested too deeply": (with_header(b"[" * 200_000, b""), "not JSON"),
    "no dtype": (described(dtype=None), "'weird'"),
    "a dtype that is no text": (described(dtype=5), "'weird'"),
    "no shape": (described(shape=None), "'weird'"),
    "a negative dimension": (described(shape=[-2]), "'weird'"),
    "a fractional dimension": (described(shape=[2.0]), "'weird'"),
    "a true dimension": (described(shape=[True, 2]), "'weird'"),
    "no offsets": (described(data_offsets=None), "'weird'"),
    "three offsets": (described(data_offsets=[0, 4, 8]), "'weird'"),
    "offsets beyond the end": (described(data_offsets=[0, 80]), "'weird'"),
    "offsets before the start": (described(data_offsets=[-8, 0]), "'weird'"),
    "offsets the wrong way round": (described(data_offsets=[8, 0]), "'weird'"),
    "a shape that is too large": (described(shape=[3]), "'weird'"),
    "a shape that is too small": (described(shape=[1]), "'weird'"),
    "2^60 elements": (described(shape=[1 << 30, 1 << 30]), "'weird'"),
    "half a byte": (described(dtype="F4", shape=[17]), "'weird'"),
    "a value that is no object": (with_header(b'{"weird": 1}', b""), "'weird'"),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_file_is_refused_by_name_and_changes_nothing(
    alice: Repository, tmp_path: Path, how: str
) -> None:
    content, named = DAMAGED[how]
    source = written(tmp_path / "in" / "broken.safetensors", content)
    before = files_below(alice.folder)

    with pytest.raises(FormatError) as refused:
        add(alice, source.parent, "m")

    assert "broken.safetensors" in str(refused.value)
    assert named in str(refused.value)
    assert refused.value.hint
    assert files_below(alice.folder) == before


def test_a_file_that_was_cut_off_anywhere_is_never_taken_for_tensors(
    alice: Repository, tmp_path: Path
) -> None:
    content = file_of({"a": f32(floats(1, 8)), "b": f32(floats(2, 4), 2, 2)})

    for length in range(len(content)):
        source = written(tmp_path / "m.safetensors", content[:length])
        with pytest.raises(FormatError):
            add(alice, source, "m")

    assert not alice.history().names.names()


SURROGATE = b'{"\\ud800": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
TWICE = b'{"w": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}, "w": {"dtype": "U8"}}'
OPAQUE = {
    "a hole between tensors": with_header(
        b'{"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},'
        b' "b": {"dtype": "U8", "shape": [1], "data_offsets": [2, 3]}}',
        b"abc",
    ),
    "a hole before the first": with_header(
        b'{"a": {"dtype": "U8", "shape": [2], "data_offsets": [1, 3]}}', b"abc"
    ),
    "bytes behind the last": file_of({"a": f32((1.0,))}) + b"more",
    "tensors that overlap": with_header(
        b'{"a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]},'
        b' "b": {"dtype": "U8", "shape": [2], "data_offsets": [1, 3]}}',
        b"abc",
    ),
    "one name twice": with_header(TWICE, b"abcd"),
    "a type of tomorrow": file_of({"w": Tensor("F2_NEW", (16,), b"abcd")}),
    "65 dimensions": file_of({"w": Tensor("F32", [1] * 65, b"abcd")}),
    "an endless empty shape": file_of({"w": Tensor("F32", (1 << 70, 0), b"")}),
    "half a character as a name": with_header(SURROGATE, b"abcd"),
    "bytes and no tensor": with_header(b"{}", b"abcd"),
}


@pytest.mark.parametrize("how", OPAQUE)
def test_a_sound_file_that_is_no_plain_sequence_of_tensors_is_kept_whole(
    alice: Repository, tmp_path: Path, how: str
) -> None:
    assert round_trip(alice, tmp_path, OPAQUE[how]) == OPAQUE[how]

    parts = parts_of(alice, "m")
    assert not parts.weights.tensors
    assert set(parts.content.files) == {"m.safetensors"}


def test_a_file_without_tensors_is_a_checkpoint(alice: Repository, tmp_path: Path) -> None:
    content = file_of({}, metadata={"format": "pt"})

    assert round_trip(alice, tmp_path, content) == content


def test_the_same_tensors_are_the_same_content_however_they_are_laid_out(
    alice: Repository, tmp_path: Path
) -> None:
    first, second = f32(floats(1, 64)), f32(floats(2, 64))
    layouts = {
        "plain": {"m.safetensors": file_of({"a": first, "b": second})},
        "turned": {"m.safetensors": file_of({"b": second, "a": first}, metadata={"by": "me"})},
        "padded": {"m.safetensors": file_of({"a": first, "b": second}, padding=9)},
        "listed": {"m.safetensors": file_of({"a": first, "b": second}, listed=["b", "a"])},
        "sharded": {
            "1.safetensors": file_of({"a": first}),
            "2.safetensors": file_of({"b": second}),
        },
    }

    for name, files in layouts.items():
        for path, content in files.items():
            written(tmp_path / name / path, content)
        add(alice, tmp_path / name, name)
        export(alice, name, tmp_path / "out" / name)

    assert len({content_id(parts_of(alice, name).content) for name in layouts}) == 1
    assert len({parts_of(alice, name).manifest.layout for name in layouts}) == len(layouts)
    for name, files in layouts.items():
        assert files_below(tmp_path / "out" / name) == files


def content_id(content: Content) -> str:
    return str(digest_of(content))
