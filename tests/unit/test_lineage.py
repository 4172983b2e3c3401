"""The graph of a family.

bert-1 ══ bert-2 ══ bert-3        ══ version   ── provenance (parents on the left)
  │         ├── math ──┐
  │         └── code ──┴── merged
  └── old-code                                 gpt (alone)
"""

from collections.abc import Iterable
from itertools import pairwise, permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit.digest import Digest
from mgit.errors import DamagedError, NotFoundError
from mgit.lineage import Lineage
from mgit.objects import Edge, EdgeKind, Node, digest_of

V, P = EdgeKind.VERSION, EdgeKind.PROVENANCE


def made(label: str, *, of: Iterable[Digest] = (), replaces: Iterable[Digest] = ()) -> Node:
    provenance = {Edge(P, parent, "base") for parent in of}
    version = {Edge(V, parent) for parent in replaces}
    return Node(Digest.of(label.encode()), frozenset(provenance | version), None, "import", "")


def grown() -> dict[str, Node]:
    nodes: dict[str, Node] = {}

    def add(label: str, of: str = "", replaces: str = "") -> None:
        parents = [digest_of(nodes[p]) for p in of.split()]
        older = [digest_of(nodes[p]) for p in replaces.split()]
        nodes[label] = made(label, of=parents, replaces=older)

    add("bert-1")
    add("bert-2", replaces="bert-1")
    add("bert-3", replaces="bert-2")
    add("math", of="bert-2")
    add("code", of="bert-2")
    add("merged", of="math code")
    add("old-code", of="bert-1")
    add("gpt")
    return nodes


NODES = grown()
IDS = {label: digest_of(node) for label, node in NODES.items()}
FAMILY = Lineage({IDS[label]: node for label, node in NODES.items()})
RELATED = set(NODES) - {"gpt"}


def labels(ids: Iterable[Digest]) -> set[str]:
    return {label for label in NODES if IDS[label] in set(ids)}


def chain(length: int) -> dict[Digest, Node]:
    """Every node cites the one before twice: as what it was made from and as what it replaces."""
    nodes: dict[Digest, Node] = {}
    last: tuple[Digest, ...] = ()
    for i in range(length):
        node = made(str(i), of=last, replaces=last)
        last = (digest_of(node),)
        nodes[last[0]] = node
    return nodes


def test_parents_and_children_are_those_over_the_kinds_asked_for() -> None:
    assert labels(FAMILY.parents(IDS["merged"])) == {"math", "code"}
    assert labels(FAMILY.parents(IDS["merged"], V)) == set()
    assert labels(FAMILY.children(IDS["bert-2"])) == {"bert-3", "math", "code"}
    assert labels(FAMILY.children(IDS["bert-2"], P)) == {"math", "code"}
    assert labels(FAMILY.children(IDS["bert-2"], P, V)) == {"bert-3", "math", "code"}


def test_ancestors_exclude_the_node_and_stop_at_the_distance_asked_for() -> None:
    assert labels(FAMILY.ancestors(IDS["merged"])) == {"math", "code", "bert-2", "bert-1"}
    assert labels(FAMILY.ancestors(IDS["merged"], within=1)) == {"math", "code"}
    assert labels(FAMILY.ancestors(IDS["merged"], within=0)) == set()
    assert labels(FAMILY.ancestors(IDS["merged"], P)) == {"math", "code", "bert-2"}


def test_a_sibling_is_not_a_descendant() -> None:
    assert labels(FAMILY.descendants(IDS["math"])) == {"merged"}
    assert labels(FAMILY.descendants(IDS["bert-1"], within=1)) == {"bert-2", "old-code"}
    assert labels(FAMILY.descendants(IDS["bert-1"])) == RELATED - {"bert-1"}


def test_all_versions_of_a_model_are_found_from_any_of_them() -> None:
    for label in ("bert-1", "bert-2", "bert-3"):
        assert labels(FAMILY.versions(IDS[label])) == {"bert-1", "bert-2", "bert-3"}
    assert labels(FAMILY.versions(IDS["math"])) == {"math"}


def test_a_family_is_everything_connected() -> None:
    assert all(labels(FAMILY.family(IDS[label])) == RELATED for label in RELATED)
    assert labels(FAMILY.family(IDS["gpt"])) == {"gpt"}


def test_roots_have_no_parents_and_heads_no_children() -> None:
    assert labels(FAMILY.roots()) == {"bert-1", "gpt"}
    assert labels(FAMILY.heads()) == {"bert-3", "merged", "old-code", "gpt"}
    assert labels(FAMILY.heads(V)) == set(NODES) - {"bert-1", "bert-2"}


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("math", "code", {"bert-2"}),
        ("merged", "bert-3", {"bert-2"}),
        ("merged", "old-code", {"bert-1"}),
        ("math", "merged", {"math"}),
        ("math", "math", {"math"}),
        ("math", "gpt", set()),
    ],
)
def test_the_fork_point_is_where_two_nodes_went_apart(
    left: str, right: str, expected: set[str]
) -> None:
    assert labels(FAMILY.fork_point(IDS[left], IDS[right])) == expected
    assert labels(FAMILY.fork_point(IDS[right], IDS[left])) == expected


