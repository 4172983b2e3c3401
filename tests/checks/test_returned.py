"""What a check's function may return: numbers, lists, arrays and tensors, and nothing broken."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mgit.checks import Measured, Samples, measured_from
from mgit.errors import UsageError
from tests.checks.measurements import floats32

ROOT = Path(__file__).parents[2]

SCALARS: dict[str, object] = {
    "float": 0.5,
    "float64 of numpy": np.float64(0.5),
    "float16 of numpy": np.float16(0.5),
    "array without dimensions": np.array(0.5),
    "tensor": torch.tensor(0.5),
    "tensor with a gradient": torch.tensor(0.5, requires_grad=True),
    "bfloat16 tensor": torch.tensor(0.5, dtype=torch.bfloat16),
}
RIGHT: dict[str, object] = {
    "list": [True, False, True],
    "tuple": (True, False, True),
    "list of numpy bools": [np.True_, np.False_, np.True_],
    "list of tensors": [torch.tensor(flag) for flag in (True, False, True)],
    "array": np.array([1, 2, 1]) == 1,
    "array with strides": np.array([True, True, False, True, True])[::2],
    "tensor": torch.tensor([1, 2, 1]) == 1,
}
RANKS: dict[str, object] = {
    "list": [1.0, 0.5, 0.25],
    "list of numpy numbers": [np.float32(1), np.float64(0.5), np.float16(0.25)],
    "list with a whole number": [1, 0.5, 0.25],
    "array": np.array([1.0, 0.5, 0.25]),
    "float16 array": np.array([1.0, 0.5, 0.25], np.float16),
    "tensor": torch.tensor([1.0, 0.5, 0.25]),
    "tensor with a gradient": torch.tensor([1.0, 0.5, 0.25], requires_grad=True),
    "bfloat16 tensor": torch.tensor([1.0, 0.5, 0.25], dtype=torch.bfloat16),
}


@pytest.mark.parametrize("scalar", SCALARS)
def test_a_number_may_be_any_scalar(scalar: str) -> None:
    measured = measured_from({"mrr": SCALARS[scalar]})

    assert measured == Measured({"mrr": 0.5})
    assert type(measured.scores["mrr"]) is float


@pytest.mark.parametrize("kind", RIGHT)
def test_correct_items_may_come_as_any_sequence_of_bools(kind: str) -> None:
    measured = measured_from(Samples(RIGHT[kind]))  # type: ignore[arg-type]

    assert measured == Measured({"accuracy": 2 / 3}, 3, b"\1\0\1", "accuracy")


@pytest.mark.parametrize("kind", RANKS)
def test_values_may_come_as_any_sequence_of_numbers(kind: str) -> None:
    measured = measured_from(Samples(None, {"mrr": RANKS[kind]}))  # type: ignore[dict-item]

    assert measured.values == {"mrr": floats32(1, 0.5, 0.25)}
    assert measured.scores == {"mrr": 1.75 / 3}
    assert (measured.count, measured.correct, measured.metric) == (3, None, "")


def test_the_share_of_correct_items_bears_the_name_that_the_check_gives_it() -> None:
    measured = measured_from(Samples([True, False], {"mrr": [1.0, 0.5]}, metric="exact_match"))

    assert measured.scores == {"exact_match": 0.5, "mrr": 0.75}
    assert measured.metric == "exact_match"


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "nothing": (lambda: None, "NoneType"),
    "a number": (lambda: 0.5, "float"),
    "a list": (lambda: [0.5], "list"),
    "no score": (dict, "no score"),
    "NaN": (lambda: {"mrr": float("nan")}, "mrr is nan"),
    "infinity in a tensor": (lambda: {"mrr": torch.tensor(float("inf"))}, "mrr is inf"),
    "too large an integer": (lambda: {"mrr": 10**400}, "mrr is too large"),
    "a bool as a score": (lambda: {"mrr": True}, "bool, not a number"),
    "a numpy bool as a score": (lambda: {"mrr": np.True_}, "bool, not a number"),
    "a text as a score": (lambda: {"mrr": "0.5"}, "str, not a number"),
    "a complex score": (lambda: {"mrr": 1j}, "complex, not a number"),
    "several numbers as a score": (lambda: {"mrr": np.array([0.5, 0.6])}, "ndarray, not a number"),
    "a tensor as a score": (lambda: {"mrr": torch.tensor([0.5, 0.6])}, "Tensor, not a number"),
    "a name with a space": (lambda: {"my score": 0.5}, "'my score' is not the name"),
    "a name in capitals": (lambda: {"MRR": 0.5}, "'MRR' is not the name"),
    "a name that drives a terminal": (lambda: {"\x1b[2J": 0.5}, "is not the name"),
    "a name that is no text": (lambda: {1: 0.5}, "'1' is not the name"),
    "a name without end": (lambda: {"x" * 64: 0.5}, "is not the name"),
    "101 scores": (lambda: {f"s{number}": 0.5 for number in range(101)}, "101 scores"),
    "no items": (lambda: Samples([]), "correct is empty"),
    "an empty tensor": (lambda: Samples(None, {"mrr": torch.tensor([])}), "mrr is empty"),
    "neither flags nor values": (lambda: Samples(None), "none at all"),
    "flags that are numbers": (lambda: Samples(np.array([1, 0])), "int, not only bools"),
    "flags that are floats": (lambda: Samples(torch.tensor([1.0, 0.0])), "float, not only bools"),
    "one flag that is missing": (
        lambda: Samples([True, None]),  # type: ignore[list-item]
        "NoneType, not only bools",
    ),
    "flags in a text": (lambda: Samples("rw"), "str, not only bools"),  # type: ignore[arg-type]
    "flags without an order": (
        lambda: Samples({True, False}),  # type: ignore[arg-type]
        "type set",
    ),
    "flags by key": (lambda: Samples({0: True}), "type dict"),  # type: ignore[arg-type]
    "one flag": (lambda: Samples(correct=True), "type bool"),  # type: ignore[arg-type]
    "a table of flags": (lambda: Samples(np.ones((2, 3), bool)), "of 2 dimensions"),
    "a flag without dimensions": (lambda: Samples(torch.tensor(np.True_)), "of 0 dimensions"),
    "flags for more than a million items": (lambda: Samples(np.ones(1_000_001, bool)), "1,000,001"),
    "fewer values than flags": (
        lambda: Samples([True, False], {"mrr": [1.0]}),
        "correct 2, mrr 1",
    ),
    "columns of two lengths": (
        lambda: Samples(None, {"mrr": [1.0, 2.0], "loss": [1.0]}),
        "mrr 2, loss 1",
    ),
    "NaN among the values": (lambda: Samples(None, {"mrr": [1.0, float("nan")]}), "mrr is nan"),
    "a value too large for float32": (lambda: Samples(None, {"mrr": [1e39]}), "too large"),
    "a text among the values": (
        lambda: Samples(None, {"mrr": ["1"]}),  # type: ignore[list-item]
        "str, not a number",
    ),
    "values without a name": (lambda: Samples([True], [0.5]), "values is"),  # type: ignore[arg-type]
    "a bad name of values": (lambda: Samples([True], {"M R": [1.0]}), "'M R' is not the name"),
    "a bad name of the share": (lambda: Samples([True], metric=""), "'' is not the name"),
    "one name twice": (lambda: Samples([True], {"accuracy": [1.0]}), "'accuracy' twice"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_measurement_is_refused_with_what_is_wrong(case: str) -> None:
    make, said = REFUSED[case]

    with pytest.raises(UsageError, match=said):
        measured_from(make())


def test_a_million_items_are_accepted() -> None:
    measured = measured_from(Samples(np.arange(1_000_000) % 4 == 0))

    assert measured.scores == {"accuracy": 0.25}


def test_writing_a_check_loads_neither_numpy_nor_torch() -> None:
    program = (
        "import json, sys\n"
        "from mgit.checks.gates import at_least\n"
        "from mgit.checks.returned import measured_from\n"
        "from mgit.checks.scores import Samples\n"
        "measured_from(Samples([True], {'mrr': [0.5]}))\n"
        "at_least('mrr', 0.5)\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert {"numpy", "torch", "ray"} & set(json.loads(done.stdout)) == set()
