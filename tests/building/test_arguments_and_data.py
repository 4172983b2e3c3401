"""What a recipe is given: arguments, a seed, and data that are known by their digest."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mgit.building import recipe_of, reproduce
from mgit.errors import AbsentError, MgitError, NotFoundError, UsageError
from tests.building.projects import ADD, Maker, maker
from tests.cli.terminal import Terminal
from tests.family import Person, point

ECHO = """
import json


@mgit.recipe
def tune(parents, *, needed, plain=None, optional=3):
    with open({file!r}, "w") as file:
        json.dump([needed, plain, optional], file)
    return dict(parents["base"].arrays())


@mgit.recipe
def reading(parents, *, context):
    place = context.data["text"]
    files = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
    by = sum(len(file.read_text()) for file in files)
    return {{n: a + np.float32(by) for n, a in parents["base"].arrays().items()}}


@mgit.check(on="all()")
def score(model):
    return {{}}


def unmarked(parents):
    return {{}}
"""


@pytest.fixture
def alice(tmp_path: Path) -> Maker:
    alice = maker(tmp_path)
    alice.write(ECHO.format(file=str(tmp_path / "echo")))
    return alice


def refused(alice: Maker, told: str, kind: type[MgitError] = UsageError, **asked: Any) -> None:
    before = alice.state()

    with pytest.raises(kind, match=told):
        alice.build(**asked)

    assert alice.state() == before


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "unknown": ("takes no 'other'", {"arguments": {"needed": 1, "other": 2}}),
    "missing": ("needs a value for needed", {"arguments": {}}),
    "no number": ("cannot be recorded", {"arguments": {"needed": float("nan")}}),
    "no end": ("cannot be recorded", {"arguments": {"needed": float("inf")}}),
    "too large": ("cannot be recorded", {"arguments": {"needed": 1 << 70}}),
    "an object": ("is set", {"arguments": {"needed": {1, 2}}}),
    "bytes": ("is bytes", {"arguments": {"needed": b"x"}}),
    "a seed that nobody takes": ("takes no seed", {"arguments": {"needed": 1}, "seed": 1}),
    "a parameter of mgit": ("takes no 'context'", {"arguments": {"needed": 1, "context": 2}}),
    "a check": ("is a check, not a recipe", {"recipe": "train:score"}),
    "no mark": ("marked neither", {"recipe": "train:unmarked"}),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_a_recipe_cannot_be_given_is_refused(alice: Maker, what: str, tmp_path: Path) -> None:
    told, asked = WRONG[what]

    refused(alice, told, **asked)

    assert not (tmp_path / "echo").exists()


@pytest.mark.parametrize(
    ("text", "what"),
    [("x" * (1 << 20), "the arguments of a recipe"), ("\x01" * 1_048_000, "a statement with .*")],
    ids=["recipe", "statement"],
)
def test_arguments_that_are_too_large_are_refused(alice: Maker, text: str, what: str) -> None:
    told = rf"^too large: {what}, [\d,]+ bytes; at most [14],\d+,\d+ can be kept$"

    refused(alice, told, arguments={"needed": text})


@pytest.mark.parametrize("recipe", ["train:nothing", "nothing:tune", "nothing", "recipes:x"])
def test_a_recipe_that_is_not_there_is_not_found(alice: Maker, recipe: str) -> None:
    refused(alice, "no", NotFoundError, recipe=recipe)


def test_a_negative_seed_is_refused(alice: Maker) -> None:
    alice.write(ADD)

    refused(alice, "negative", seed=-1)


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("1", 1),
        ("1.5", 1.5),
        ("1e-4", 1e-4),
        ("true", True),
        ("null", None),
        ("[1,[2,3]]", [1, [2, 3]]),
        ('{"a":[1],"b":{"c":null}}', {"a": [1], "b": {"c": None}}),
        ("word", "word"),
        ('"1"', "1"),
        ("a=b", "a=b"),
        ("", ""),
        ("ß\U0001f600", "ß\U0001f600"),
    ],
)
def test_an_argument_is_json_or_text(tmp_path: Path, typed: str, given: object) -> None:
    alice = Terminal("alice", tmp_path)
    alice.does("init --as alice")
    alice.does(f"add {alice.checkpoint(0)} base")
    (alice.folder / "train.py").write_text(
        "import mgit\n" + ECHO.format(file=str(tmp_path / "echo"))
    )

    alice.does(
        "build m --parent base --recipe train:tune --executor inline --arg", f"needed={typed}"
    )

    assert json.loads((tmp_path / "echo").read_text()) == [given, None, 3]


@pytest.mark.parametrize(
    "typed", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 30, "[" * 20 + "]" * 20]
)
def test_an_argument_that_cannot_be_recorded_is_wrong_usage(tmp_path: Path, typed: str) -> None:
    alice = Terminal("alice", tmp_path)
    alice.does("init --as alice")
    alice.does(f"add {alice.checkpoint(0)} base")
    (alice.folder / "train.py").write_text("import mgit\n" + ECHO.format(file="echo"))

    ran = alice.run(
        "build m --parent base --recipe train:tune --executor inline --arg", f"needed={typed}"
    )

    assert ran.exit_code == 2


def test_defaults_are_recorded(alice: Maker) -> None:
    built = alice.build(arguments={"needed": [1, {"a": 2}]})

    recipe = recipe_of(alice.repository.history(), built.node)
    assert recipe
    assert recipe.code.arguments == {"needed": (1, {"a": 2}), "plain": None, "optional": 3}
    assert recipe.code.seed is None


def test_a_seed_that_nobody_gave_is_zero(alice: Maker) -> None:
    alice.write(ADD)

    built = alice.tune()

    recipe = recipe_of(alice.repository.history(), built.node)

    assert recipe
    assert recipe.code.seed == 0


def test_two_parents_of_one_role_are_refused(alice: Maker) -> None:
    asked = alice.request("train:tune", "base", "base")
    assert asked.parents == ("base", "base")

    with pytest.raises(UsageError, match="the role 'base'"):
        alice.build("tuned", "train:tune", "base", "base", arguments={"needed": 1})


@pytest.mark.parametrize("role", ["", "A b", "v1"])
def test_a_role_is_a_label(alice: Maker, role: str) -> None:
    with pytest.raises(UsageError):
        alice.build("tuned", "train:tune", f"base={role}", arguments={"needed": 1})


def test_a_parent_that_is_not_there_is_not_found(alice: Maker) -> None:
    with pytest.raises(NotFoundError):
        alice.build("tuned", "train:tune", "nobody", arguments={"needed": 1})


def test_a_parent_without_weights_is_absent(alice: Maker) -> None:
    bob = Person("bob", alice.project.parent).clone(
        str(alice.project.parent / "alice"), weights=False
    )

    with pytest.raises(AbsentError):
        Maker(bob, alice.project).build(arguments={"needed": 1})


def test_an_older_version_that_is_not_here_is_no_obstacle(alice: Maker) -> None:
    point(alice.repository, "tuned", "bare")

    assert alice.build(arguments={"needed": 1}).is_new
    assert alice.values("tuned") == alice.values("base")


@pytest.fixture(params=["file", "folder"])
def text(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    place = tmp_path / "text"
    if request.param == "file":
        place.write_text("abc")
        return place
    (place / "inner").mkdir(parents=True)
    (place / "one").write_text("ab")
    (place / "inner" / "two").write_text("c")
    return place


def change(place: Path) -> None:
    file = place if place.is_file() else place / "inner" / "two"
    file.write_text("abcd")


def read(alice: Maker, **data: Path) -> Any:
    return alice.build("tuned", "train:reading", data=data)


def test_data_reach_the_recipe_and_are_recorded(alice: Maker, text: Path) -> None:
    built = read(alice, text=text)

    recipe = recipe_of(alice.repository.history(), built.node)
    assert recipe
    assert set(recipe.code.data) == {"text"}
    assert alice.values("tuned")["first"][0] == 0.5 + 3
    assert reproduce(alice.repository, "tuned", executor="inline").is_equal


def test_the_same_data_elsewhere_are_the_same(alice: Maker, text: Path) -> None:
    read(alice, text=text)
    moved = text.rename(text.with_name("moved"))

    again = read(alice, text=moved)

    assert again.is_known
    assert reproduce(alice.repository, "tuned", executor="inline").is_equal


def test_data_that_changed_are_other_data(alice: Maker, text: Path) -> None:
    first = read(alice, text=text)
    change(text)

    again = read(alice, text=text)

    assert not again.is_known
    assert again.content != first.content


def test_a_file_that_moves_within_a_folder_makes_other_data(alice: Maker, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_text("x")
    read(alice, text=folder)
    (folder / "a").rename(folder / "b")

    assert not read(alice, text=folder).is_known


def test_a_model_is_not_made_again_from_other_data(alice: Maker, text: Path) -> None:
    read(alice, text=text)
    aside = text.parent / "aside"
    (shutil.copytree if text.is_dir() else shutil.copy)(text, aside)
    change(text)

    with pytest.raises(AbsentError, match="'text'") as raised:
        reproduce(alice.repository, "tuned", executor="inline")
    with_data = reproduce(alice.repository, "tuned", executor="inline", data={"text": aside})
    remembered = reproduce(alice.repository, "tuned", executor="inline")

    assert "--data text=PATH" in raised.value.hint
    assert str(text) in str(raised.value)
    assert with_data.is_equal
    assert remembered.is_equal


def test_data_that_are_moved_back_are_found(alice: Maker, text: Path) -> None:
    read(alice, text=text)
    aside = text.rename(text.with_name("aside"))
    with pytest.raises(AbsentError):
        reproduce(alice.repository, "tuned", executor="inline")
    aside.rename(text)

    assert reproduce(alice.repository, "tuned", executor="inline").is_equal


def test_data_that_are_not_there_are_told_before_anything_runs(
    alice: Maker, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="there is no"):
        read(alice, text=tmp_path / "nothing")
