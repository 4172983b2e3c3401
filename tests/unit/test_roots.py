"""Which root documents are accepted.

        genesis: admin, second (root keys; one is enough), alice and bob (every name), carol (bert*)
        /      \\
      left    right      made concurrently
        \\      /
         joined
"""

from dataclasses import replace

import pytest

from mgit.objects import LEVEL, Cut, Member, Role
from mgit.roots import accept_roots, heads
from tests.documents import (
    CAROL,
    EVERYBODY,
    GENESIS,
    accepted,
    document,
    id_of,
    key,
    root_key,
    without,
)


def test_a_genesis_needs_a_signature_of_its_own_keys() -> None:
    assert accepted() == {id_of(GENESIS): GENESIS}
    assert accepted(signers={id_of(GENESIS): {"alice"}}) == {}


def test_a_genesis_that_asks_for_two_keys_is_not_content_with_one() -> None:
    genesis = document(thresholds={Role.ROOT: 2})
    digest = id_of(genesis)
    one, two = frozenset({key("admin")}), frozenset({key("admin"), key("second")})

    assert accept_roots(digest, {digest: genesis}, {digest: one}) == {}
    assert accept_roots(digest, {digest: genesis}, {digest: two}) == {digest: genesis}


def test_another_genesis_is_not_accepted_and_neither_is_what_follows_it() -> None:
    other = document()
    assert accepted(other, document(other)).keys() == {id_of(GENESIS)}


def test_without_its_genesis_nothing_is_accepted() -> None:
    successor = document(GENESIS)
    digest = id_of(successor)

    assert accept_roots(id_of(GENESIS), {digest: successor}, {}) == {}


def test_a_document_with_predecessors_is_nobodys_genesis() -> None:
    orphan = document(document())
    digest = id_of(orphan)

    assert accept_roots(digest, {digest: orphan}, {digest: frozenset({key("admin")})}) == {}


def test_a_successor_needs_a_root_key_of_its_predecessor() -> None:
    new = root_key("new")
    successor = document(GENESIS, members=(*EVERYBODY, new))

    assert id_of(successor) in accepted(successor)
    for signer in ("alice", "new", "stranger"):
        assert id_of(successor) not in accepted(successor, signers={id_of(successor): {signer}})


def test_a_new_root_key_signs_the_document_after_the_one_that_admits_it() -> None:
    admitting = document(GENESIS, members=(*EVERYBODY, root_key("new")))
    following = document(admitting, members=(*EVERYBODY, root_key("new")))

    assert id_of(following) in accepted(admitting, following, signers={id_of(following): {"new"}})


def test_what_follows_a_refused_document_is_refused() -> None:
    refused = document(GENESIS)
    following = document(refused)

    assert accepted(refused, following, signers={id_of(refused): {"alice"}}).keys() == {
        id_of(GENESIS)
    }


def test_a_successor_of_a_document_that_is_not_here_waits_for_it() -> None:
    left, right = document(GENESIS), document(GENESIS)
    following, joined = document(left), document(left, right)

    assert accepted(following).keys() == {id_of(GENESIS)}
    assert id_of(following) in accepted(following, left)
    assert id_of(joined) not in accepted(joined, left)
    assert id_of(joined) in accepted(joined, left, right)


def test_removing_a_key_without_a_cut_is_invalid() -> None:
    members, cuts = without("bob")
    _, of_another_key = without("carol")
    bare = document(GENESIS, members=members)
    beside = document(GENESIS, members=members, cuts=of_another_key)
    cutting = document(GENESIS, members=members, cuts=cuts)

    assert accepted(bare, beside, cutting).keys() == {id_of(GENESIS), id_of(cutting)}


@pytest.mark.parametrize(
    "now",
    [
        replace(CAROL, roles=frozenset()),
        replace(CAROL, roles=frozenset({Role.ROOT})),
        replace(CAROL, names=("bert-base",)),
        replace(CAROL, names=("gpt*",)),
        replace(CAROL, names=()),
    ],
)
def test_narrowing_a_key_without_a_cut_is_invalid(now: Member) -> None:
    members = [now if m.key == CAROL.key else m for m in EVERYBODY]
    bare = document(GENESIS, members=members)
    cutting = document(GENESIS, members=members, cuts=[Cut(CAROL.key, frozenset())])

    assert id_of(bare) not in accepted(bare)
    assert id_of(cutting) in accepted(cutting)


@pytest.mark.parametrize(
    "now",
    [
        replace(CAROL, names=("gpt*", "bert*")),
        replace(CAROL, names=("*",)),
        replace(CAROL, roles=frozenset(Role)),
        replace(CAROL, label="caroline"),
    ],
)
def test_a_key_that_loses_nothing_needs_no_cut(now: Member) -> None:
    successor = document(GENESIS, members=[now if m.key == CAROL.key else m for m in EVERYBODY])

    assert id_of(successor) in accepted(successor)


def test_a_level_never_goes_down() -> None:
    higher = document(GENESIS, level=LEVEL + 1)
    lower, same = document(higher, level=LEVEL), document(higher, level=LEVEL + 1)

    assert accepted(higher, lower, same).keys() == set(map(id_of, (GENESIS, higher, same)))


def test_concurrent_documents_are_both_accepted_and_joined_by_a_key_of_what_both_follow() -> None:
    new = root_key("new")
    left, right = document(GENESIS, members=(*EVERYBODY, new)), document(GENESIS)
    joined = document(left, right, members=(*EVERYBODY, new))

    assert heads(accepted(left, right)) == {id_of(left), id_of(right)}
    assert heads(accepted(left, right, joined)) == {id_of(joined)}
    assert id_of(joined) not in accepted(left, right, joined, signers={id_of(joined): {"new"}})


def test_joining_needs_a_cut_for_a_key_that_only_one_side_removed() -> None:
    members, cuts = without("bob")
    left, right = document(GENESIS, members=members, cuts=cuts), document(GENESIS)
    bare = document(left, right, members=members)
    cutting = document(left, right, members=members, cuts=cuts)

    assert accepted(left, right, bare, cutting).keys() == set(
        map(id_of, (GENESIS, left, right, cutting))
    )


def test_naming_an_old_document_beside_its_successor_gives_no_say_to_the_old_keys() -> None:
    members, cuts = without("second")
    left = document(GENESIS, members=members, cuts=cuts)
    comeback = document(GENESIS, left)

    assert id_of(comeback) not in accepted(left, comeback, signers={id_of(comeback): {"second"}})


def test_after_a_crosswise_join_the_keys_of_both_nearest_predecessors_must_have_signed() -> None:
    left = document(GENESIS, members=(*EVERYBODY, root_key("l")))
    right = document(GENESIS, members=(*EVERYBODY, root_key("r")))
    both = (*EVERYBODY, root_key("l"), root_key("r"))
    one, other = document(left, right, members=both), document(left, right, members=both)
    joined = document(one, other, members=both)
    given = (left, right, one, other, joined)

    assert id_of(joined) not in accepted(*given, signers={id_of(joined): {"l"}})
    assert id_of(joined) in accepted(*given, signers={id_of(joined): {"l", "r"}})


def test_a_chain_of_documents_has_no_limit() -> None:
    chain = [document(GENESIS)]
    for _ in range(2000):
        chain.append(document(chain[-1]))

    assert len(accepted(*chain)) == 2002
