"""The plan of a merge: what three manifests decide, and what they leave open.

base ── ours          a tensor is one of: absent, "a", "b", "c", "d"
  ^──── theirs
"""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit.combine import Side
from mgit.digest import Digest
from mgit.errors import UsageError
from mgit.merging.outcome import Clean, Conflict, NeedsTest, outcome_of
from mgit.merging.plan import (
    ByKeys,
    Combined,
    Conflicted,
    Origin,
    Plan,
    Reason,
    Taken,
    make_plan,
)
from mgit.merging.rules import Rules, parse_rules
from mgit.objects import Content, FileEntry, Layout, Manifest, TensorEntry, Weights, digest_of
from mgit.repository import Parts

Model = Mapping[str, str]


def entry(value: str, dtype: str = "F32", shape: tuple[int, ...] = (2, 2)) -> TensorEntry:
    return TensorEntry(dtype, shape, (Digest.of(value.encode()),))


def file(value: str) -> FileEntry:
    return FileEntry(len(value), (Digest.of(value.encode()),))


def parts(tensors: Model, files: Model | None = None, documents: Model | None = None) -> Parts:
    weights = Weights({name: entry(value) for name, value in tensors.items()})
    content = Content(digest_of(weights), {p: file(v) for p, v in (files or {}).items()})
    layout = Layout((), {})
    described = {path: file(value) for path, value in (documents or {}).items()}
    return Parts(
        Manifest(digest_of(content), described, digest_of(layout)), content, layout, weights
    )


def plan(
    base: Model, ours: Model, theirs: Model, method: str = "", strategies: tuple[str, ...] = ()
) -> Plan:
    return make_plan(parts(base), parts(ours), parts(theirs), parse_rules(method, strategies))


def only_tensor(found: Plan) -> object:
    (decision,) = found.tensors
    return decision


def results(found: Plan) -> dict[str, TensorEntry | None]:
    return {d.name: d.result for d in found.tensors if isinstance(d, Taken)}


def present(tensors: Model) -> dict[str, TensorEntry | None]:
    return {name: entry(value) for name, value in tensors.items()}


def without_none(found: dict[str, TensorEntry | None]) -> dict[str, TensorEntry | None]:
    return {name: result for name, result in found.items() if result}


models = st.dictionaries(st.sampled_from(["embed", "l.0", "l.1", "head"]), st.sampled_from("abcd"))
methods = st.sampled_from(["", "ours", "theirs", "base", "average", "task_arithmetic"])


# --- laws ---


@given(models, models, models, methods)
def test_every_tensor_of_the_three_is_decided_once(
    base: Model, ours: Model, theirs: Model, method: str
) -> None:
    found = plan(base, ours, theirs, method)

    assert [d.name for d in found.tensors] == sorted({*base, *ours, *theirs})
    assert sum(found.counts().values()) == len(found.tensors)


@given(models, models)
def test_what_only_the_others_changed_is_theirs(base: Model, theirs: Model) -> None:
    found = plan(base, base, theirs)

    assert without_none(results(found)) == present(theirs)
    assert outcome_of(found) == Clean(Side.OURS if base == theirs else Side.THEIRS)


@given(models, models)
def test_what_only_we_changed_is_ours(base: Model, ours: Model) -> None:
    found = plan(base, ours, base)

    assert without_none(results(found)) == present(ours)
    assert outcome_of(found) == Clean(Side.OURS)


@given(models, models)
def test_what_both_did_alike_is_that(base: Model, both: Model) -> None:
    found = plan(base, both, both)

    assert without_none(results(found)) == present(both)
    assert outcome_of(found) == Clean(Side.OURS)


@given(models, models, models, st.sampled_from(["", "base", "average", "task_arithmetic"]))
def test_it_does_not_matter_who_is_ours(
    base: Model, ours: Model, theirs: Model, method: str
) -> None:
    one, other = plan(base, ours, theirs, method), plan(base, theirs, ours, method)

    assert results(one) == results(other)
    for left, right in zip(one.tensors, other.tensors, strict=True):
        assert type(left) is type(right)
        if isinstance(left, Conflicted) and isinstance(right, Conflicted):
            assert left.reason is right.reason


