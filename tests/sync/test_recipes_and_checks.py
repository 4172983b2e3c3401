"""Recipes travel with the nodes that cite them, and what is said of checks always does.

base    legal (made from base by a recipe)    other@v1 <- other (both with recipes of their own)

A check is registered in alice's copy.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mgit import sync
from mgit.canonical import encode as canonical_bytes
from mgit.digest import Digest
from mgit.objects import (
    REGISTRATION,
    WITHDRAWAL,
    Check,
    Code,
    Edge,
    EdgeKind,
    Gate,
    Level,
    MetaObject,
    Node,
    Payload,
    Recipe,
    Ref,
    Severity,
    Statement,
    Subject,
    digest_of,
)
from mgit.objects.statement import descriptor
from mgit.provenance import Provenance, result_statement, withdrawal
from mgit.repair import check as fsck
from mgit.repository import Repository, Step, install_objects, new_entry, record
from mgit.selection import Selection
from mgit.sync.travel import travelling
from tests.family import Person, add, bare_node, names, tuned, weights
from tests.sync.attacks import Planted, plant
from tests.sync.wires import at_rest, counting, fetch_via

BASE = weights("base")


def recipe(word: str) -> Recipe:
    return Recipe(Code("tools:tune", Digest.of(b"source"), 0, {"on": word}, 7, {}, Level.BITWISE))


def check(word: str) -> Check:
    code = Code("tools:score", Digest.of(b"source"), 0, {"on": word}, None, {}, Level.BITWISE)
    return Check(code, (Gate("at_least", {"metric": "f1", "value": 0.5}),), Severity.BLOCK)


LEGAL, OTHER, OLDER = recipe("legal"), recipe("other"), recipe("older")
F1 = check("f1")


def write(repository: Repository, *objects: MetaObject, **moves: Node) -> None:
    """One step that keeps objects, and nodes that names move to."""
    targets = {name: digest_of(node) for name, node in moves.items()}
    with repository.writing():
        step = Step("add", targets, [*objects, *moves.values()])
        record(repository, repository.history(), step)


def say(repository: Repository, *statements: Statement, objects: tuple[Check, ...] = ()) -> Digest:
    """One step that claims statements; returns the payload of the first."""
    with repository.writing():
        step = Step("check", objects=objects, statements=statements)
        record(repository, repository.history(), step)
    return digest_of(statements[0].payload())


def registration(of: Check) -> Statement:
    subject = Subject(Ref(Check.kind, digest_of(of)), "f1")
    return Statement((subject,), REGISTRATION, {"on": "all()", "nonce": "1"})


def made_by(found: Recipe, repository: Repository, name: str) -> Node:
    """The node of a name, as if a recipe had made it."""
    node = repository.history().nodes[one(repository, name)]
    version = Edge(EdgeKind.VERSION, digest_of(node))
    return replace(node, recipe=digest_of(found), edges=node.edges | {version})


def one(repository: Repository, name: str) -> Digest:
    return Selection(repository, repository.history()).one(name)


def sent(repository: Repository, selector: str) -> dict[Ref, MetaObject]:
    history = repository.history()
    return travelling(history, Selection(repository, history).nodes(selector)).objects


def ref_of(obj: MetaObject) -> Ref:
    return Ref(obj.kind, digest_of(obj))


def registered(repository: Repository, what: Check = F1) -> list[bool]:
    """Whether each registration of a check that is not taken back counts."""
    claims = Provenance(repository.history()).about(digest_of(what), REGISTRATION)
    return [claim.is_trusted for claim in claims]


@pytest.fixture
def alice(tmp_path: Path) -> Repository:
    repository = Person("alice", tmp_path).init()
    add(repository, "base", BASE)
    add(repository, "legal", tuned(BASE, "legal"), "base")
    write(repository, LEGAL, legal=made_by(LEGAL, repository, "legal"))
    older = replace(bare_node("older"), recipe=digest_of(OLDER))
    newer = replace(bare_node("newer", digest_of(older)), recipe=digest_of(OTHER))
    write(repository, OLDER, older, OTHER, other=newer)
    say(repository, registration(F1), objects=(F1,))
    return repository


@pytest.fixture
def bob(alice: Repository, tmp_path: Path) -> Repository:
    return Person("bob", tmp_path).clone(str(alice.folder.parent))


# --- in a history ---


def test_a_history_holds_recipes_and_checks_from_the_packs(alice: Repository) -> None:
    again = at_rest(alice.folder, alice.folder.parent).history()

    for history in (alice.history(), again):
        assert history.recipes == {digest_of(found): found for found in (LEGAL, OTHER, OLDER)}
        assert history.checks == {digest_of(F1): F1}
        assert history.damaged == ()


# --- what travels ---


def test_the_recipes_of_all_nodes_that_travel_travel_bare_ones_too(alice: Repository) -> None:
    objects = sent(alice, "legal")

    found = {ref for ref in objects if ref.kind == Recipe.kind}
    assert found == {ref_of(LEGAL), ref_of(OTHER), ref_of(OLDER)}


def test_a_recipe_whose_node_does_not_travel_stays(alice: Repository) -> None:
    unnamed = replace(bare_node("unnamed"), recipe=digest_of(recipe("unnamed")))
    install_objects(alice, [recipe("unnamed"), unnamed, recipe("uncited"), check("uncited")])
    assert digest_of(recipe("uncited")) in alice.history().recipes

    objects = sent(alice, "legal | other")

    stay: tuple[MetaObject, ...] = (recipe("unnamed"), recipe("uncited"), check("uncited"))
    assert not objects.keys() & {ref_of(obj) for obj in stay}


def test_what_is_cited_travels_before_what_cites_it(alice: Repository) -> None:
    order = list(sent(alice, "all()"))

    for node in (made_by(LEGAL, alice, "legal@v1"), registration(F1).payload()):
        cited = {ref for ref in node.keeps() if ref.kind in {Recipe.kind, Check.kind}}
        assert len(cited) == 1
        assert order.index(cited.pop()) < order.index(ref_of(node))


def test_a_recipe_that_is_a_check_does_not_travel_under_its_name(alice: Repository) -> None:
    odd = replace(bare_node("odd"), recipe=digest_of(F1))
    write(alice, odd=odd)

    objects = sent(alice, "odd")

    assert ref_of(odd) in objects
    assert Ref(Recipe.kind, digest_of(F1)) not in objects


@pytest.mark.parametrize("selector", ["legal", "tag:nothing"])
def test_a_registered_check_travels_whatever_is_selected(alice: Repository, selector: str) -> None:
    objects = sent(alice, selector)

    assert ref_of(F1) in objects
    assert ref_of(registration(F1).payload()) in objects


def test_that_a_registration_was_taken_back_travels_too(alice: Repository) -> None:
    said = {digest_of(registration(F1).payload()): registration(F1)}
    back = say(alice, withdrawal(said))

    objects = sent(alice, "tag:nothing")

    assert Ref(Payload.kind, back) in objects
    assert alice.history().statements[back].predicate_type == WITHDRAWAL


def test_a_registration_that_nobody_claims_does_not_travel(alice: Repository) -> None:
    stray = registration(check("stray")).payload()
    install_objects(alice, [check("stray"), stray, alice.identity().key.sign(stray)])
    assert digest_of(stray) in alice.history().statements

    assert not sent(alice, "all()").keys() & {ref_of(stray), ref_of(check("stray"))}


def test_a_registration_that_its_key_did_not_sign_does_not_travel(
    alice: Repository, tmp_path: Path
) -> None:
    stray = registration(check("stray"))
    signed = Person("carl", tmp_path).init().identity().key.sign(stray.payload())
    step = Step("check", statements=[stray])
    entry = new_entry(alice.history(), alice.identity(), step).payload()
    install_objects(alice, [stray.payload(), signed, entry, alice.identity().key.sign(entry)])

    objects = sent(alice, "all()")

    assert ref_of(entry) in objects
    assert ref_of(stray.payload()) not in objects


def test_a_registration_of_another_repository_does_not_travel(
    alice: Repository, tmp_path: Path
) -> None:
    carl = Person("carl", tmp_path).init()
    theirs = say(carl, registration(check("theirs")), objects=(check("theirs"),))
    install_objects(alice, carl.history().objects.values())
    assert theirs in alice.history().statements

    objects = sent(alice, "all()")

    assert not objects.keys() & {Ref(Payload.kind, theirs), ref_of(check("theirs"))}


# --- clone, push, fetch ---


@pytest.mark.parametrize("weights_too", [True, False], ids=["whole", "without weights"])
@pytest.mark.parametrize("select", ["", "base"])
def test_a_clone_has_the_recipes_and_the_checks(
    alice: Repository, tmp_path: Path, select: str, *, weights_too: bool
) -> None:
    url = str(alice.folder.parent)

    his = Person("bob", tmp_path).clone(url, select=select, weights=weights_too)

    assert his.history().checks == alice.history().checks
    assert registered(his) == [True]
    node = his.history().nodes[one(his, "other")]
    assert node.recipe is not None
    assert his.history().recipes[node.recipe] == OTHER
    assert fsck(his).is_clean


def test_a_push_carries_recipes_and_checks_once(alice: Repository, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()

    first, second = (sync.push(alice, str(stick), "legal") for _ in range(2))

    there = at_rest(stick, tmp_path).history()
    assert (there.recipes, there.checks) == (alice.history().recipes, alice.history().checks)
    assert first.objects > 0
    assert (second.objects, second.packs) == (0, 0)


def test_a_fetch_brings_what_was_registered_since_and_then_nothing(
    alice: Repository, bob: Repository
) -> None:
    newer = check("newer")
    say(alice, registration(newer), objects=(newer,))

    fetched = sync.fetch(bob)
    again = counting(alice.folder.parent)
    nothing = fetch_via(bob, again)

    assert (registered(bob, newer), bob.history().checks[digest_of(newer)]) == ([True], newer)
    assert fetched.objects == 5  # the check, its registration and an entry, each signed
    assert (nothing.objects, again.reads) == (0, 0)


def test_a_check_that_somebody_without_a_role_registers_arrives_and_does_not_count(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    offered = check("offered")
    say(bob, registration(offered), objects=(offered,))

    sync.push(bob, str(alice.folder.parent))
    carl = Person("carl", tmp_path).clone(str(alice.folder.parent))

    assert digest_of(offered) in carl.history().checks
    assert registered(carl, offered) == [False]


# --- a recipe that is not there, or not whole ---


@pytest.fixture
def lacking(alice: Repository) -> Repository:
    """Alice's copy, where ``odd`` names a recipe that nobody has."""
    write(alice, odd=made_by(recipe("odd"), alice, "base"))
    return alice


