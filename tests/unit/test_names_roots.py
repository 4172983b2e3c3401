"""Who may move a name: root documents, cuts, roles, levels; and what is shown of those who may not.

        genesis: admin, second (root keys; one is enough), alice and bob (every name), carol (bert*)
        /      \\
      left    right      made concurrently
        \\      /
         joined

Nodes are bare digests: no law about roles looks at what a name points to.
"""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from mgit.digest import Digest
from mgit.errors import NotFoundError
from mgit.names import Ledger, Names
from mgit.objects import LEVEL, Cut, Entry, Member, Move, RepositoryRoot, Role
from tests.documents import (
    ADMIN,
    ALICE,
    BOB,
    CAROL,
    EVERYBODY,
    GENESIS,
    NONCES,
    accepted,
    document,
    id_of,
    key,
    maintainer,
    without,
)


def node(label: str) -> Digest:
    return Digest.of(label.encode())


def entry(
    writer: Member | str,
    *moves: tuple[str, Digest | None],
    under: RepositoryRoot = GENESIS,
    previous: Iterable[Entry] = (),
    supersedes: Iterable[Entry] = (),
    level: int = LEVEL,
    claims: tuple[Digest, ...] = (),
) -> Entry:
    label = writer if isinstance(writer, str) else writer.label
    replaced = tuple(map(id_of, supersedes))
    return Entry(
        id_of(GENESIS),
        key(label),
        label,
        tuple(map(id_of, previous)),
        id_of(under),
        next(NONCES).to_bytes(8, "big"),
        level,
        tuple(Move(name, target, replaced) for name, target in sorted(moves)),
        claims,
    )


def names(*values: Entry | RepositoryRoot) -> Names:
    documents = [value for value in values if isinstance(value, RepositoryRoot)]
    entries = {id_of(value): value for value in values if isinstance(value, Entry)}
    return Names(Ledger(id_of(GENESIS), accepted(*documents), entries), lambda _: frozenset())


# --- roles ---


def test_a_maintainer_moves_a_name_and_a_root_key_does_not() -> None:
    moved, not_moved = entry(ALICE, ("bert", node("1"))), entry(ADMIN, ("gpt", node("2")))

    assert names(moved, not_moved).names() == ("bert",)


def test_a_pattern_limits_what_a_key_may_move() -> None:
    inside, outside = entry(CAROL, ("bert-base", node("1"))), entry(CAROL, ("gpt", node("2")))

    assert names(inside, outside).names() == ("bert-base",)


def test_all_moves_of_an_entry_count_or_none() -> None:
    torn = entry(CAROL, ("bert", node("1")), ("gpt", node("2")))

    assert names(torn).names() == ()


def test_the_role_is_looked_up_in_the_document_that_the_entry_names() -> None:
    successor = document(GENESIS, members=(*EVERYBODY, maintainer("dora")))
    early = entry("dora", ("bert", node("1")))
    later = entry("dora", ("gpt", node("2")), under=successor)

    assert names(successor, early, later).names() == ("gpt",)


def test_an_entry_under_an_unknown_document_never_counts_and_hides_nothing() -> None:
    first = entry(ALICE, ("bert", node("1")))
    hiding = entry(BOB, ("bert", node("2")), under=document(), supersedes=[first])
    law = names(first, hiding)

    assert law.resolve("bert") == {node("1")}
    assert law.aside() == {}


def test_an_entry_of_another_repository_never_counts_even_under_a_document_of_this_one() -> None:
    foreign = replace(entry(ALICE, ("bert", node("1"))), repository=id_of(document()))
    law = names(foreign)

    assert law.counting == frozenset()
    assert law.aside() == {}


def test_any_role_is_enough_for_claims_and_none_is_not() -> None:
    claims = (node("statement"),)
    silent = replace(maintainer("silent"), roles=frozenset())
    successor = document(GENESIS, members=(*EVERYBODY, silent))
    by_root_key = entry(ADMIN, claims=claims)
    by_stranger = entry("stranger", claims=claims)
    by_silent = entry("silent", claims=claims, under=successor)

    assert names(successor, by_root_key, by_stranger, by_silent).counting == {id_of(by_root_key)}


def test_under_a_threshold_above_one_a_move_waits_for_approvals_and_is_shown_aside() -> None:
    strict = document(GENESIS, thresholds={Role.MAINTAINER: 2})
    moved = entry(ALICE, ("bert", node("1")), under=strict)
    claimed = entry(ALICE, claims=(node("statement"),), under=strict)
    law = names(strict, moved, claimed)

    assert law.counting == {id_of(claimed)}
    assert law.aside() == {ALICE.key: {"bert": {node("1")}}}