@given(models, models, models, methods)
def test_clean_is_one_of_the_sides(base: Model, ours: Model, theirs: Model, method: str) -> None:
    found = plan(base, ours, theirs, method)
    outcome = outcome_of(found)

    match outcome:
        case Clean(side):
            kept = without_none(results(found))
            assert kept == present(ours if side is Side.OURS else theirs)
        case NeedsTest():
            assert outcome.combined or (outcome.from_ours and outcome.from_theirs)
        case Conflict(tensors, files):
            assert tensors
            assert not files


# --- one tensor ---


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "origin"),
    [
        ("a", "a", "a", Origin.NOBODY),
        ("a", "b", "a", Origin.OURS),
        ("a", "a", "b", Origin.THEIRS),
        ("a", "b", "b", Origin.BOTH),
        ("", "b", "", Origin.OURS),
        ("", "", "b", Origin.THEIRS),
        ("", "b", "b", Origin.BOTH),
        ("a", "", "a", Origin.OURS),
        ("a", "a", "", Origin.THEIRS),
        ("a", "", "", Origin.BOTH),
    ],
)
def test_what_manifests_decide(base: str, ours: str, theirs: str, origin: Origin) -> None:
    three = [{"t": value} if value else {"u": "a"} for value in (base, ours, theirs)]

    decision = plan(three[0], three[1], three[2]).tensors[0]

    assert isinstance(decision, Taken)
    assert decision.name == "t"
    assert decision.origin is origin
    assert decision.result == next(
        (entry(v) for v in (ours, theirs) if v and v != base),
        None if "" in (ours, theirs) else entry(base),
    )


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "reason"),
    [
        ("a", "b", "c", Reason.EDITED),
        ("", "b", "c", Reason.ADDED),
        ("a", "", "c", Reason.DELETED),
        ("a", "b", "", Reason.DELETED),
    ],
)
@pytest.mark.parametrize("method", ["", "average"])
def test_what_is_a_conflict(base: str, ours: str, theirs: str, reason: Reason, method: str) -> None:
    three = [{"t": value} if value else {} for value in (base, ours, theirs)]

    decision = plan(three[0], three[1], three[2], method).tensors[0]

    if method and reason is Reason.EDITED:
        assert isinstance(decision, Combined)
        assert str(decision.method) == "average"
    else:
        assert isinstance(decision, Conflicted)
        assert decision.reason is reason


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [
        (("F32", "F32", "BF16"), Reason.KIND),
        (("F32", "BF16", "BF16"), Reason.KIND),
        (("I64", "I64", "I64"), Reason.NOT_FLOAT),
        (("BOOL", "BOOL", "BOOL"), Reason.NOT_FLOAT),
        (("F4", "F4", "F4"), Reason.NOT_FLOAT),
    ],
)
def test_other_types_and_integers_cannot_be_combined(
    kinds: tuple[str, str, str], reason: Reason
) -> None:
    three = [with_entry(entry(value, dtype)) for value, dtype in zip("abc", kinds, strict=True)]

    found = only_tensor(make_plan(three[0], three[1], three[2], parse_rules("average", ())))

    assert isinstance(found, Conflicted)
    assert found.reason is reason


def test_another_shape_cannot_be_combined() -> None:
    three = [with_entry(entry("a")), with_entry(entry("b")), with_entry(entry("c", shape=(4, 1)))]

    found = only_tensor(make_plan(three[0], three[1], three[2], parse_rules("average", ())))

    assert isinstance(found, Conflicted)
    assert found.reason is Reason.KIND


def with_entry(tensor: TensorEntry) -> Parts:
    return replace(parts({}), weights=Weights({"t": tensor}))


@pytest.mark.parametrize("method", ["ours", "theirs", "base"])
@pytest.mark.parametrize("three", ["abc", "-bc", "a-c", "ab-"])
def test_a_choice_settles_any_conflict(method: str, three: str) -> None:
    sides = [{} if value == "-" else {"t": value} for value in three]

    decision = plan(sides[0], sides[1], sides[2], method).tensors[0]

    value = dict(zip(("base", "ours", "theirs"), three, strict=True))[method]
    assert isinstance(decision, Taken)
    assert decision.result == (None if value == "-" else entry(value))
    assert str(decision.method) == method


# --- strategies ---

START = {"body.0": "a", "body.1": "a", "head": "a"}
OURS = dict.fromkeys(START, "b")
THEIRS = dict.fromkeys(START, "c")


