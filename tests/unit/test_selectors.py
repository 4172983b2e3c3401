"""The language of selectors, over this family (``=>`` replaces, ``->`` made from):

base@v1 => base@v2 -> qa
   |
   +--> team/math --> team/math/tiny --+
   |                                   +--> team/merged        rival@alice    rival@bob
   +--> team/code ---------------------+                       (one conflicted name)
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit.digest import Digest
from mgit.errors import ConflictError, NotFoundError, UsageError
from mgit.lineage import Lineage
from mgit.objects import Edge, EdgeKind, Node
from mgit.selectors import (
    FUNCTIONS,
    MAX_CHARACTERS,
    MAX_DEPTH,
    PREFIXES,
    And,
    Call,
    Expression,
    Nodes,
    Not,
    Or,
    Prefixed,
    Word,
    evaluate,
    parse,
)

Index = Mapping[str, Collection[str]]


def node_id(label: str) -> Digest:
    return Digest.of(label.encode())


def ids(labels: Collection[str]) -> Nodes:
    return frozenset(map(node_id, labels))


def made_from(*parents: str) -> frozenset[Edge]:
    return frozenset(Edge(EdgeKind.PROVENANCE, node_id(parent), "base") for parent in parents)


def replaces(parent: str) -> frozenset[Edge]:
    return frozenset({Edge(EdgeKind.VERSION, node_id(parent))})


@dataclass(frozen=True)
class Family:
    """Facts in plain dictionaries; every node also has its own label as a word."""

    edges: Mapping[str, frozenset[Edge]]
    words: Mapping[str, str] = field(default_factory=dict)
    conflicted: Index = field(default_factory=dict)
    tagged: Index = field(default_factory=dict)
    typed: Index = field(default_factory=dict)
    made_by: Index = field(default_factory=dict)
    authored: Index = field(default_factory=dict)
    upstream: Index = field(default_factory=dict)
    overtaken: Collection[str] = ()
    absent: Collection[str] = ()

    @cached_property
    def lineage(self) -> Lineage:
        return Lineage(
            {
                node_id(label): Node(node_id("manifest"), edges, None, "import", "")
                for label, edges in self.edges.items()
            }
        )

    def all(self) -> Nodes:
        return ids(self.edges)

    def word(self, text: str) -> Nodes:
        if text in self.conflicted:
            raise ConflictError(f"{text!r} is conflicted")
        label = self.words.get(text, text)
        if label not in self.edges:
            raise NotFoundError(f"no model {text!r}")
        return ids([label])

    def remotes(self) -> Collection[str]:
        return ("upstream",) if self.upstream else ()

    def names(self, remote: str) -> Mapping[str, Nodes]:
        if remote:
            return indexed(self.upstream)
        sides = {side for sides in self.conflicted.values() for side in sides}
        plain = {label: [label] for label in self.edges if label not in sides}
        return indexed(plain | dict(self.conflicted))

    def tags(self) -> Mapping[str, Nodes]:
        return indexed(self.tagged)

    def types(self) -> Mapping[str, Nodes]:
        return indexed(self.typed)

    def operations(self) -> Mapping[str, Nodes]:
        return indexed(self.made_by)

    def authors(self) -> Mapping[str, Nodes]:
        return indexed(self.authored)

    def behind(self) -> Nodes:
        return ids(self.overtaken)

    def missing(self) -> Nodes:
        return ids(self.absent)

    def conflicts(self) -> Nodes:
        return ids([side for sides in self.conflicted.values() for side in sides])


def indexed(index: Index) -> Mapping[str, Nodes]:
    return {key: ids(labels) for key, labels in index.items()}


FAMILY = Family(
    edges={
        "base@v1": made_from(),
        "base": replaces("base@v1"),
        "qa": made_from("base"),
        "team/math": made_from("base@v1"),
        "team/math/tiny": made_from("team/math"),
        "team/code": made_from("base@v1"),
        "team/merged": made_from("team/math/tiny", "team/code"),
        "rival@alice": made_from(),
        "rival@bob": made_from(),
    },
    words={
        "base@v2": "base",
        "@mallory/qa": "qa",
        "upstream:base": "base@v1",
        str(node_id("qa")): "qa",
        node_id("qa").short: "qa",
    },
    conflicted={"rival": ["rival@alice", "rival@bob"]},
    tagged={"legal": ["qa", "team/code"], "needs review": ["team/math"], "lang:en": ["qa"]},
    typed={"BertForMaskedLM": ["base@v1", "base"], "BertForQA": ["qa"]},
    made_by={"finetune": ["qa", "team/math", "team/code"], "merge": ["team/merged"]},
    authored={"alice": ["rival@alice", "qa"], "bob@example.org": ["rival@bob"]},
    upstream={"base": ["base@v1"], "team/math": ["team/math"]},
    overtaken=["team/math", "team/math/tiny", "team/code", "team/merged"],
    absent=["team/code"],
)


def select(text: str, facts: Family = FAMILY) -> set[str]:
    chosen = evaluate(parse(text), facts)
    return {label for label in facts.edges if node_id(label) in chosen}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("qa", "qa"),
        ("base", "base"),
        ("base@v1", "base@v1"),
        ("base@v2", "base"),
        ("rival@bob", "rival@bob"),
        ("@mallory/qa", "qa"),
        ("upstream:base", "base@v1"),
        (node_id("qa").short, "qa"),
        (str(node_id("qa")), "qa"),
    ],
)
def test_a_word_is_a_name_a_version_a_side_an_unrecognised_entry_a_remote_name_or_an_id(
    text: str, expected: str
) -> None:
    assert select(text) == {expected}


CALLS: list[tuple[str, set[str]]] = [
    ("ancestors(team/merged)", {"base@v1", "team/math", "team/math/tiny", "team/code"}),
    ("ancestors(team/merged, 1)", {"team/math/tiny", "team/code"}),
    ("ancestors(team/merged, 2)", {"team/math", "team/math/tiny", "team/code", "base@v1"}),
    ("ancestors(team/math/tiny | qa, 1)", {"team/math", "base"}),
    ("ancestors(base@v1)", set()),
    ("descendants(base)", {"qa"}),
    ("descendants(base@v1, 1)", {"base", "team/math", "team/code"}),
    ("parents(team/merged)", {"team/math/tiny", "team/code"}),
    ("parents(team/math/tiny | team/math)", {"team/math", "base@v1"}),
    ("children(base@v1)", {"base", "team/math", "team/code"}),
    ("versions(base)", {"base@v1", "base"}),
    ("versions(qa | base@v1)", {"qa", "base@v1", "base"}),
    ("family(rival@bob | rival@alice)", {"rival@alice", "rival@bob"}),
    ("heads()", {"qa", "team/merged", "rival@alice", "rival@bob"}),
    ("heads(versions(base))", {"base"}),
    ("heads(team/math | team/merged | qa)", {"team/merged", "qa"}),
    ("roots()", {"base@v1", "rival@alice", "rival@bob"}),
    ("roots(team/math | team/merged | qa)", {"team/math", "qa"}),
    ("forkpoint(qa, team/code)", {"base@v1"}),
    ("forkpoint(qa, base)", {"base"}),
    ("forkpoint(qa, rival@bob)", set()),
    ("behind()", {"team/math", "team/math/tiny", "team/code", "team/merged"}),
    ("missing()", {"team/code"}),
    ("conflicts()", {"rival@alice", "rival@bob"}),
    ("all()", set(FAMILY.edges)),
]


@pytest.mark.parametrize(("text", "expected"), CALLS)
def test_each_function_selects_what_its_name_says(text: str, expected: set[str]) -> None:
    assert select(text) == expected


def test_the_table_of_calls_misses_no_function() -> None:
    used = {name for text, _ in CALLS for name in re.findall(r"(\w+)\(", text)}

    assert used == set(FUNCTIONS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tag:legal", {"qa", "team/code"}),
        ("tag:needs?review", {"team/math"}),
        ("tag:lang:en", {"qa"}),
        ("tag:nothing", set()),
        ("type:Bert*", {"base@v1", "base", "qa"}),
        ("op:merge", {"team/merged"}),
        ("author:bob@*", {"rival@bob"}),
    ],
)
def test_a_prefix_takes_a_value_or_a_glob(text: str, expected: set[str]) -> None:
    assert select(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("team/*", {"team/math", "team/code", "team/merged"}),
        ("team/**", {"team/math", "team/math/tiny", "team/code", "team/merged"}),
        ("team/m*", {"team/math", "team/merged"}),
        ("**/tiny", {"team/math/tiny"}),
        ("q?", {"qa"}),
        ("team?code", set()),
        ("riv*", {"rival@alice", "rival@bob"}),
        ("nothing*", set()),
        ("upstream:*", {"base@v1"}),
        ("upstream:**", {"base@v1", "team/math"}),
    ],
)
def test_a_star_stops_at_a_slash_and_two_do_not(text: str, expected: set[str]) -> None:
    assert select(text) == expected


@pytest.mark.parametrize(
    ("text", "same", "expected"),
    [
        ("qa | base & tag:legal", "qa | (base & tag:legal)", {"qa"}),
        ("base & qa | qa", "(base & qa) | qa", {"qa"}),
        ("~qa & team/code", "(~qa) & team/code", {"team/code"}),
        ("~qa | qa", "(~qa) | qa", set(FAMILY.edges)),
        ("team/* & ~tag:legal", "(team/*) & (~(tag:legal))", {"team/math", "team/merged"}),
    ],
)
def test_complement_binds_tighter_than_and_which_binds_tighter_than_or(
    text: str, same: str, expected: set[str]
) -> None:
    assert parse(text) == parse(same)
    assert select(text) == expected


def test_space_is_free() -> None:
    assert parse("descendants(qa,2)&~tag:legal") == parse(
        " descendants (\tqa , 2 )\n& ~ tag:legal "
    )


def test_a_model_may_be_called_like_a_function_a_prefix_or_a_number() -> None:
    assert parse("heads | tag | 2") == Or((Word("heads"), Word("tag"), Word("2")))
    assert parse("ancestors(2, 2)") == Call("ancestors", (Word("2"),), within=2)


def test_a_long_list_is_not_deep() -> None:
    text = "|".join(["qa"] * 3333)

    assert select(text) == {"qa"}


# --- what is refused ---


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "an empty selector", "write all()"),
        (" \n", "an empty selector", "write all()"),
        ("qa &", "column 5: a name or a function is missing at the end", "put a name"),
        ("qa && base", "column 5: a name or a function is missing before '&'", "put a name"),
        ("()", "column 2: a name or a function is missing before ')'", "put a name"),
        ("qa base", "column 4: an operator is missing before 'base'", "write qa & base"),
        ("qa ~ base", "column 4: an operator is missing before '~'", "write qa & ~ base"),
        ("qa and base", "column 4: an operator is missing before 'and'", "write qa & base"),
        ("qa not base", "column 4: an operator is missing before 'not'", "write qa & ~ base"),
        ("qa - base", "column 4: an operator is missing before '-'", "write qa & ~ base"),
        ("qa, base", "column 3: an operator is missing before ','", "write qa | base"),
        ("(qa | base", "column 1: '(' is never closed", "write (qa | base)"),
        ("heads(qa", "column 6: '(' is never closed", "write heads(qa)"),
        ("(qa base)", "column 5: an operator is missing before 'base'", "write (qa & base)"),
        ("qa) | base", "column 3: ')' closes nothing", "write qa | base"),
        ("qa=base", "column 3: '=' means nothing here", "join names with & | ~"),
        ("!qa", "column 1: '!' means nothing here", "join names with & | ~"),
        ("qa & \x1b]0;x", "column 6: '�' means nothing here", "join names with & | ~"),
        ("tag: legal", "column 1: nothing follows 'tag:'", "write tag:legal, without a space"),
        ("qa | base@*", "column 6: 'base@*' is a glob with an '@'", "write versions(bert)"),
        ("qa | grandma(qa)", "column 6: no function 'grandma'", "known: all(), ancestors(x[, n])"),
        ("failing(smoke)", "column 1: no function 'failing'", "known: all(), ancestors(x[, n])"),
        ("children()", "column 1: wrong arguments for children", "write children(x)"),
        ("all(qa)", "column 1: wrong arguments for all", "write all()"),
        ("heads(qa, base)", "column 1: wrong arguments for heads", "write heads([x])"),
        ("parents(qa, 2)", "column 1: wrong arguments for parents", "write parents(x)"),
        ("ancestors(qa, 0)", "column 1: wrong arguments for ancestors", "write ancestors(x[, n])"),
        ("ancestors(qa, 2, 2)", "column 1: wrong arguments for ancestors", "n is a number from 1"),
        ("forkpoint(qa)", "column 1: wrong arguments for forkpoint", "write forkpoint(x, y)"),
    ],
)
def test_a_mistake_is_named_with_its_column_and_what_to_write_instead(
    text: str, message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)

    assert message in str(caught.value)
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["qa ~ base", "qa, base", "(qa | base", "qa) | base", "qa not qa"])
def test_what_an_error_says_to_write_is_right(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)

    parse(caught.value.hint.removeprefix("write "))


@pytest.mark.parametrize("word", ["license:mit", "tags:legal", "a:b:c", "origin:team/*"])
def test_what_is_neither_a_prefix_nor_a_remote_is_refused_with_a_list_of_both(word: str) -> None:
    with pytest.raises(UsageError, match="is neither a prefix nor a remote") as caught:
        select(word)

    assert caught.value.hint == (
        "known prefixes: author:, op:, tag:, type:; known remotes: upstream:"
    )


@pytest.mark.parametrize(
    ("text", "error"), [("rival", ConflictError), ("heads(unheard-of) & qa", NotFoundError)]
)
def test_what_the_facts_raise_reaches_the_user(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        select(text)


@pytest.mark.parametrize(("side", "count"), [("team/*", 3), ("tag:nothing", 0)])
def test_a_fork_point_needs_one_node_on_each_side(side: str, count: int) -> None:
    with pytest.raises(UsageError, match=re.escape(f"'{side}' is {count}")):
        select(f"forkpoint(qa, {side})")


def test_a_selector_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(UsageError, match="10,001 characters, more than 10,000"):
        parse("(" * (MAX_CHARACTERS + 1))


@pytest.mark.parametrize(
    ("opening", "closing"), [("(", ")"), ("~", ""), ("heads(", ")"), ("~(qa & (qa | ", "))")]
)
def test_depth_is_bounded_and_what_is_within_the_bound_works(opening: str, closing: str) -> None:
    levels = max(1, opening.count("(") + opening.count("~"))
    fits = MAX_DEPTH // levels

    deepest = parse(opening * fits + "qa" + closing * fits)

    assert parse(str(deepest)) == deepest
    assert evaluate(deepest, FAMILY)
    with pytest.raises(UsageError, match="more than 50 levels"):
        parse(opening * (fits + 1) + "qa" + closing * (fits + 1))


def test_a_glob_full_of_stars_takes_no_longer_than_another() -> None:
    stranger = replace(FAMILY, tagged={"a" * 200: ["qa"]})

    assert select("tag:" + "*a" * 60, stranger) == {"qa"}
    assert select("tag:" + "*a" * 60 + "b", stranger) == set()


# --- laws ---

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
