"""What words mean in a real repository, and how nodes are called.

base@v1 <- base          legal@v1 <- legal       chess <- m@alice
   ^ fine-tuned as legal                               <- m@bob      (a conflicted name)
                                                  draft: by carl, who has no role
"""

from pathlib import Path

import pytest

from mgit import editing, sync
from mgit.digest import Digest
from mgit.errors import AbsentError, ConflictError, MgitError, NotFoundError, UsageError
from mgit.objects import digest_of
from mgit.repository import Repository, Step, record
from mgit.selection import Selection
from mgit.signing import fingerprint
from tests.family import Person, add, bare_node, point, trusted, tuned, weights

BASE, CHESS = weights("base"), weights("chess")


@pytest.fixture(scope="module")
def bob(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Bob's copy, in which nothing is changed by these tests."""
    root = tmp_path_factory.mktemp("family")
    alice, bob, carl = (Person(name, root) for name in ("alice", "bob", "carl"))
    hers = alice.init()
    add(hers, "base", BASE, type="bert", tags=["ok"])
    add(hers, "legal", tuned(BASE, "legal"), "base", operation="finetune", type="bert")
    add(hers, "legal", tuned(BASE, "legal 2"), type="bert")
    add(hers, "base", tuned(BASE, "next"), type="bert")
    add(hers, "m", CHESS)
    trusted(hers, bob)
    his = bob.clone(str(root / "alice"))
    add(hers, "m", tuned(CHESS, "alice"))
    add(his, "m", tuned(CHESS, "bob"))
    strangers = carl.clone(str(root / "alice"))
    add(strangers, "base", tuned(BASE, "carl"))
    sync.push(strangers)
    sync.fetch(his)
    return his


def meant(repository: Repository, text: str) -> set[str]:
    selection = Selection(repository, repository.history())
    return {selection.title(node) for node in selection.nodes(text)}


MEANT = {
    "base": {"base"},
    "base@v1": {"base@v1"},
    "legal@v2": {"legal"},
    "m@alice": {"m@alice"},
    "m@v1": {"m@v1"},
    "m@v2": {"m@alice", "m@bob"},
    "@carl/base": {"@carl/base"},
    "origin:base": {"base"},
    "origin:m*": {"m@alice"},
    "l*": {"legal"},
    "**": {"base", "legal", "m@alice", "m@bob"},
    "tag:ok": {"base@v1"},
    "tag:none": set(),
    "type:bert & op:finetune": {"legal@v1"},
    "author:bob": {"m@bob"},
    "author:carl": set(),
    "conflicts()": {"m@alice", "m@bob"},
    "missing()": set(),
    "behind()": {"legal@v1", "legal"},
    "parents(legal@v1)": {"base@v1"},
    "ancestors(legal)": {"base@v1", "legal@v1"},
    "ancestors(legal, 1)": {"legal@v1"},
    "children(base@v1)": {"base", "legal@v1"},
    "descendants(base@v1) & legal": {"legal"},
    "versions(legal)": {"legal@v1", "legal"},
    "family(m@v1)": {"m@v1", "m@alice", "m@bob"},
    "roots()": {"base@v1", "m@v1"},
    "heads(versions(base))": {"@carl/base"},
    "forkpoint(m@alice, m@bob)": {"m@v1"},
    "legal | m@bob": {"legal", "m@bob"},
    "versions(m@v1) & ~conflicts()": {"m@v1"},
}


@pytest.mark.parametrize("text", MEANT)
def test_a_selector_means_these_nodes(bob: Repository, text: str) -> None:
    assert meant(bob, text) == MEANT[text]


REFUSED: dict[str, tuple[type[MgitError], str]] = {
    "m": (ConflictError, "m@alice, m@bob"),
    "m@carl": (NotFoundError, "m@carl"),
    "base@v9": (NotFoundError, "base@v9"),
    "bse": (NotFoundError, "bse"),
    "@carl/legal": (NotFoundError, "@carl/legal"),
    "@nobody/base": (NotFoundError, "@nobody/base"),
    "upstream:base": (UsageError, "neither a prefix nor a remote"),
    "forkpoint(all(), m@bob)": (UsageError, "one node on each side"),
    "12345": (NotFoundError, "12345"),
    "ffffffffffff": (NotFoundError, "ffffffffffff"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_means_nothing_is_refused(bob: Repository, text: str) -> None:
    expected, said = REFUSED[text]

    with pytest.raises(expected, match=said.replace("(", r"\(")) as refused:
        meant(bob, text)

    assert refused.value.hint


def test_every_node_is_found_by_its_title_and_by_the_first_digits_of_its_id(
    bob: Repository,
) -> None:
    history = bob.history()
    selection = Selection(bob, history)

    for node in history.nodes:
        spellings = (selection.title(node), node.hex(), f"sha256:{node.hex()}", node.short)
        assert {selection.one(text) for text in spellings} == {node}


def test_a_few_digits_of_several_ids_are_refused(tmp_path: Path) -> None:
    repository = Person("dora", tmp_path).init()
    one, other = twins()
    for label in (one, other):
        point(repository, f"x{label}", label)

    with pytest.raises(UsageError, match="begins 2 ids"):
        meant(repository, digest_of(bare_node(one)).hex()[:6])


def twins() -> tuple[str, str]:
    """Labels of two bare nodes whose ids begin alike."""
    seen: dict[str, str] = {}
    for label in map(str, range(100_000)):
        other = seen.setdefault(digest_of(bare_node(label)).hex()[:6], label)
        if other != label:
            return other, label
    raise AssertionError("ids that never begin alike")


def test_two_versions_of_one_number_are_told_apart(tmp_path: Path) -> None:
    """v1 <- v2 by one, v2 by another <- v3, which replaces both"""
    repository = Person("dora", tmp_path).init()
    first = point(repository, "m", "first")
    sides = [point(repository, "m", side, first) for side in ("left", "right")]
    point(repository, "m", "both", *sides)
    selection = Selection(repository, repository.history())

    titles = [selection.title(side) for side in sides]

    assert titles == [f"m@v2-{side.hex()[:6]}" for side in sides]
    assert [selection.one(title) for title in titles] == sides
    assert selection.title(first) == "m@v1"
    assert selection.nodes("m@v2") == set(sides)
    with pytest.raises(UsageError, match="selects 2 nodes") as refused:
        selection.one("m@v2")
    assert all(title in str(refused.value) for title in titles)
    for unknown in ("m@v2-000000", f"m@v1-{sides[0].hex()[:6]}", f"m@v{'9' * 5_000}"):
        with pytest.raises(NotFoundError):
            selection.one(unknown)


def test_a_name_whose_node_is_not_here_says_so(tmp_path: Path) -> None:
    repository = Person("alice", tmp_path).init()
    with repository.writing():
        elsewhere = Digest.of(b"elsewhere")
        record(repository, repository.history(), Step("x", {"m": elsewhere}))

    with pytest.raises(AbsentError, match="is not here"):
        meant(repository, "m")
    with pytest.raises(AbsentError, match="is not here"):
        editing.pick(repository, "other", "m")


def test_two_strangers_of_one_label_are_told_apart_by_fingerprint(tmp_path: Path) -> None:
    hers = Person("alice", tmp_path).init()
    point(hers, "m", "v1")
    keys = []
    for folder in ("one", "two"):
        person = Person("eve", tmp_path / folder)
        his = person.clone(str(tmp_path / "alice"))
        point(his, "m", folder, *hers.history().names.resolve("m"))
        sync.push(his)
        keys.append(person.key)

    with pytest.raises(UsageError, match="several keys"):
        meant(hers, "@eve/m")
    for key in keys:
        assert len(meant(hers, f"@{fingerprint(key)[:8]}/m")) == 1


def test_a_conflict_is_not_behind_itself(bob: Repository) -> None:
    selection = Selection(bob, bob.history())

    for side in ("m@alice", "m@bob", "m@v1"):
        assert selection.newer_ancestors(selection.one(side)) == {}


@pytest.mark.parametrize(
    ("text", "advice"), [("75ca", "at least 6 digits"), ("heads", "a function: heads(")]
)
def test_a_word_that_is_nearly_something_says_what(tmp_path: Path, text: str, advice: str) -> None:
    alice = Person("alice", tmp_path).init()

    with pytest.raises(NotFoundError) as refused:
        Selection(alice, alice.history()).one(text)

    assert advice in refused.value.hint


@pytest.mark.parametrize(
    ("text", "there_is"),
    [
        ("legal@v9", "legal@v1, legal"),
        ("legal@carl", "legal@alice"),
        ("m@carl", "m@alice, m@bob"),
        ("m@v7", "m@v1, m@v2-"),
    ],
)
def test_a_version_that_is_not_here_says_which_are(
    bob: Repository, text: str, there_is: str
) -> None:
    with pytest.raises(NotFoundError) as refused:
        Selection(bob, bob.history()).one(text)

    assert refused.value.hint.startswith(f"there is: {there_is}")
