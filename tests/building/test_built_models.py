"""What a build leaves behind: nodes, names, and a signed statement of how they came about."""

import builtins
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2

from mgit import sync
from mgit.building import Words, build, recipe_of, reproduce
from mgit.building.again import sources_of
from mgit.errors import ConflictError, MgitError, MovedError, RunError, UsageError
from mgit.objects import EdgeKind
from mgit.provenance import Provenance
from mgit.repository import Home, Repository
from mgit.source import source_from
from tests.building.projects import ADD, Maker, maker
from tests.family import Person, apart, names, point

SPLIT = """
@mgit.recipe(operation="split")
def halves(parents, *, seed):
    arrays = parents["base"].arrays()
    return {
        "low": {n: a * np.float32(0.5) for n, a in arrays.items()},
        "high": {n: a * np.float32(2) for n, a in arrays.items()},
    }
"""
CALLS = """
import builtins


@mgit.recipe
def tune(parents):
    builtins.meanwhile()
    return {n: a + 1 for n, a in parents["base"].arrays().items()}
"""


@pytest.fixture
def alice(tmp_path: Path) -> Maker:
    alice = maker(tmp_path)
    alice.write(ADD)
    return alice


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Any) -> None:
    """What happens while the recipe runs."""
    monkeypatch.setattr(builtins, "meanwhile", happens, raising=False)


def test_a_statement_says_how_a_model_came_about(alice: Maker) -> None:
    words = Words(message="for the court", tags=("legal",))

    built = alice.build(arguments={"by": 2.0}, seed=7, words=words)

    predicate = alice.creation(built.node).predicate
    definition: Any = predicate["buildDefinition"]
    assert definition["externalParameters"] == {
        "operation": "finetune",
        "name": "tuned",
        "recipe": "train:tune",
        "arguments": {"by": 2.0},
        "seed": 7,
        "message": "for the court",
    }
    internal = definition["internalParameters"]
    assert len(internal["action"]) == 64
    assert internal["environment"]["packages"]["numpy"]
    assert internal["environment"]["threads"] == 1
    assert internal["duration_s"] >= 0
    assert set(Provenance(alice.repository.history()).tags(built.node)) == {"legal"}


def test_a_statement_is_slsa_provenance(alice: Maker) -> None:
    predicate = alice.creation(alice.tune().node).predicate

    found = ParseDict(predicate, provenance_pb2.Provenance())

    listed = {d.name for d in found.build_definition.resolved_dependencies}
    assert listed == {"base", "train.py"}


def test_a_peer_can_read_the_source(alice: Maker, tmp_path: Path) -> None:
    alice.write("\nTWO = 2\n", "deep/inner.py")
    alice.write("from deep.inner import TWO\n" + ADD)
    built = alice.tune()
    bob = Person("bob", tmp_path).clone(str(alice.repository.folder.parent))

    (source,) = sources_of(Provenance(bob.history()), built.node)
    recipe = recipe_of(bob.history(), built.node)

    assert recipe
    assert source.normalised == recipe.code.source
    assert source.files["train.py"] == (alice.project / "train.py").read_text()
    assert "deep/inner.py" in source.files
    definition: Any = alice.creation(built.node).predicate["buildDefinition"]
    again = source_from(definition["resolvedDependencies"])
    assert again
    assert again.verbatim == source.verbatim


def test_a_model_has_the_operation_of_its_recipe_and_the_type_of_its_parent(alice: Maker) -> None:
    ours = alice.node(alice.tune())
    told = alice.node(alice.build("b", words=Words(operation="align", type="other")))

    assert (ours.operation, ours.type) == ("finetune", "tiny")
    assert (told.operation, told.type) == ("align", "other")


def test_a_second_build_is_the_next_version(alice: Maker) -> None:
    first = alice.tune()

    second = alice.tune(by=2.0)

    assert alice.node(first).parents(EdgeKind.VERSION) == ()
    assert alice.node(second).parents(EdgeKind.VERSION) == (first.node,)
    assert names(alice.repository)["tuned"] == {second.node}


def test_a_model_can_be_built_from_itself(alice: Maker) -> None:
    (base,) = names(alice.repository)["base"]

    built = alice.build("base")

    edges = {(edge.kind, edge.parent, edge.role) for edge in alice.node(built).edges}
    assert edges == {(EdgeKind.VERSION, base, ""), (EdgeKind.PROVENANCE, base, "base")}