def test_two_nodes_merged_crosswise_have_two_fork_points() -> None:
    one, two = made("one"), made("two")
    sides = digest_of(one), digest_of(two)
    left, right = made("left", of=sides), made("right", of=sides)
    lineage = Lineage({digest_of(node): node for node in (one, two, left, right)})

    assert lineage.fork_point(digest_of(left), digest_of(right)) == set(sides)


def test_a_topological_order_is_the_same_for_any_order_of_asking() -> None:
    some = [IDS[label] for label in ("merged", "bert-1", "code", "gpt")]

    orders = {tuple(FAMILY.topological(order)) for order in permutations(some)}

    assert len(orders) == 1
    order = FAMILY.topological(some)
    assert order.index(IDS["bert-1"]) < order.index(IDS["code"]) < order.index(IDS["merged"])


def test_nodes_that_do_not_depend_on_each_other_come_by_digest() -> None:
    nodes = {digest_of(node): node for node in map(made, "abcdefgh")}

    assert Lineage(nodes).topological(nodes) == sorted(nodes)


@given(st.lists(st.lists(st.integers(0, 30), max_size=3), max_size=30), st.randoms())
def test_every_ancestor_comes_before(parents: list[list[int]], random: Random) -> None:
    nodes: dict[Digest, Node] = {}
    for i, cited in enumerate(parents):
        ids = list(nodes)
        node = made(str(i), of={ids[c % i] for c in cited} if i else ())
        nodes[digest_of(node)] = node
    lineage = Lineage(nodes)
    subset = random.sample(sorted(nodes), len(nodes) // 2)

    order = lineage.topological(subset)

    assert sorted(order) == sorted(subset)
    for i, chosen in enumerate(order):
        assert lineage.ancestors(chosen).isdisjoint(order[i:])


def test_a_version_number_is_one_more_than_the_largest_of_the_version_parents() -> None:
    first = made("first")
    second = made("second", replaces=[digest_of(first)])
    joined = made("joined", replaces=[digest_of(first), digest_of(second)])
    lineage = Lineage({digest_of(node): node for node in (first, second, joined)})

    assert [lineage.version_number(digest_of(n)) for n in (first, second, joined)] == [1, 2, 3]
    assert FAMILY.version_number(IDS["merged"]) == 1


def test_a_parent_that_is_not_here_is_the_boundary() -> None:
    part = Lineage({IDS[label]: NODES[label] for label in ("bert-2", "bert-3", "merged")})

    assert part.absent_parents() == {IDS["bert-1"], IDS["math"], IDS["code"]}
    assert part.absent_parents(V) == {IDS["bert-1"]}
    assert part.ancestors(IDS["bert-3"]) == {IDS["bert-2"]}
    assert part.roots() == {IDS["bert-2"], IDS["merged"]}
    assert FAMILY.absent_parents() == frozenset()


def test_version_ancestors_know_cited_nodes_that_are_not_here() -> None:
    part = Lineage({IDS[label]: NODES[label] for label in ("bert-2", "bert-3", "merged")})

    assert part.version_ancestors(IDS["bert-3"]) == {IDS["bert-2"], IDS["bert-1"]}
    assert part.version_ancestors(IDS["merged"]) == frozenset()
    assert part.version_ancestors(IDS["gpt"]) == frozenset()


def test_a_node_that_is_not_here_is_an_error_that_names_it() -> None:
    part = Lineage({})

    for ask in (part.parents, part.ancestors, part.family, part.version_number, part.__getitem__):
        with pytest.raises(NotFoundError, match=IDS["gpt"].short):
            ask(IDS["gpt"])
    with pytest.raises(NotFoundError, match=IDS["gpt"].short):
        part.topological([IDS["gpt"]])


def test_nodes_can_be_looked_up_and_counted() -> None:
    assert IDS["gpt"] in FAMILY
    assert Digest.of(b"") not in FAMILY
    assert FAMILY[IDS["gpt"]] is NODES["gpt"]
    assert len(FAMILY) == len(NODES)


def test_a_cycle_is_damage_and_names_the_nodes() -> None:
    ids = [Digest.of(label) for label in (b"1", b"2", b"3")]
    circle = {child: made("", of=[parent]) for parent, child in pairwise([*ids, ids[0]])}

    with pytest.raises(DamagedError) as caught:
        Lineage(circle)

    assert all(node.short in str(caught.value) for node in ids)


def test_a_chain_of_ten_thousand_is_walked_without_recursion() -> None:
    nodes = chain(10_000)
    first, *_, last = nodes

    lineage = Lineage(nodes)

    assert len(lineage.ancestors(last)) == len(lineage.descendants(first)) == 9_999
    assert len(lineage.version_ancestors(last)) == 9_999
    assert len(lineage.versions(first)) == 10_000
    assert lineage.version_number(last) == 10_000
    assert lineage.topological(reversed(nodes)) == list(nodes)
    assert lineage.fork_point(first, last) == {first}