# --- concurrent root documents ---


def test_of_concurrent_documents_what_both_allow_counts() -> None:
    members, cuts = without("bob")
    left, right = document(GENESIS, members=members, cuts=cuts), document(GENESIS)
    by_bob = entry(BOB, ("gpt", node("1")), under=right)
    by_alice = entry(ALICE, ("bert", node("2")), under=right)

    assert names(right, by_bob, by_alice).names() == ("bert", "gpt")
    assert names(left, right, by_bob, by_alice).names() == ("bert",)


def test_a_key_that_only_one_side_admits_counts_when_a_document_names_both() -> None:
    dora = maintainer("dora")
    left, right = document(GENESIS, members=(*EVERYBODY, dora)), document(GENESIS)
    by_dora = entry("dora", ("bert", node("1")), under=left)
    joined = document(left, right, members=(*EVERYBODY, dora))

    assert names(left, by_dora).resolve("bert") == {node("1")}
    assert names(left, right, by_dora).resolve("bert") == frozenset()
    assert names(left, right, by_dora).aside() == {key("dora"): {"bert": {node("1")}}}
    assert names(left, right, joined, by_dora).resolve("bert") == {node("1")}


# --- cuts ---


def test_an_entry_outside_the_cut_counts_again_under_the_cutting_document_or_a_successor() -> None:
    narrowed = [replace(BOB, names=("bert*",)) if m.key == BOB.key else m for m in EVERYBODY]
    kept = entry(BOB, ("gpt", node("1")))
    cutting = document(GENESIS, members=narrowed, cuts=[Cut(BOB.key, frozenset({id_of(kept)}))])
    successor = document(cutting, members=narrowed)
    thief = entry(BOB, ("bert-evil", node("2")))
    under_it = entry(BOB, ("bert-a", node("3")), under=cutting)
    later = entry(BOB, ("bert-b", node("4")), under=successor)
    too_much = entry(BOB, ("gpt-b", node("5")), under=successor)

    law = names(cutting, successor, kept, thief, under_it, later, too_much)

    assert law.names() == ("bert-a", "bert-b", "gpt")
    assert law.aside() == {BOB.key: {"gpt-b": {node("5")}}}


def test_several_cuts_of_one_key_intersect() -> None:
    first = entry(BOB, ("bert", node("1")))
    second = entry(BOB, ("gpt", node("2")), previous=[first])
    members, long = without("bob", id_of(second))
    _, short = without("bob", id_of(first))
    _, nothing = without("bob")
    wide = document(GENESIS, members=members, cuts=long)
    concurrent = document(GENESIS, members=members, cuts=short)
    later = document(wide, members=members, cuts=nothing)

    assert names(wide, first, second).counting == {id_of(first), id_of(second)}
    assert names(wide, concurrent, first, second).counting == {id_of(first)}
    assert names(wide, later, first, second).counting == frozenset()


def test_an_entry_that_a_cut_voids_does_not_count_though_a_kept_head_follows_it() -> None:
    stolen = entry(BOB, ("bert", node("1")))
    good = entry(BOB, ("gpt", node("2")), previous=[stolen])
    members, _ = without("bob")
    cut = Cut(BOB.key, frozenset({id_of(good)}), frozenset({id_of(stolen)}))

    law = names(document(GENESIS, members=members, cuts=[cut]), stolen, good)

    assert law.counting == {id_of(good)}


def test_a_cut_keeps_nothing_that_only_another_repository_leads_to() -> None:
    hidden = entry(BOB, ("bert", node("1")))
    foreign = replace(entry(BOB, previous=[hidden]), repository=id_of(document()))
    last = entry(BOB, ("gpt", node("2")), previous=[foreign])
    members, cuts = without("bob", id_of(last))

    law = names(document(GENESIS, members=members, cuts=cuts), hidden, foreign, last)

    # entries of other repositories do not travel with this one, and all copies must agree
    assert law.counting == {id_of(last)}


def test_a_cut_of_one_key_leaves_the_others_alone() -> None:
    members, cuts = without("bob")
    by_alice = entry(ALICE, ("bert", node("1")))

    law = names(document(GENESIS, members=members, cuts=cuts), by_alice)

    assert law.counting == {id_of(by_alice)}


def test_a_key_that_is_admitted_again_counts_under_the_document_that_admits_it() -> None:
    members, cuts = without("bob")
    removing = document(GENESIS, members=members, cuts=cuts)
    admitting = document(removing)
    old = entry(BOB, ("bert", node("1")))
    new = entry(BOB, ("gpt", node("2")), under=admitting, previous=[old])

    assert names(removing, admitting, old, new).names() == ("gpt",)