def test_one_run_makes_several_models(alice: Maker) -> None:
    alice.write(SPLIT)
    request = alice.request("train:halves")

    low, high = sorted(
        build(alice.repository, {"low": "small", "high": "large"}, request, executor="inline"),
        key=lambda built: built.name,
        reverse=True,
    )

    assert (low.name, high.name) == ("small", "large")
    assert alice.values("small")["second"] == [0.5, 1.0, 1.5, 2.0]
    assert alice.values("large")["second"] == [2.0, 4.0, 6.0, 8.0]
    recipe = recipe_of(alice.repository.history(), high.node)
    assert recipe
    assert recipe.output == "high"
    internal: Any = alice.creation(high.node).predicate["buildDefinition"]
    assert internal["internalParameters"]["output"] == "high"
    assert build(alice.repository, {"low": "small", "high": "large"}, request, executor="inline")[
        0
    ].is_known
    assert reproduce(alice.repository, "large", executor="inline").is_equal
    assert alice.is_sound()


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ({"low": "a", "middle": "b"}, RunError),
        ({"low": "a", "high": "a"}, UsageError),
        ({"low": "a", "High!": "b"}, UsageError),
        ({"low": "no name"}, UsageError),
    ],
)
def test_models_that_a_run_does_not_make_are_refused(
    alice: Maker, asked: dict[str, str], kind: type[MgitError]
) -> None:
    alice.write(SPLIT)
    before = alice.state()

    with pytest.raises(kind):
        alice.build(asked, "train:halves")

    assert alice.state() == before


def test_several_models_of_a_recipe_of_one_are_refused(alice: Maker) -> None:
    with pytest.raises(RunError, match="not the models it was asked for"):
        alice.build({"low": "a"})


def test_a_conflicted_name_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hers, _ = apart(tmp_path)
    sync.add_remote(hers, "bob", str(tmp_path / "bob"))
    sync.fetch(hers, "bob")
    project = tmp_path / "project"
    project.mkdir()
    alice = Maker(hers, project)
    alice.write(CALLS)
    meanwhile(monkeypatch, lambda: pytest.fail("it ran"))
    before = alice.state()

    with pytest.raises(ConflictError):
        build(hers, "m", alice.request("train:tune", "id:nothing"), executor="inline")

    assert alice.state() == before


def test_a_name_that_moves_meanwhile_is_not_overrun(
    alice: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.write(CALLS)
    other = Repository.open(alice.repository.folder, alice.repository.home)
    meanwhile(monkeypatch, lambda: point(other, "tuned", "faster"))

    with pytest.raises(MovedError, match="'tuned'"):
        alice.build()

    (target,) = names(alice.repository)["tuned"]
    assert alice.repository.history().nodes[target].operation == "import"
    monkeypatch.setattr(builtins, "meanwhile", lambda: pytest.fail("it ran"))
    assert alice.build().is_known


def test_other_work_meanwhile_is_no_obstacle(alice: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    alice.write(CALLS)
    other = Repository.open(alice.repository.folder, alice.repository.home)
    meanwhile(monkeypatch, lambda: point(other, "unrelated", "other"))

    alice.build()

    assert set(names(alice.repository)) == {"base", "tuned", "unrelated"}


def test_a_missing_key_is_told_before_anything_runs(
    alice: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.write(CALLS)
    meanwhile(monkeypatch, lambda: pytest.fail("it ran"))
    nobody = Home(tmp_path / "nobody", tmp_path / "no cache")
    repository = Repository.at(alice.repository.folder, nobody)

    with pytest.raises(MgitError, match="key"):
        Maker(repository, alice.project).build()


def test_a_model_of_a_key_without_role_lies_aside(alice: Maker, tmp_path: Path) -> None:
    folder = str(alice.repository.folder.parent)
    carol = Maker(Person("carol", tmp_path).clone(folder), alice.project)

    built = carol.build()

    assert built.is_aside
    assert "tuned" not in names(carol.repository)
    assert carol.is_sound()


def test_no_key_is_within_reach_of_a_recipe(alice: Maker) -> None:
    alice.write("""
from mgit.building.working import run


@mgit.recipe
def tune(parents):
    repository = parents["base"]._source.repository
    repository.identity()
""")

    with pytest.raises(RunError, match="key"):
        alice.build()