def test_a_node_without_its_recipe_travels_like_any_other(
    lacking: Repository, tmp_path: Path
) -> None:
    url = str(lacking.folder.parent)
    (tmp_path / "stick").mkdir()

    his = Person("bob", tmp_path).clone(url)
    sync.push(his, str(tmp_path / "stick"))
    hers = Person("carl", tmp_path).clone(str(tmp_path / "stick"))

    for repository in (lacking, his, hers):
        assert names(repository) == names(lacking)
        assert fsck(repository).is_clean
        assert repository.history().damaged == ()


def test_a_recipe_that_was_absent_comes_from_whoever_has_it(
    lacking: Repository, tmp_path: Path
) -> None:
    his = Person("bob", tmp_path).clone(str(lacking.folder.parent))
    install_objects(lacking, [recipe("odd")])

    sync.fetch(his)

    assert digest_of(recipe("odd")) in his.history().recipes


def malformed(alice: Repository) -> Digest:
    """A recipe that is what its digest says, and yet none."""
    body = canonical_bytes((Recipe.kind, (), {**LEGAL.body(), "output": "../x"}))
    plant(alice, Planted(Recipe.kind, body))
    return Digest.of(body)


def not_its_digest(alice: Repository) -> Digest:
    body = canonical_bytes((Recipe.kind, (), LEGAL.body()))
    plant(alice, Planted(Recipe.kind, body, Digest.of(b"claimed")))
    return Digest.of(b"claimed")


