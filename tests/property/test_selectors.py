"""Laws of the selector language."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit.errors import UsageError
from mgit.selectors import (
    FUNCTIONS,
    PREFIXES,
    And,
    Call,
    Expression,
    Not,
    Or,
    Prefixed,
    Word,
    evaluate,
    parse,
)
from tests.selecting import (
    Family,
    ids,
    made_from,
    node_id,
    replaces,
)

LABELS = [f"n{number}" for number in range(6)]
VALUES = st.text("ab/", max_size=4)
GLOBS = st.text("ab/*?", min_size=1, max_size=5)


@st.composite
def families(draw: st.DrawFn) -> Family:
    edges = {}
    for number, label in enumerate(LABELS):
        older = st.sets(st.sampled_from(LABELS[:number]), max_size=3) if number else st.just(set())
        replaced = (
            st.sampled_from(LABELS[:number]).map(replaces) if number else st.just(made_from())
        )
        edges[label] = made_from(*draw(older)) | draw(st.one_of(st.just(made_from()), replaced))
    some = st.sets(st.sampled_from(LABELS))
    tagged = draw(st.dictionaries(VALUES, some, max_size=4))
    return Family(edges, tagged=tagged, overtaken=draw(some), absent=draw(some))


def calls(operands: st.SearchStrategy[Expression]) -> st.SearchStrategy[Call]:
    def call(name: str) -> st.SearchStrategy[Call]:
        function = FUNCTIONS[name]
        arguments = st.sampled_from(function.arguments).flatmap(
            lambda count: st.tuples(*[operands] * count)
        )
        counts = st.one_of(st.none(), st.integers(1, 999999)) if function.has_count else st.none()
        return st.builds(Call, st.just(name), arguments, counts)

    return st.sampled_from(sorted(FUNCTIONS.keys() - {"forkpoint"})).flatmap(call)


def expressions(leaves: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    def larger(operands: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        several = st.lists(operands, min_size=2, max_size=3).map(tuple)
        return st.one_of(
            st.builds(And, several),
            st.builds(Or, several),
            st.builds(Not, operands),
            calls(operands),
        )

    return st.recursive(leaves, larger, max_leaves=6)


KNOWN = expressions(
    st.one_of(
        st.sampled_from(LABELS).map(Word),
        GLOBS.filter(lambda glob: "*" in glob and glob[0] != "/").map(Word),
        st.builds(Prefixed, st.just("tag"), GLOBS),
        st.just(Call("all")),
    )
)
ANY = expressions(
    st.one_of(
        st.from_regex(
            r"(@[a-z]{1,3}/|[a-z]{4}:)?[a-z0-9][a-z0-9./-]{0,5}(@[a-z0-9]{1,3})?", fullmatch=True
        )
        .filter(lambda text: text.partition(":")[0] not in PREFIXES)
        .map(Word),
        GLOBS.filter(lambda glob: glob[0] != "/").map(Word),
        st.builds(
            Prefixed,
            st.sampled_from(sorted(PREFIXES)),
            st.from_regex(r"[\w*@?/][\w.-]{0,5}", fullmatch=True),
        ),
        st.builds(Call, st.just("forkpoint"), st.just((Word("a"), Word("b")))),
    )
)


@given(ANY)
def test_the_text_of_an_expression_is_read_as_the_same_expression(expression: Expression) -> None:
    assert parse(str(expression)) == expression


@given(st.one_of(st.text(max_size=30), st.text("ab2&|~(), :*@-", max_size=30)))
def test_any_text_is_an_expression_with_a_text_of_its_own_or_a_usage_error(text: str) -> None:
    try:
        expression = parse(text)
    except UsageError as error:
        refusal = error
    else:
        assert parse(str(expression)) == expression
        return

    column = re.search(r"column (\d+)", str(refusal))
    assert refusal.hint
    assert not text.strip() or (column and 1 <= int(column[1]) <= len(text) + 1)


@given(families(), KNOWN, KNOWN)
def test_the_laws_of_de_morgan_hold(family: Family, a: Expression, b: Expression) -> None:
    assert evaluate(Not(And((a, b))), family) == evaluate(Or((Not(a), Not(b))), family)
    assert evaluate(Not(Or((a, b))), family) == evaluate(And((Not(a), Not(b))), family)


@given(families(), KNOWN)
def test_a_set_and_its_complement_share_nothing_and_are_everything(
    family: Family, a: Expression
) -> None:
    assert evaluate(And((a, Not(a))), family) == frozenset()
    assert evaluate(Or((a, Not(a))), family) == family.all()
    assert evaluate(Not(Not(a)), family) == evaluate(a, family)


@pytest.mark.parametrize("join", [And, Or])
@given(family=families(), a=KNOWN, b=KNOWN)
def test_and_and_or_ignore_order_and_repetition(
    join: type[And | Or], family: Family, a: Expression, b: Expression
) -> None:
    assert evaluate(join((a, b)), family) == evaluate(join((b, a)), family)
    assert evaluate(join((a, a)), family) == evaluate(a, family)


@given(families(), KNOWN, KNOWN)
def test_and_narrows_and_or_widens(family: Family, a: Expression, b: Expression) -> None:
    assert evaluate(And((a, b)), family) <= evaluate(a, family) <= evaluate(Or((a, b)), family)


@given(families(), st.one_of(st.none(), st.integers(1, 3)))
def test_a_node_is_below_its_ancestors_and_never_its_own(
    family: Family, within: int | None
) -> None:
    above = {a: evaluate(Call("ancestors", (Word(a),), within), family) for a in LABELS}
    below = {a: evaluate(Call("descendants", (Word(a),), within), family) for a in LABELS}

    for a in LABELS:
        assert above[a] == ids([b for b in LABELS if node_id(a) in below[b]])
        assert node_id(a) not in above[a]
        assert above[a] == family.lineage.ancestors(node_id(a), within=within)


ADDITIVE = [name for name, row in FUNCTIONS.items() if row.arguments == range(1, 2)]


@pytest.mark.parametrize("function", ADDITIVE)
@given(family=families(), a=KNOWN, b=KNOWN)
def test_a_function_of_a_union_is_the_union_of_the_function(
    function: str, family: Family, a: Expression, b: Expression
) -> None:
    whole = evaluate(Call(function, (Or((a, b)),)), family)

    assert whole == evaluate(Or((Call(function, (a,)), Call(function, (b,)))), family)


@pytest.mark.parametrize(("ends", "beyond"), [("heads", "ancestors"), ("roots", "descendants")])
@given(family=families(), a=KNOWN)
def test_what_is_not_an_end_of_a_set_lies_beyond_one(
    ends: str, beyond: str, family: Family, a: Expression
) -> None:
    nodes = evaluate(a, family)
    end = Call(ends, (a,))

    rest = evaluate(And((a, Call(beyond, (end,)))), family)

    assert evaluate(end, family) | rest == nodes
    assert evaluate(end, family).isdisjoint(rest)


@given(GLOBS, VALUES)
def test_a_glob_matches_what_the_regular_expression_for_it_matches(glob: str, value: str) -> None:
    rules = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    pattern = "".join(rules.get(piece, piece) for piece in re.findall(r"\*\*|.", glob))
    family = Family({"n0": made_from()}, tagged={value: ["n0"]})

    matched = bool(evaluate(Prefixed("tag", glob), family))

    assert matched == bool(re.fullmatch(pattern, value))
