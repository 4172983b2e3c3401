"""Tags, notes, and who says how a model was made.

base@v1 <- base
  ^ fine-tuned as legal (alice)        draft (bob, without a role)
"""

from dataclasses import replace
from pathlib import Path

import pytest

from mgit import editing
from mgit.digest import Digest
from mgit.errors import NotFoundError, TrustError, UsageError
from mgit.objects import CREATION, NOTE, digest_of
from mgit.provenance import Claim, Provenance, tag_statement, withdrawal
from mgit.repository import Repository, Step, install_objects, new_entry, record
from mgit.selection import Selection
from mgit.sync import fetch, push
from tests.family import Person, add, files, point, trusted, tuned, weights

BASE = weights("base")


@pytest.fixture
def alice(tmp_path: Path) -> Repository:
    repository = Person("alice", tmp_path).init()
    add(repository, "base", BASE)
    add(repository, "legal", tuned(BASE, "legal"), "base", operation="finetune", message="law")
    add(repository, "base", tuned(BASE, "next"))
    return repository


def claims(repository: Repository) -> Provenance:
    return Provenance(repository.history())


def one(repository: Repository, selector: str) -> Digest:
    return Selection(repository, repository.history()).one(selector)


def tags(repository: Repository, selector: str) -> set[str]:
    return set(claims(repository).tags(one(repository, selector)))


def notes(repository: Repository, selector: str) -> list[object]:
    found = claims(repository).about(one(repository, selector), NOTE)
    return [claim.statement.predicate["text"] for claim in found]


def test_every_node_of_a_selection_gets_the_tags(alice: Repository) -> None:
    tagged = editing.add_tags(alice, "versions(base)", ["released", "v1.0"])

    assert tagged == sorted({one(alice, "base"), one(alice, "base@v1")})
    assert tags(alice, "base") == tags(alice, "base@v1") == {"released", "v1.0"}
    assert tags(alice, "legal") == set()


def test_a_tag_that_is_there_is_not_given_again(alice: Repository) -> None:
    editing.add_tags(alice, "base", ["released"])
    before = files(alice.folder / "packs")

    assert editing.add_tags(alice, "base", ["released"]) == []

    assert files(alice.folder / "packs") == before


def test_a_tag_that_was_taken_back_can_be_given_again(alice: Repository) -> None:
    for _ in range(2):
        editing.add_tags(alice, "base", ["released"])
        assert editing.remove_tags(alice, "base", ["released"]) == [one(alice, "base")]
        assert tags(alice, "base") == set()

    editing.add_tags(alice, "base", ["released"])

    assert tags(alice, "base") == {"released"}


def test_a_tag_that_is_not_there_cannot_be_taken_back(alice: Repository) -> None:
    with pytest.raises(NotFoundError, match="no node of 'base'"):
        editing.remove_tags(alice, "base", ["released"])


@pytest.mark.parametrize("tag", ["", "Released", "a b", "../x", "x" * 64, "a:b"])
def test_what_cannot_be_a_tag_is_refused(alice: Repository, tag: str) -> None:
    with pytest.raises(UsageError):
        editing.add_tags(alice, "base", [tag])


def test_notes_are_kept_beside_each_other(alice: Repository) -> None:
    for text in ("good at law", "good at law", "not at chess"):
        assert editing.note(alice, "legal", text) == one(alice, "legal")

    assert sorted(map(str, notes(alice, "legal"))) == ["good at law", "good at law", "not at chess"]


def test_a_note_is_about_one_node(alice: Repository) -> None:
    with pytest.raises(UsageError, match="selects 3 nodes"):
        editing.note(alice, "all()", "?")


def test_the_trail_leads_from_the_roots_to_the_node(alice: Repository) -> None:
    legal = one(alice, "legal")

    trail = claims(alice).trail(legal)

    assert [step.node for step in trail] == [one(alice, "base@v1"), legal]
    assert all(step.is_verified for step in trail)


def test_a_creation_statement_names_the_maker_the_parents_and_the_message(
    alice: Repository, tmp_path: Path
) -> None:
    legal, key = one(alice, "legal"), Person("alice", tmp_path).key

    (claim,) = claims(alice).about(legal, CREATION)

    built = claim.statement.predicate["buildDefinition"]
    assert isinstance(built, dict)
    expected = {"operation": "finetune", "message": "law", "name": "legal"}
    assert built["externalParameters"] == expected
    (parent,) = built["resolvedDependencies"]
    assert one(alice, "base@v1").hex() in str(parent)
    assert claim.key == key
    assert claims(alice).makers(legal) == {key}


def test_a_node_that_nobody_made_is_not_verified(alice: Repository) -> None:
    bare = point(alice, "bare", "bare")

    assert [step.is_verified for step in claims(alice).trail(bare)] == [False]
    assert claims(alice).makers(bare) == frozenset()


# --- whose word counts ---


@pytest.fixture
def bob(alice: Repository, tmp_path: Path) -> Repository:
    return Person("bob", tmp_path).clone(str(alice.folder.parent))


def test_the_word_of_a_key_without_a_role_is_kept_and_does_not_count(
    alice: Repository, bob: Repository
) -> None:
    draft = add(bob, "draft", tuned(BASE, "draft"), "base", tags=["mine"])
    push(bob)

    assert tags(alice, draft.hex()) == set()
    assert claims(alice).makers(draft) == frozenset()
    assert [claim.is_trusted for claim in claims(alice).about(draft, CREATION)] == [False]
    assert claims(alice).trail(draft)[-1].is_verified is False


def test_a_tag_that_would_not_count_is_refused(bob: Repository) -> None:
    with pytest.raises(TrustError):
        editing.add_tags(bob, "legal", ["approved"])


def test_nobody_takes_back_what_another_key_said(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    trusted(alice, Person("bob", tmp_path))
    editing.add_tags(alice, "base", ["released"])
    fetch(bob)

    with pytest.raises(NotFoundError):
        editing.remove_tags(bob, "base", ["released"])
    node = one(bob, "base")
    said: list[Claim] = claims(bob).tags(node)["released"]
    forged = withdrawal({said[0].payload: said[0].statement})
    with bob.writing():
        record(bob, bob.history(), Step("forge", statements=[forged]))
    push(bob)

    assert tags(bob, "base") == tags(alice, "base") == {"released"}


def test_a_tag_of_two_keys_stays_when_one_takes_it_back(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    trusted(alice, Person("bob", tmp_path))
    fetch(bob)
    for repository in (alice, bob):
        editing.add_tags(repository, "base", ["released"])
    push(bob)

    editing.remove_tags(alice, "base", ["released"])

    assert tags(alice, "base") == {"released"}


def test_a_signed_statement_that_no_entry_claims_does_not_count(alice: Repository) -> None:
    node = one(alice, "base")
    payload = tag_statement("base", node, "stray").payload()

    install_objects(alice, [payload, alice.identity().key.sign(payload)])

    assert payload in alice.history().payloads.values()
    assert tags(alice, "base") == set()


def test_what_a_key_claims_and_did_not_sign_is_not_its_word(
    alice: Repository, bob: Repository, tmp_path: Path
) -> None:
    trusted(alice, Person("bob", tmp_path))
    fetch(bob)
    said = tag_statement("base", one(bob, "base"), "hers").payload()
    entry = new_entry(bob.history(), bob.identity(), Step("claim"))
    claim = replace(entry, claims=(digest_of(said),)).payload()
    signed = [alice.identity().key.sign(said), bob.identity().key.sign(claim)]

    install_objects(bob, [said, claim, *signed])

    assert digest_of(said) in bob.history().statements
    assert tags(bob, "base") == set()