# --- levels ---


def test_an_entry_below_the_level_of_its_own_past_never_counts() -> None:
    first = entry(ALICE, ("bert", node("1")), level=LEVEL)
    lowered = entry(ALICE, ("bert", node("2")), previous=[first], level=LEVEL - 1)
    after = entry(ALICE, ("gpt", node("3")), previous=[lowered], level=LEVEL - 1)
    back = entry(ALICE, ("t5", node("4")), previous=[after], level=LEVEL)

    law = names(first, lowered, after, back)

    assert law.counting == {id_of(first), id_of(back)}
    assert law.aside() == {}


def test_a_low_level_is_no_fault_of_a_key_that_never_used_a_higher_one() -> None:
    low = entry(ALICE, ("bert", node("1")), level=LEVEL - 1)

    assert names(low, entry(BOB, ("gpt", node("2")))).names() == ("bert", "gpt")


def test_an_entry_of_a_level_from_the_future_is_not_interpreted() -> None:
    future = entry(ALICE, ("bert", node("1")), level=LEVEL + 1)
    lowered = entry(ALICE, ("gpt", node("2")), previous=[future])

    assert names(future, lowered).names() == ()


# --- aside, logs and labels ---


def test_what_a_stranger_says_is_shown_aside_and_moves_no_shared_name() -> None:
    shared = entry(ALICE, ("bert", node("1")))
    first = entry("stranger", ("bert", node("2")), supersedes=[shared])
    second = entry(
        "stranger", ("bert", node("3")), ("own", node("4")), previous=[first], supersedes=[first]
    )
    gone = entry("stranger", ("own", None), previous=[second], supersedes=[second])

    law = names(shared, first, second, gone)

    assert law.resolve("bert") == {node("1")}
    assert law.names() == ("bert",)
    assert law.aside() == {key("stranger"): {"bert": {node("3")}}}


def test_what_one_stranger_says_replaces_nothing_of_another() -> None:
    one = entry("one", ("bert", node("1")))
    two = entry("two", ("bert", node("2")), supersedes=[one])

    assert names(one, two).aside() == {
        key("one"): {"bert": {node("1")}},
        key("two"): {"bert": {node("2")}},
    }


def test_a_key_used_on_two_machines_has_two_heads_until_an_entry_follows_both() -> None:
    start = entry(ALICE, ("bert", node("1")))
    left, right = (entry(ALICE, ("bert", node(t)), previous=[start]) for t in "23")
    both = entry(ALICE, claims=(node("statement"),), previous=[left, right])

    assert names(start, left, right).log_heads(ALICE.key) == {id_of(left), id_of(right)}
    assert names(start, left, right, both).log_heads(ALICE.key) == {id_of(both)}
    assert names(start).log_heads(BOB.key) == frozenset()


def test_the_log_of_a_key_holds_what_does_not_count_but_nothing_of_other_repositories() -> None:
    cut_off = entry("stranger", ("bert", node("1")))
    foreign = replace(entry("stranger", ("bert", node("2"))), repository=id_of(document()))

    assert names(cut_off, foreign).log_heads(key("stranger")) == {id_of(cut_off)}


def test_a_label_in_a_root_head_wins_over_what_a_key_calls_itself() -> None:
    renamed = [replace(BOB, label="robert") if m.key == BOB.key else m for m in EVERYBODY]
    by_bob = replace(entry(BOB, ("bert", node("1"))), label="impostor")

    assert names(by_bob).label_of(BOB.key) == "bob"
    assert names(by_bob, document(GENESIS, members=renamed)).label_of(BOB.key) == "robert"


def test_a_key_that_no_root_head_has_is_called_as_in_its_last_entry() -> None:
    first = entry("one", ("bert", node("1")))
    last = replace(first, label="uno", previous=(id_of(first),))
    law = names(first, last)

    assert law.label_of(key("one")) == "uno"
    assert law.labels() == {m.key: m.label for m in EVERYBODY} | {key("one"): "uno"}
    with pytest.raises(NotFoundError):
        law.label_of(key("nobody"))


# --- size ---


def test_five_thousand_entries_over_five_hundred_names() -> None:
    entries: list[Entry] = []
    for i in range(5000):
        writer = (ALICE, BOB)[i % 2]
        last = entries[-2:-1]
        replaced = entries[-500:-499]
        entries.append(
            entry(writer, (f"m{i % 500}", node(str(i))), previous=last, supersedes=replaced)
        )
    members, cuts = without("bob", id_of(entries[-1]))
    law = names(*entries, document(GENESIS, members=members, cuts=cuts))

    assert len(law.names()) == 500
