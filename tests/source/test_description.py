"""What a definition says of a recipe or check, without running it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mgit.errors import NotFoundError, UsageError
from mgit.source import OPAQUE, REQUIRED, Call, Described, Source, describe, description, shipped


def described(text: str) -> Described:
    return describe(Source({"train.py": text}), "train:f")


def refused(text: str) -> UsageError:
    with pytest.raises(UsageError) as raised:
        described(text)
    return raised.value


def test_a_recipe_is_described() -> None:
    found = described(
        '''
import mgit

@mgit.recipe(level="tolerant", operation="finetune")
def f(parents, *, lr, steps=100, names=["a", ("b", -1.5)], table={"x": None}, seed, context):
    """Tunes a model.

    At length.
    """
'''
    )

    assert found == Described(
        mark="recipe",
        options={"level": "tolerant", "operation": "finetune"},
        parameters={
            "lr": REQUIRED,
            "steps": 100,
            "names": ("a", ("b", -1.5)),
            "table": {"x": None},
        },
        takes_seed=True,
        takes_context=True,
        takes_any=False,
        summary="Tunes a model.",
    )
    assert list(found.parameters) == ["lr", "steps", "names", "table"]


def test_gates_are_written_down_as_they_are_called() -> None:
    found = described(
        """
@mgit.check(
    on="type:classifier & tag:x",
    severity="warn",
    gates=[
        mgit.at_least("accuracy", 0.9),
        no_worse_than("previous", "accuracy", margin=0.01),
        mgit.gates.all_of(at_least("f1", -1), max_negative_flips(0.02)),
    ],
)
def f(model): pass
"""
    )

    assert found.mark == "check"
    assert found.options == {
        "on": "type:classifier & tag:x",
        "severity": "warn",
        "gates": (
            Call("at_least", ("accuracy", 0.9), {}),
            Call("no_worse_than", ("previous", "accuracy"), {"margin": 0.01}),
            Call(
                "all_of",
                (Call("at_least", ("f1", -1), {}), Call("max_negative_flips", (0.02,), {})),
                {},
            ),
        ),
    }


@pytest.mark.parametrize(
    "mark", ["@mgit.recipe", "@recipe", "@mgit.recipe()", "@recipe()", "@a.b(1)\n@mgit.recipe\n@c"]
)
def test_a_mark_is_written_with_or_without_brackets(mark: str) -> None:
    found = described(f"{mark}\ndef f(parents): pass\n")

    assert (found.mark, found.options, found.parameters) == ("recipe", {}, {})
    assert (found.takes_seed, found.takes_context, found.takes_any) == (False, False, False)
    assert found.summary == ""


PARAMETERS = {
    "parents": {},
    "parents, /": {},
    "parents, lr": {"lr": REQUIRED},
    "parents, lr=1, *, steps": {"lr": 1, "steps": REQUIRED},
    "parents=None, lr=1": {"lr": 1},
    "parents, /, lr, steps=2, *, k=3, m": {"lr": REQUIRED, "steps": 2, "k": 3, "m": REQUIRED},
    "parents, seed, context, lr": {"lr": REQUIRED},
    "parents, *, seed=3, context=None": {},
    "parents, **rest": {},
    "parents: 'Parents', *, lr: float = 1e-4": {"lr": 1e-4},
    "parents, *, a=1_000, b=-2, c='x' 'y', d=True, e=()": {
        "a": 1000,
        "b": -2,
        "c": "xy",
        "d": True,
        "e": (),
    },
}


@pytest.mark.parametrize("written", PARAMETERS)
def test_what_a_function_takes_by_keyword(written: str) -> None:
    assert described(f"@recipe\ndef f({written}): pass").parameters == PARAMETERS[written]


def test_seed_context_and_any_keyword_are_told_apart() -> None:
    assert described("@recipe\ndef f(p, seed): pass").takes_seed
    assert described("@recipe\ndef f(p, *, context=None): pass").takes_context
    assert described("@recipe\ndef f(p, **rest): pass").takes_any


@pytest.mark.parametrize(
    "default",
    [
        "2**10",
        "LR",
        "os.environ['X']",
        "f'{1}'",
        "{1, 2}",
        "b'x'",
        "1j",
        "...",
        "1e999",
        "2**64",
        "set()",
        "{1: 2}",
        "{[]: 1}",
        "[x]",
        "[*()]",
        "lambda: 1",
        "9" * 30,
        "[" * 9 + "]" * 9,
        "-" * 300 + "1",
    ],
)
def test_a_default_that_only_running_tells_is_opaque(default: str) -> None:
    assert described(f"@recipe\ndef f(p, *, a={default}, b=1): pass").parameters == {
        "a": OPAQUE,
        "b": 1,
    }


@pytest.mark.parametrize(
    "value",
    [
        "LEVEL",
        "'a' + 'b'",
        "f'{1}'",
        "b'x'",
        "at_least(X)",
        "[at_least(*x)]",
        "at_least(**x)",
        "at_least(**{'a': 1})",
        "at_least(0.7)[0]",
        "(lambda: 1)()",
        "[*x]",
        "{'a': at_least(1)}",
        "1e999",
        "9" * 30,
        "[" * 9 + "]" * 9,
        "a(" * 9 + ")" * 9,
        "__import__('os').system('x')[0]",
        "{1}",
    ],
)
def test_an_option_must_be_a_literal(value: str) -> None:
    error = refused(f"@check(on='x', gates={value})\ndef f(model): pass")

    assert str(error) == "gates= of train:f must be a literal, it is read without running it"


@pytest.mark.parametrize(
    ("mark", "wrong"),
    [
        ("recipe(levle='bitwise')", "levle"),
        ("recipe(on='x')", "on"),
        ("recipe(**x)", "**"),
        ("check('x')", "without a name"),
        ("check(operation='x')", "operation"),
    ],
)
def test_an_option_that_a_mark_does_not_have_is_refused(mark: str, wrong: str) -> None:
    error = refused(f"@mgit.{mark}\ndef f(p): pass")

    assert wrong in str(error)
    assert "level" in error.hint


@pytest.mark.parametrize("above", ["", "@other\n", "@mgit.recipes\n", "@m.recipe\n", "@check.x\n"])
def test_a_function_without_a_mark_is_told_what_to_add(above: str) -> None:
    assert "@mgit.recipe or @mgit.check" in refused(f"{above}def f(p): pass").hint


def test_a_function_has_one_mark() -> None:
    assert "twice" in str(refused("@mgit.recipe\n@mgit.check\ndef f(p): pass"))


@pytest.mark.parametrize("written", ["", "*, lr", "*parents", "seed", "context, seed", "**rest"])
def test_a_function_begins_with_its_parents_or_model(written: str) -> None:
    assert "parents, *" in refused(f"@recipe\ndef f({written}): pass").hint


@pytest.mark.parametrize("written", ["parents, *more", "parents, lr, /", "parents, /, *more"])
def test_all_but_the_first_are_given_by_keyword(written: str) -> None:
    assert "by keyword" in refused(f"@recipe\ndef f({written}): pass").hint


def test_the_last_of_several_definitions_counts() -> None:
    found = described("@recipe\ndef f(p, *, a): pass\n@check\ndef f(m, *, b): pass\n")

    assert (found.mark, dict(found.parameters)) == ("check", {"b": REQUIRED})


def test_a_package_comes_before_a_module_of_its_name() -> None:
    files = {"train.py": "", "train/__init__.py": "@recipe\ndef f(p): 'Here.'"}

    assert describe(Source(files), "train:f").summary == "Here."


@pytest.mark.parametrize("function", ["other:f", "train:g", "train.f:f"])
def test_what_the_source_does_not_have_is_not_found(function: str) -> None:
    with pytest.raises(NotFoundError):
        describe(Source({"train.py": "@recipe\ndef f(p): pass"}), function)


@pytest.mark.parametrize(
    "text", ["def f(", "\0", "x = " + "(" * 500, "x = a" + ".b" * 10**5, "x = " + "-" * 10**5 + "1"]
)
def test_text_of_a_stranger_cannot_break_the_reader(text: str) -> None:
    assert "cannot be read as Python" in str(refused(text))


# --- functions of mgit itself ---


@pytest.fixture
def own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder that stands for the installed mgit."""
    monkeypatch.setattr(description, "_MGIT", tmp_path / "mgit")
    (tmp_path / "mgit" / "recipes").mkdir(parents=True)
    (tmp_path / "mgit" / "recipes" / "__init__.py").write_text(
        "from mgit.recipes.pruning import _prune as prune\nraise SystemExit\n"
        "@recipe(revision=2)\ndef average(parents): from mgit.other import average\n"
    )
    (tmp_path / "mgit" / "recipes" / "pruning.py").write_text(
        "raise SystemExit\n@recipe(revision=1, operation='prune')\n"
        "def _prune(parents, *, keep=0.5): 'Zeroes weights.'\n"
    )
    (tmp_path / "other.py").write_text("@recipe\ndef f(p): pass\n")
    shipped.cache_clear()
    yield
    shipped.cache_clear()


@pytest.mark.usefixtures("own_files")
def test_a_function_that_mgit_ships_is_read_where_it_is_defined() -> None:
    assert shipped("mgit.recipes:average").options == {"revision": 2}
    assert shipped("mgit.recipes:prune") == Described(
        mark="recipe",
        options={"revision": 1, "operation": "prune"},
        parameters={"keep": 0.5},
        takes_seed=False,
        takes_context=False,
        takes_any=False,
        summary="Zeroes weights.",
    )


@pytest.mark.usefixtures("own_files")
@pytest.mark.parametrize(
    "function", ["mgit.recipes:gone", "mgit.gone:f", "other:f", "mgit:f", "recipes:average"]
)
def test_mgit_ships_nothing_else(function: str) -> None:
    with pytest.raises(NotFoundError):
        shipped(function)


def test_a_function_of_mgit_that_is_no_recipe_is_not_shipped() -> None:
    with pytest.raises(UsageError):
        shipped("mgit.source.closure:find_source")
