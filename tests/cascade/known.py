"""Many models of one root, all out of date, whose new versions are known already."""

from mgit.building import Made, Results, parent_of, work_again
from mgit.building.asking import revision_of
from mgit.digest import Digest
from mgit.objects import Code, Edge, EdgeKind, Level, MetaObject, Node, Recipe, digest_of
from mgit.provenance import Provenance, tag_statement
from mgit.repository import Repository, Step, record
from mgit.selection import Selection
from mgit.source import shipped
from mgit.store import Facts
from tests.family import add

PRUNE = "mgit.recipes:prune"
TIME = "2026-01-01T00:00:00Z"


def long_family(repository: Repository, count: int) -> None:
    """Adds root, its models, a second version of root, and what that would make of the models."""
    root, newer = ({"w": [number] * 8} for number in (1.0, 2.0))
    old = add(repository, "root", root)
    nodes = _models(repository, old, count)
    new = add(repository, "root", newer)
    history = repository.history()
    parent = parent_of(repository, history, "base", new, title="root")
    provenance = Provenance(history)
    results = []
    for node in nodes:
        work = work_again(repository, provenance, {"": node}, [parent])
        made = Made({"": parent.manifest}, work.environment, TIME, TIME, 60.0)
        results.append({"action": work.action.hex(), **made.told()})
    Facts(repository.home.cache_of(repository.folder) / "results").append(*results)
    known = Results(repository, history)
    assert known.find(work.action, ("",))


def _models(repository: Repository, root: Digest, count: int) -> list[Digest]:
    history = repository.history()
    manifest = history.nodes[Selection(repository, history).one("root")].manifest
    revision = revision_of(shipped(PRUNE))
    edges = frozenset({Edge(EdgeKind.PROVENANCE, root, "base")})
    objects: list[MetaObject] = []
    names: dict[str, Digest] = {}
    for number in range(count):
        arguments = {"fraction": number / count}
        recipe = Recipe(Code(PRUNE, None, revision, arguments, None, {}, Level.BITWISE), "")
        node = Node(manifest, edges, digest_of(recipe), "prune", "tiny")
        objects += [recipe, node]
        names[f"m{number}"] = digest_of(node)
    with repository.writing():
        said = [tag_statement(name, node, "mine") for name, node in names.items()]
        record(repository, history, Step("many", names, objects, said))
    return list(names.values())