@pytest.mark.parametrize("attack", [malformed, not_its_digest])
def test_a_node_whose_recipe_is_none_can_be_read_and_fetched(
    alice: Repository, bob: Repository, attack: Callable[[Repository], Digest]
) -> None:
    odd = replace(made_by(LEGAL, alice, "base"), recipe=attack(alice))
    write(alice, odd=odd)

    fetched = sync.fetch(bob)

    assert len(fetched.damaged) == 1
    assert names(bob) == names(alice)
    assert fsck(bob).is_clean
    assert [damage.place.row.ref.digest for damage in fsck(alice).damage] == [odd.recipe]
    assert odd.recipe not in bob.history().recipes


def damaged(repository: Repository, what: MetaObject) -> Repository:
    """The repository after a bit of an object flipped."""
    (place,) = repository.store.catalog.places(ref_of(what))
    path = repository.folder / "packs" / f"{place.pack.hex()}.meta"
    content = bytearray(path.read_bytes())
    content[place.row.offset + 40] ^= 1
    path.write_bytes(content)
    return Repository.at(repository.folder, repository.home)


def test_a_damaged_recipe_is_found_and_fetched_again(alice: Repository, bob: Repository) -> None:
    spoilt = damaged(bob, LEGAL)

    report = fsck(spoilt)
    meant = names(spoilt)
    sync.fetch(spoilt)

    (damage,) = report.damage
    assert (damage.place.row.ref, damage.models, damage.cited_by) == (ref_of(LEGAL), (), ("legal",))
    assert meant == names(alice)
    assert spoilt.history().recipes[digest_of(LEGAL)] == LEGAL


def test_of_a_damaged_check_is_told_what_it_was_run_on(alice: Repository) -> None:
    tested = ("legal", "base")
    result = {"result": "PASSED", "configuration": [descriptor(Subject(ref_of(F1), "f1"))]}
    say(alice, *(result_statement(name, one(alice, name), result) for name in tested))

    (damage,) = fsck(damaged(alice, F1)).damage

    assert (damage.place.row.ref, damage.cited_by) == (ref_of(F1), ("base", "legal"))
