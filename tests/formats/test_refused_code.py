"""Recipes and checks that no correct writer makes are refused, when read and when made."""

from dataclasses import replace

import pytest

from mgit import canonical
from mgit.canonical import Value
from mgit.digest import Digest
from mgit.errors import FormatError
from mgit.objects import Check, Gate, Recipe, Severity, decode, encode
from tests.formats.make_golden import CHECK, RECIPE

ZERO = Digest(bytes(32))


def nested(depth: int) -> Value:
    value: Value = ()
    for _ in range(depth):
        value = (value,)
    return value


CODE: dict[str, dict[str, Value]] = {
    "a function without a module": {"function": "prune"},
    "a function in a function": {"function": "a:b.c"},
    "a function of another script": {"function": "outils:größe"},
    "a function and a second line": {"function": "a:b\n"},
    "a function that is a number": {"function": 1},
    "neither a source nor a revision": {"source": None, "revision": 0},
    "both a source and a revision": {"revision": 1},
    "a revision below nothing": {"revision": -1},
    "no source and a revision below nothing": {"source": None, "revision": -1},
    "a revision that is true": {"source": None, "revision": True},
    "a short source": {"source": bytes(31)},
    "a source in hex": {"source": "0" * 64},
    "arguments in a row": {"arguments": ()},
    "an argument with a dash": {"arguments": {"learning-rate": 1}},
    "an argument without a name": {"arguments": {"": 1}},
    "an argument in another script": {"arguments": {"größe": 1}},
    "bytes as an argument": {"arguments": {"a": b""}},
    "bytes far down in an argument": {"arguments": {"a": ({"b": (b"",)},)}},
    "an argument nested nine deep": {"arguments": {"a": nested(9)}},
    "a seed below nothing": {"seed": -1},
    "a seed that is false": {"seed": False},
    "a seed that is a float": {"seed": 1.0},
    "data with a version as its name": {"data": {"v1": ZERO}},
    "data with a path as its name": {"data": {"../x": ZERO}},
    "data with a name in capitals": {"data": {"Train": ZERO}},
    "data by name alone": {"data": {"train": "train"}},
    "a level of a newer version": {"level": "exact"},
    "a level in capitals": {"level": "BITWISE"},
    "a level that is a number": {"level": 0},
    "another field": {"host": "h"},
}
RECIPES: dict[str, dict[str, Value]] = {
    "a path as output": {"output": "../student"},
    "an output in capitals": {"output": "Student"},
    "an output that is nothing": {"output": None},
    "no code": {"code": None},
    "an unknown field": {"note": ""},
}
CHECKS: dict[str, dict[str, Value]] = {
    "a severity of a newer version": {"severity": "panic"},
    "a severity that is a number": {"severity": 1},
    "gates by name": {"gates": {"at_least": {}}},
    "a gate without arguments": {"gates": (("at_least",),)},
    "a gate with arguments in a row": {"gates": (("at_least", (1,)),)},
    "a gate with a dash": {"gates": (("at-least", {}),)},
    "a gate without a name": {"gates": (("", {}),)},
    "a gate whose argument has no name": {"gates": (("at_least", {"": 1}),)},
    "a gate that is given bytes": {"gates": (("at_least", {"a": b""}),)},
    "a gate that is given too deep a value": {"gates": (("at_least", {"a": nested(9)}),)},
    "no code": {"code": ()},
    "an unknown field": {"note": ""},
}


def with_fields(obj: Recipe | Check, changed: dict[str, Value]) -> bytes:
    return canonical.encode((obj.kind, (), {**obj.body(), **changed}))


def with_code(obj: Recipe | Check, code: dict[str, Value]) -> bytes:
    return with_fields(obj, {"code": code})


@pytest.mark.parametrize("change", CODE.values(), ids=CODE)
@pytest.mark.parametrize("obj", [RECIPE, CHECK], ids=["recipe", "check"])
def test_code_that_makes_no_sense_is_refused(obj: Recipe | Check, change: dict[str, Value]) -> None:
    known = RECIPE.code.value()
    decode(with_code(obj, known))

    with pytest.raises(FormatError):
        decode(with_code(obj, {**known, **change}))


@pytest.mark.parametrize("field", sorted(RECIPE.code.value()))
def test_code_without_one_of_its_fields_is_refused(field: str) -> None:
    lacking = {k: v for k, v in RECIPE.code.value().items() if k != field}

    with pytest.raises(FormatError):
        decode(with_code(RECIPE, lacking))


@pytest.mark.parametrize(
    ("obj", "change"),
    [
        *(pytest.param(RECIPE, change, id=f"recipe: {why}") for why, change in RECIPES.items()),
        *(pytest.param(CHECK, change, id=f"check: {why}") for why, change in CHECKS.items()),
    ],
)
def test_a_recipe_or_check_that_makes_no_sense_is_refused(
    obj: Recipe | Check, change: dict[str, Value]
) -> None:
    with pytest.raises(FormatError):
        decode(with_fields(obj, change))


def test_a_value_may_be_nested_as_deep_as_its_limit_wherever_it_stands() -> None:
    code = replace(RECIPE.code, arguments={"a": nested(8)})
    check = Check(code, (Gate("at_least", {"a": nested(8)}),), Severity.INFO)

    assert decode(encode(check)) == check
    assert decode(encode(Recipe(code))) == Recipe(code)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("arguments", {"a": [1]}),
        ("arguments", {"a": float("nan")}),
        ("arguments", {"a": 2**64}),
        ("arguments", {"a": {1: 2}}),
        ("arguments", {"a": "\ud800"}),
        ("seed", 2**64),
        ("revision", 1),
        ("function", "prune"),
    ],
)
def test_code_that_could_not_be_read_again_cannot_be_made(field: str, value: object) -> None:
    with pytest.raises(FormatError):
        replace(RECIPE.code, **{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments", [{"a": [1]}, {"a": float("inf")}, {"a": 2**64}, {"a": {1: 2}}, {"a": "\ud800"}]
)
def test_a_gate_that_could_not_be_read_again_cannot_be_made(arguments: dict[str, Value]) -> None:
    with pytest.raises(FormatError):
        Gate("at_least", arguments)
