"""What travels with a selection, and what does not.

base@v1 <- base    legal (fine-tuned from base@v1)    other@v1 <- other    gone (name removed)
"""

from pathlib import Path

import pytest

from mgit import editing
from mgit.digest import Digest
from mgit.intake import admissible
from mgit.objects import CHUNK, Node, Payload, Ref, Signature, Unknown, digest_of
from mgit.provenance import tag_statement
from mgit.repository import Repository, install_objects
from mgit.selection import Selection
from mgit.store import Catalog
from mgit.sync.travel import (
    Route,
    Travel,
    route_with_bases,
    route_within,
    travelling,
    with_unknown_kinds,
)
from tests.family import Person, add, point, tuned, weights
from tests.store.building import Made, delta, full, id_of, index_of

BASE = weights("base")


@pytest.fixture
def alice(tmp_path: Path) -> Repository:
    repository = Person("alice", tmp_path).init()
    add(repository, "base", BASE, tags=["old"])
    add(repository, "legal", tuned(BASE, "legal"), "base", tags=["legal"])
    add(repository, "base", tuned(BASE, "next"), tags=["new"])
    add(repository, "other", weights("other"), tags=["secret"])
    add(repository, "other", tuned(weights("other"), "next"))
    add(repository, "gone", weights("gone"))
    editing.remove(repository, "gone")
    return repository


def sent(repository: Repository, selector: str) -> Travel:
    history = repository.history()
    return travelling(history, Selection(repository, history).nodes(selector))


def titles(repository: Repository, travel: Travel) -> set[str]:
    selection = Selection(repository, repository.history())
    return {selection.title(ref.digest) for ref in travel.objects if ref.kind == Node.kind}


def test_only_selected_nodes_travel_with_their_manifests(alice: Repository) -> None:
    travel = sent(alice, "legal")

    assert travel.nodes == (Selection(alice, alice.history()).one("legal"),)


def test_nodes_travel_that_names_need_and_ancestors_and_no_others(alice: Repository) -> None:
    everything = titles(alice, sent(alice, "all()"))

    assert titles(alice, sent(alice, "legal")) == {"base@v1", "base", "legal", "other@v1", "other"}
    assert len(everything) == 6  # the one whose name is gone is found by its id


def test_every_entry_and_root_travels_whatever_is_selected(alice: Repository) -> None:
    history = alice.history()

    travel = sent(alice, "tag:nothing")

    ours = {Ref(Payload.kind, d) for d in (*history.ledger.entries, *history.ledger.roots)}
    assert {ref for ref in travel.objects if ref.kind == Payload.kind} == ours
    assert admissible(history) == {ref.digest for ref in ours}


def test_statements_about_the_selection_and_its_ancestors_travel(alice: Repository) -> None:
    history = alice.history()
    travel = sent(alice, "legal")

    said = [s for d, s in history.statements.items() if Ref(Payload.kind, d) in travel.objects]

    assert {s.predicate["tag"] for s in said if "tag" in s.predicate} == {"old", "legal"}


def test_every_signed_object_travels_with_its_signature(alice: Repository) -> None:
    travel = sent(alice, "all()")

    payloads = {ref.digest for ref in travel.objects if ref.kind == Payload.kind}
    signed = {o.payload for o in travel.objects.values() if isinstance(o, Signature)}
    assert payloads == signed


def test_what_nobody_signed_does_not_travel(alice: Repository) -> None:
    node = Selection(alice, alice.history()).one("legal")
    said = tag_statement("legal", node, "stray").payload()
    key = alice.identity().key
    forged = Signature(digest_of(said), key.public, bytes(64))
    install_objects(alice, [said, forged])

    travel = sent(alice, "all()")

    assert digest_of(said) in alice.history().payloads
    assert Ref(Payload.kind, digest_of(said)) not in travel.objects


def test_a_node_travels_behind_its_parents(alice: Repository) -> None:
    travel = sent(alice, "all()")

    seen: set[Digest] = set()
    for obj in travel.objects.values():
        if isinstance(obj, Node):
            assert {edge.parent for edge in obj.edges} <= seen
            seen.add(digest_of(obj))


def test_what_somebody_offers_aside_travels(alice: Repository, tmp_path: Path) -> None:
    his = Person("bob", tmp_path).clone(str(alice.folder.parent))
    offered = point(his, "base", "offer", *his.history().names.resolve("base"))

    travel = sent(his, "legal")

    assert Ref(Node.kind, offered) in travel.objects


