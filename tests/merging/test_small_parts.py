"""Rules as a person writes them, configurations joined by keys, and new layouts."""

import json
import struct

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from mgit.adding.layout import new_shard
from mgit.combine import METHODS
from mgit.errors import UsageError
from mgit.merging.configs import Clashing, Joined, join
from mgit.merging.rules import parse_method, parse_rules
from mgit.objects import DTYPES, TensorEntry

# --- rules ---


@pytest.mark.parametrize("name", METHODS)
def test_every_method_can_be_asked_for_by_its_name(name: str) -> None:
    assert parse_method(name).name == name


def test_a_parameter_that_is_not_given_has_its_default() -> None:
    assert parse_method("task_arithmetic").parameters == (("weight", 1.0),)
    assert parse_method("task_arithmetic:weight=0.5").parameters == (("weight", 0.5),)


def test_a_method_is_written_as_it_can_be_read() -> None:
    method = parse_method("task_arithmetic:weight=1e-3")

    assert parse_method(str(method)) == method


@pytest.mark.parametrize(
    "text",
    [
        "ties",
        "",
        "ours:weight=1",
        "average:weight=1",
        "task_arithmetic:lambda=1",
        "task_arithmetic:weight=much",
        "task_arithmetic:weight=nan",
        "task_arithmetic:weight",
    ],
)
def test_a_method_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_method(text)

    assert refused.value.hint


@pytest.mark.parametrize("text", ["head", "=ours", "head=", "head=haste"])
def test_a_strategy_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_rules("", [text])


def test_a_star_matches_dots() -> None:
    rules = parse_rules("", ["model.*.weight=ours"])

    assert rules.strategy("model.layers.0.mlp.weight")
    assert not rules.strategy("model.layers.0.mlp.bias")


# --- configurations ---


def written(**keys: object) -> bytes:
    return json.dumps(keys).encode()


def test_keys_of_both_sides_stand_together() -> None:
    joined = join(
        written(size=1, drop=0.1, old=1, both=1),
        written(size=1, drop=0.2, old=1, both=2, ours=1),
        written(size=2, drop=0.1, both=2, theirs=1),
    )

    assert isinstance(joined, Joined)
    assert json.loads(joined.content) == {
        "size": 2,
        "drop": 0.2,
        "both": 2,
        "ours": 1,
        "theirs": 1,
    }


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        ({"k": 1}, {"k": 2}, {"k": 3}),
        ({"k": 1}, {}, {"k": 3}),
        ({}, {"k": 2}, {"k": 3}),
        ({"k": 2}, {"k": 1}, {"k": 1.0}),
        ({"k": 2}, {"k": 1}, {"k": True}),
    ],
)
def test_a_key_that_both_changed_clashes(
    base: dict[str, object], ours: dict[str, object], theirs: dict[str, object]
) -> None:
    assert join(written(**base), written(**ours), written(**theirs)) == Clashing(("k",))


@pytest.mark.parametrize("broken", [b"", b"[1]", b"{", b'{"a": 1, "a": 2}', b"\xff", b"7"])
def test_what_is_no_object_clashes_whole(broken: bytes) -> None:
    assert join(written(a=1), broken, written(a=2)) == Clashing(())


def test_what_one_side_says_already_is_its_bytes() -> None:
    base, ours, theirs = b'{"a":1}', b'{"a":2}', b'{ "a" : 1 }'

    assert join(base, ours, theirs) == Joined(ours)


objects = st.dictionaries(st.sampled_from("abcd"), st.sampled_from([1, 1.0, True, None, [1]]))


@given(objects, objects, objects)
def test_a_join_is_the_same_whoever_is_ours(
    base: dict[str, object], ours: dict[str, object], theirs: dict[str, object]
) -> None:
    one = join(written(**base), written(**ours), written(**theirs))
    other = join(written(**base), written(**theirs), written(**ours))

    match one, other:
        case Joined(left), Joined(right):
            assert json.dumps(json.loads(left), sort_keys=True) == (
                json.dumps(json.loads(right), sort_keys=True)
            )
        case Clashing(left_keys), Clashing(right_keys):
            assert left_keys == right_keys
        case _:
            pytest.fail(f"{one} but {other}")


@given(objects, objects)
def test_what_only_one_side_changed_is_that_side(
    base: dict[str, object], theirs: dict[str, object]
) -> None:
    assert join(written(**base), written(**base), written(**theirs)) in (
        Joined(written(**theirs)),
        Joined(written(**base)) if base == theirs else Joined(written(**theirs)),
    )


# --- layouts ---

TORCH = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E8M0": torch.float8_e8m0fnu,
    "I16": torch.int16,
    "U16": torch.uint16,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I32": torch.int32,
    "U32": torch.uint32,
    "F32": torch.float32,
    "C64": torch.complex64,
    "F64": torch.float64,
    "I64": torch.int64,
    "U64": torch.uint64,
}


def header_of(file: bytes) -> bytes:
    length = struct.unpack("<Q", file[:8])[0]
    return file[8 : 8 + length]


@pytest.mark.parametrize("metadata", [{}, {"format": "pt"}])
def test_a_new_file_is_laid_out_as_the_safetensors_library_does(metadata: dict[str, str]) -> None:
    shapes: dict[str, tuple[int, ...]] = {"b.x": (3,), 'a"\n\té': (), "b.w": (2, 0)}
    tensors = {
        f"{name}{dtype}": TensorEntry(dtype, shape, ())
        for dtype in TORCH
        for name, shape in shapes.items()
    }
    saved = save(
        {name: torch.zeros(t.shape, dtype=TORCH[t.dtype]) for name, t in tensors.items()},
        metadata or None,
    )

    assert new_shard("model.safetensors", tensors, metadata).header == header_of(saved)


def test_every_type_has_a_place() -> None:
    tensors = {dtype: TensorEntry(dtype, (8,), ()) for dtype in DTYPES}

    assert sorted(new_shard("model.safetensors", tensors, {}).order) == sorted(DTYPES)
