"""What selectors select, and what is refused."""

import re
from dataclasses import replace

import pytest

from mgit.errors import ConflictError, NotFoundError, UsageError
from mgit.selectors import (
    FUNCTIONS,
    MAX_CHARACTERS,
    MAX_DEPTH,
    Call,
    Or,
    Word,
    evaluate,
    parse,
)
from tests.selecting import (
    FAMILY,
    node_id,
    select,
)


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