def test_the_first_strategy_that_matches_wins_and_the_method_does_the_rest() -> None:
    found = plan(START, OURS, THEIRS, "average", ("body.1=theirs", "body.*=task_arithmetic"))

    assert [str(d.method) if isinstance(d, Combined | Taken) else None for d in found.tensors] == [
        "task_arithmetic:weight=1.0",
        "theirs",
        "average",
    ]


@pytest.mark.parametrize(
    ("strategies", "unused"),
    [
        (("haed=ours",), "haed=ours"),
        (("*=ours", "head=theirs"), "head=theirs"),
        (("quiet=ours",), "quiet=ours"),
    ],
    ids=["typo", "shadowed", "only one side changed it"],
)
def test_a_strategy_that_decides_nothing_is_named(strategies: tuple[str, ...], unused: str) -> None:
    with pytest.raises(UsageError, match=unused):
        plan(START | {"quiet": "a"}, OURS | {"quiet": "a"}, THEIRS | {"quiet": "z"}, "", strategies)


# --- files ---


def files_plan(base: Model, ours: Model, theirs: Model, rules: Rules | None = None) -> Plan:
    three = [parts({}, files) for files in (base, ours, theirs)]
    return make_plan(three[0], three[1], three[2], rules or Rules())


def test_files_are_taken_whole_or_are_a_conflict() -> None:
    found = files_plan(
        {"a.txt": "1", "b.txt": "1", "c.txt": "1"},
        {"a.txt": "2", "b.txt": "2", "c.txt": "1", "d.txt": "1"},
        {"a.txt": "1", "b.txt": "3"},
    )

    assert [(d.name, type(d)) for d in found.files] == [
        ("a.txt", Taken),
        ("b.txt", Conflicted),
        ("c.txt", Taken),
        ("d.txt", Taken),
    ]
    assert outcome_of(found) == Conflict((), ("b.txt",))


def test_a_configuration_is_joined_and_a_tokenizer_is_not() -> None:
    base, ours, theirs = (dict.fromkeys(["config.json", "tokenizer.json"], v) for v in "123")

    config, tokenizer = files_plan(base, ours, theirs).files

    assert isinstance(config, ByKeys)
    assert isinstance(tokenizer, Conflicted)


def test_a_choice_settles_files_too() -> None:
    found = files_plan(
        {"tokenizer.json": "1"},
        {"tokenizer.json": "2"},
        {"tokenizer.json": "3"},
        parse_rules("", ("tokenizer*=theirs",)),
    )

    assert isinstance(found.files[0], Taken)
    assert found.files[0].result == file("3")


def test_a_document_is_ours_where_both_changed_it_and_that_is_told() -> None:
    base, ours, theirs = (
        parts({"t": "a"}, documents={"README.md": readme, "LICENSE": licence})
        for readme, licence in (("1", "1"), ("2", "1"), ("3", "2"))
    )

    found = make_plan(base, ours, theirs, Rules())

    assert {d.name: d.result for d in found.documents} == {
        "LICENSE": file("2"),
        "README.md": file("2"),
    }
    assert found.overruled == ("README.md",)
    assert outcome_of(found) == Clean(Side.OURS)


# --- outcomes ---


def test_edits_that_do_not_touch_each_other_need_a_test() -> None:
    found = plan(
        {"x": "a", "y": "a", "z": "a"},
        {"x": "b", "y": "a", "z": "a"},
        {"x": "a", "y": "b", "z": "a"},
    )

    assert outcome_of(found) == NeedsTest(("x",), ("y",), ())


def test_a_combined_tensor_needs_a_test() -> None:
    assert outcome_of(plan({"x": "a"}, {"x": "b"}, {"x": "c"}, "average")) == (
        NeedsTest((), (), ("x",))
    )


def test_edits_that_the_other_side_has_too_are_clean() -> None:
    found = plan({"x": "a", "y": "a"}, {"x": "b", "y": "b"}, {"x": "b", "y": "a"})

    assert outcome_of(found) == Clean(Side.OURS)


def test_a_configuration_of_ours_with_weights_of_theirs_needs_a_test() -> None:
    base, ours, theirs = (
        parts({"x": value}, {"config.json": config})
        for value, config in (("a", "1"), ("a", "2"), ("b", "1"))
    )

    assert outcome_of(make_plan(base, ours, theirs, Rules())) == (
        NeedsTest(("config.json",), ("x",), ())
    )