def test_nothing_of_another_repository_travels(alice: Repository, tmp_path: Path) -> None:
    carl = Person("carl", tmp_path).init()
    foreign = add(carl, "theirs", weights("theirs"))
    history = carl.history()
    install_objects(alice, [*history.nodes.values(), *history.payloads.values()])
    install_objects(alice, [s for found in history.signatures.values() for s in found])
    assert foreign in alice.history().nodes

    travel = sent(alice, "all()")

    theirs = {Ref(Node.kind, foreign)} | {Ref(Payload.kind, d) for d in history.payloads}
    assert not theirs & travel.objects.keys()


def test_kinds_of_a_newer_version_travel_with_what_cites_them() -> None:
    inner = Unknown("inner", frozenset(), "?")
    outer = Unknown("outer", frozenset({Ref("inner", digest_of(inner))}), "?")
    known = {Ref(obj.kind, digest_of(obj)): obj for obj in (inner, outer)}
    citing = Payload("x", b"", frozenset({Ref("outer", digest_of(outer))}))

    found = with_unknown_kinds(
        {Ref(Payload.kind, digest_of(citing)): citing},
        lambda refs: {ref: known[ref] for ref in refs},
    )

    assert set(found.values()) == {citing, inner, outer}


# --- chunks ---

NOTHING = Catalog({})


def catalog(*packs: list[Made]) -> Catalog:
    indexes = [index_of(made.row for made in pack) for pack in packs]
    return Catalog({index.pack: index for index in indexes})


def shown(route: Route) -> tuple[list[Digest], list[Digest], list[Digest]]:
    copied, recoded = ([p.row.ref.digest for p in ps] for ps in (route.places, route.recoded))
    return copied, recoded, route.lacking


FAMILY = catalog([full("a"), delta("b", "a"), delta("c", "b")], [full("x")])
A, B, C, X = (id_of(word) for word in "abcx")


def test_fetching_a_chunk_brings_its_bases_first() -> None:
    assert shown(route_with_bases([C], FAMILY, NOTHING)) == ([A, B, C], [], [])


def test_fetching_brings_no_base_that_is_here() -> None:
    assert shown(route_with_bases([C], FAMILY, catalog([full("b")]))) == ([C], [], [])
    assert shown(route_with_bases([A, C], FAMILY, FAMILY)) == ([], [], [])


def test_fetching_names_what_the_source_lacks() -> None:
    source = catalog([delta("b", "a"), full("x")])

    assert shown(route_with_bases([B, X, C], source, NOTHING))[0] == [X]
    assert set(shown(route_with_bases([B, X, C], source, NOTHING))[2]) == {B, C}


def test_pushing_a_chunk_stores_it_anew_where_its_base_may_not_travel() -> None:
    assert shown(route_within([C], FAMILY, NOTHING)) == ([], [C], [])
    assert shown(route_within([B, C], FAMILY, NOTHING)) == ([C], [B], [])
    assert shown(route_within([A, B, C, X], FAMILY, NOTHING))[1:] == ([], [])


def test_pushing_copies_a_difference_whose_base_is_there() -> None:
    assert shown(route_within([C, X], FAMILY, catalog([full("b")]))) == ([X, C], [], [])


def test_pushing_sends_nothing_that_is_there() -> None:
    assert shown(route_within([A, B], FAMILY, catalog([full("a"), full("b")]))) == ([], [], [])


def test_pushing_keeps_chains_short_at_the_destination() -> None:
    words = [f"w{number}" for number in range(12)]
    links = zip(words[1:], words, strict=False)
    source = catalog([full("w0"), *(delta(child, base) for child, base in links)])

    route = route_within(map(id_of, words), source, NOTHING)

    depth: dict[Digest, int] = {}
    recoded = {place.row.ref.digest for place in route.recoded}
    for place in sorted(
        (*route.recoded, *route.places), key=lambda p: source_depth(source, p.row.ref)
    ):
        digest = place.row.ref.digest
        bases = () if digest in recoded else place.row.bases
        depth[digest] = 1 + max((depth[base] for base in bases), default=-1)
    assert recoded
    assert max(depth.values()) <= 8
    assert depth.keys() == set(map(id_of, words))


def source_depth(source: Catalog, ref: Ref) -> int:
    assert ref.kind == CHUNK
    cost = source.cost(ref.digest)
    assert cost
    return cost.depth
