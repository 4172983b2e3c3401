"""prune, cast and average: what they compute, to the last bit."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from mgit.building import reproduce
from mgit.errors import RunError
from mgit.loading import load
from mgit.numeric import NUMPY_TYPES
from tests.building.projects import Maker, maker, write_arrays

BF16 = ml_dtypes.bfloat16
Arrays = dict[str, np.ndarray[Any, Any]]


@pytest.fixture
def alice(tmp_path: Path) -> Maker:
    return maker(tmp_path)


def mixed(dtype: Any = np.float32) -> Arrays:
    """A matrix, a vector, a number, integers and truth values."""
    return {
        "matrix": np.array([[1, -1, 2], [-3, 1, 0.5]], dtype),
        "vector": np.array([0.1, 5], dtype),
        "number": np.array(0.25, dtype),
        "count": np.array([[1, 2], [3, 4]], np.int64),
        "mask": np.array([True, False]),
    }


def bits(alice: Maker, name: str) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    with load(alice.repository, name) as model:
        return shown({tensor: np.array(array) for tensor, array in model.arrays().items()})


def shown(arrays: Arrays) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {name: (str(a.dtype), a.shape, a.tobytes()) for name, a in arrays.items()}


def run(alice: Maker, recipe: str, *parents: str, **arguments: Any) -> None:
    alice.build("result", recipe, *(parents or ("given",)), arguments=arguments)


@pytest.mark.parametrize("dtype", [np.float16, BF16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("fraction", "matrix"),
    [
        (0.0, [[1, -1, 2], [-3, 1, 0.5]]),
        (0.17, [[1, -1, 2], [-3, 1, 0]]),
        (0.5, [[0, 0, 2], [-3, 1, 0]]),  # of the three ones the first two
        (1.0, [[0, 0, 0], [0, 0, 0]]),
        (1, [[0, 0, 0], [0, 0, 0]]),
    ],
)
def test_prune_sets_the_smallest_to_zero_and_of_equals_the_first(
    alice: Maker, dtype: Any, fraction: float, matrix: list[list[float]]
) -> None:
    alice.add("given", mixed(dtype))

    run(alice, "prune", fraction=fraction)

    assert bits(alice, "result") == shown(mixed(dtype) | {"matrix": np.array(matrix, dtype)})


def test_prune_of_some_tensors_leaves_the_others(alice: Maker) -> None:
    given = {"a.w": np.ones((2, 2), np.float32), "b.w": np.ones((2, 2), np.float32)}
    alice.add("given", given)

    run(alice, "prune", fraction=1.0, tensors="a.*")

    assert bits(alice, "result") == shown(given | {"a.w": np.zeros((2, 2), np.float32)})


@pytest.mark.parametrize(
    "wrong",
    [
        {"fraction": 1.5},
        {"fraction": -0.1},
        {"fraction": "half"},
        {"fraction": 0.5, "tensors": "none*"},
        {"fraction": 0.5, "tensors": "count"},
    ],
)
def test_prune_refuses_what_it_cannot_do(alice: Maker, wrong: dict[str, Any]) -> None:
    alice.add("given", mixed())

    with pytest.raises(RunError):
        run(alice, "prune", **wrong)


def test_cast_rounds_to_nearest_even(alice: Maker) -> None:
    ties = np.arange(0x3F80_0000, 0x3F84_0000, 0x1000, dtype=np.uint32).view(np.float32)
    given = mixed() | {"ties": np.concatenate([ties, -ties])}
    alice.add("given", given)

    run(alice, "cast")

    kept = {"count", "mask"}
    expected = {n: a if n in kept else a.astype(BF16) for n, a in given.items()}
    assert bits(alice, "result") == shown(expected)
    raw = ties.view(np.uint32)
    by_hand = ((raw + 0x7FFF + ((raw >> 16) & 1)) >> 16).astype(np.uint16)
    assert expected["ties"].tobytes()[: 2 * len(ties)] == by_hand.tobytes()


@pytest.mark.parametrize("dtype", ["F16", "F32", "F64"])
def test_cast_knows_other_types(alice: Maker, dtype: str) -> None:
    alice.add("given", mixed())

    run(alice, "cast", dtype=dtype, tensors="[mn]*")

    kind = np.dtype(f"f{int(dtype[1:]) // 8}")
    given = mixed()
    given |= {name: given[name].astype(kind) for name in ("matrix", "number")}
    assert bits(alice, "result") == shown(given)


def nearest(value: float, dtype: Any) -> float:
    """The nearest number of a type, however large, ties to even, by exact arithmetic."""
    digits, smallest = {BF16: (7, -126), np.float16: (10, -14)}[dtype]
    exponent = max(math.frexp(value)[1] - 1, smallest)
    step = Fraction(2) ** (exponent - digits)
    return math.copysign(float(round(Fraction(value) / step) * step), value)


def beside_the_middle(dtype: Any) -> np.ndarray[Any, Any]:
    """Halfway between neighbours of a type, and as little beside it as float64 can tell."""
    bits = np.random.default_rng(0).integers(0, 1 << 15, 500, np.uint16)
    low = np.concatenate([bits, [0, 1, 2]]).astype(np.uint16).view(dtype)
    with np.errstate(all="ignore"):
        high = np.nextafter(low, np.array(np.inf, dtype)).astype(np.float64)
        middle = (low.astype(np.float64) + high) / 2
    middle = middle[np.isfinite(middle)]
    found = np.concatenate([middle, np.nextafter(middle, 0), np.nextafter(middle, np.inf)])
    return np.concatenate([found, -found])


@pytest.mark.parametrize(("name", "dtype"), [("BF16", BF16), ("F16", np.float16)])
def test_cast_rounds_once(alice: Maker, name: str, dtype: Any) -> None:
    given = beside_the_middle(dtype)
    alice.add("given", {"w": given})

    run(alice, "cast", dtype=name)

    expected = np.array([nearest(float(x), dtype) for x in given]).astype(dtype)
    assert bits(alice, "result") == shown({"w": expected})


@pytest.mark.parametrize("dtype", [BF16, np.float16])
def test_average_rounds_once(alice: Maker, dtype: Any) -> None:
    sums = beside_the_middle(dtype)
    first = (sums / 4).astype(dtype)
    second = 2 * sums - first.astype(np.float64)
    alice.add("one", {"w": first})
    alice.add("two", {"w": second})

    run(alice, "average", "one=a", "two=b")

    means = first.astype(np.float64) / 2 + second / 2
    expected = np.array([nearest(float(x), dtype) for x in means]).astype(dtype)
    assert bits(alice, "result") == shown({"w": expected})


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F64"])
def test_cast_keeps_infinity(alice: Maker, dtype: str) -> None:
    given = np.array([[0, -np.inf], [1, np.inf]], np.float32)
    alice.add("given", {"mask": given})

    run(alice, "cast", dtype=dtype)

    assert bits(alice, "result") == shown({"mask": given.astype(NUMPY_TYPES[dtype])})


def test_prune_keeps_infinity(alice: Maker) -> None:
    alice.add("given", {"mask": np.array([[1, -np.inf], [2, np.inf]], np.float32)})

    run(alice, "prune", fraction=0.5)

    assert bits(alice, "result") == shown(
        {"mask": np.array([[0, -np.inf], [0, np.inf]], np.float32)}
    )


@pytest.mark.parametrize(
    "made",
    [[[0, np.inf], [1, 0]], [[0, -np.inf], [np.inf, 0]], [[np.nan, -np.inf], [1, 0]]],
    ids=["of the other sign", "where there was none", "NaN beside it"],
)
@pytest.mark.parametrize("as_folder", [False, True])
def test_infinity_that_the_parent_has_not_is_refused(
    alice: Maker, made: list[list[float]], *, as_folder: bool
) -> None:
    alice.add("given", {"mask": np.array([[0, -np.inf], [1, 2]], np.float32)})
    mask = np.array(made, np.float32)
    folder = str(write_arrays(alice.project / "made", {"mask": mask}))
    np.save(f"{folder}/mask.npy", mask)
    returned = repr(folder) if as_folder else f'{{"mask": np.load({folder + "/mask.npy"!r})}}'
    alice.write(f"@mgit.recipe\ndef make(parents):\n    return {returned}\n")

    with pytest.raises(RunError, match="NaN or infinity in 1 places"):
        alice.build("result", "train:make", "given")


def test_cast_that_overflows_is_refused(alice: Maker) -> None:
    alice.add("given", {"w": np.array([1e38, 1], np.float32)})

    with pytest.raises(RunError):
        run(alice, "cast", dtype="F16")


def test_cast_refuses_other_types(alice: Maker) -> None:
    alice.add("given", mixed())

    with pytest.raises(RunError, match="I8"):
        run(alice, "cast", dtype="I8")


def test_cast_there_and_back_is_the_same(alice: Maker) -> None:
    alice.add("given", mixed(BF16))
    run(alice, "cast", dtype="F32")
    alice.build("back", "cast", "result", arguments={"dtype": "BF16"})

    assert bits(alice, "back") == bits(alice, "given")


@pytest.mark.parametrize("dtype", [np.float16, BF16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("weights", "value"), [(None, 2.0), ({"a": 3, "b": 1}, 1.5), ({"a": 0, "b": 2}, 3.0)]
)
def test_average_weighs_its_parents(
    alice: Maker, dtype: Any, weights: dict[str, float] | None, value: float
) -> None:
    count = np.array([1, 2])
    alice.add("one", {"w": np.full((2, 2), 1, dtype), "s": np.array(1, dtype), "i": count})
    alice.add("two", {"w": np.full((2, 2), 3, dtype), "s": np.array(3, dtype), "i": count * 2})

    run(alice, "average", "one=a", "two=b", weights=weights)

    expected = {"w": np.full((2, 2), value, dtype), "s": np.array(value, dtype), "i": count}
    assert bits(alice, "result") == shown(expected)


@pytest.mark.parametrize("dtype", [np.float16, BF16, np.float32, np.float64])
def test_average_of_equals_is_the_same_to_the_last_bit(alice: Maker, dtype: Any) -> None:
    given = {"w": np.array([0.1, 0.7, -0.0, np.inf, -np.inf], dtype), "n": np.array(-0.0, dtype)}
    for name in ("one", "two", "three"):
        alice.add(name, given)

    run(alice, "average", "one=a", "two=b", "three=c", weights={"a": 0, "b": 1, "c": 2})

    assert bits(alice, "result") == shown(given)


WEIGHTS: list[dict[str, Any]] = [
    {"a": 1},
    {"a": 1, "b": 1, "c": 1},
    {"a": 0, "b": 0},
    {"a": 2, "b": -1},
    {"a": 1e308, "b": 1e308},
    {"a": "1", "b": "2"},
]


@pytest.mark.parametrize("weights", WEIGHTS)
def test_average_refuses_weights_that_make_no_mean(alice: Maker, weights: dict[str, Any]) -> None:
    alice.add("one", {"w": np.ones(2, np.float32)})
    alice.add("two", {"w": np.zeros(2, np.float32)})

    with pytest.raises(RunError):
        run(alice, "average", "one=a", "two=b", weights=weights)


@pytest.mark.parametrize("other", [{"v": np.ones(2, np.float32)}, {"w": np.ones(3, np.float32)}])
def test_average_refuses_parents_that_are_not_alike(alice: Maker, other: Arrays) -> None:
    alice.add("one", {"w": np.ones(2, np.float32)})
    alice.add("two", other)

    with pytest.raises(RunError):
        run(alice, "average", "one=a", "two=b")


def test_average_of_one_is_refused(alice: Maker) -> None:
    with pytest.raises(RunError, match="two parents"):
        run(alice, "average", "base")


def test_a_shipped_recipe_is_made_again_without_trust(alice: Maker) -> None:
    alice.add("given", mixed())
    run(alice, "prune", fraction=0.5)

    assert reproduce(alice.repository, "result", executor="inline").is_equal
