"""What others wrote never runs here unless this person has read it and said so.

alice: base        mallory: a copy, with evil (made from base by a recipe that leaves traces)

Its module leaves a trace when it is imported, its function another one when it is called.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mgit.building import code_of_node, function_in, reproduce
from mgit.building.again import sources_of
from mgit.canonical import Value
from mgit.digest import Digest
from mgit.errors import AbsentError, NotFoundError, TrustError
from mgit.objects import (
    CREATION,
    Code,
    Edge,
    EdgeKind,
    Level,
    Node,
    Recipe,
    Ref,
    Statement,
    Subject,
    digest_of,
)
from mgit.provenance import Provenance
from mgit.repository import Home, Repository, Step, record
from mgit.selection import Selection
from mgit.source import Source, descriptors
from tests.cli.terminal import Terminal

EVIL = """
from pathlib import Path

import mgit

Path({imported!r}).touch()


@mgit.recipe
def make(parents):
    Path({called!r}).touch()
    return {{name: array + 1 for name, array in parents["base"].arrays().items()}}
"""
LOOKS = (
    "log --graph",
    "log --json",
    "show {0}",
    "show {0} --json",
    "status",
    "stats",
    "diff base {0}",
    "merge base {0} --into dry --dry-run",
    "merge base {0} --into both",
    "export {0} out",
    "tag {0} seen",
    "note {0} hm",
    "verify {0}",
    "ls",
    "fsck",
    "build half --parent {0} --recipe prune --arg fraction=0.5 --executor inline",
    "rename {0} renamed",
    "undo",
    "op log",
)


class Scene:
    """Alice, Mallory and the traces that Mallory's code leaves."""

    def __init__(self, root: Path) -> None:
        self.traces = root / "traces"
        self.traces.mkdir()
        self.alice, self.mallory = Terminal("alice", root), Terminal("mallory", root)
        self.alice.does("init --as alice")
        self.alice.does(f"add {self.alice.checkpoint(0)} base")

    def join(self, *, as_maintainer: bool) -> None:
        key = self.mallory.does("key new").out.split()[1]
        if as_maintainer:
            self.alice.does(f"trust add {key} --role maintainer --as mallory")
        self.mallory.does("clone ../alice .")

    def make_evil(self) -> None:
        source = EVIL.format(
            imported=str(self.traces / "imported"), called=str(self.traces / "called")
        )
        (self.mallory.folder / "evil.py").write_text(source)
        self.mallory.does("build evil --parent base --recipe evil:make --executor inline")
        assert self.left() == {"imported", "called"}
        self.forget()

    def forget(self) -> None:
        for trace in self.traces.iterdir():
            trace.unlink()

    def left(self) -> set[str]:
        return {trace.name for trace in self.traces.iterdir()}

    def repository(self, person: str = "alice") -> Repository:
        terminal = self.alice if person == "alice" else self.mallory
        return Repository.open(terminal.folder, self.home(person))

    def home(self, person: str) -> Home:
        home = self.alice.root / "homes" / person
        return Home(home, home / "cache")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture(params=["as a maintainer", "as a stranger"])
def arrived(request: pytest.FixtureRequest, scene: Scene) -> tuple[Scene, str]:
    """Mallory's node has come to Alice, under this name."""
    is_maintainer = request.param == "as a maintainer"
    scene.join(as_maintainer=is_maintainer)
    scene.make_evil()
    scene.alice.does("remote add mallory ../mallory")
    scene.alice.does("fetch mallory")
    return scene, "evil" if is_maintainer else "@mallory/evil"


def test_looking_at_a_strangers_model_runs_nothing_of_it(arrived: tuple[Scene, str]) -> None:
    scene, evil = arrived
    scene.alice.does("pull mallory")
    scene.mallory.run("push ../alice")
    scene.alice.does("clone ../mallory copy")

    for line in LOOKS:
        ran = scene.alice.run(line.format(evil))
        assert ran.exit_code in {0, 1, 2, 4, 6}, (line, ran)
        assert scene.left() == set(), line


def test_a_strangers_model_is_not_made_again(arrived: tuple[Scene, str]) -> None:
    scene, evil = arrived

    ran = scene.alice.run(f"reproduce {evil}")
    inline = scene.alice.run(f"reproduce {evil} --executor inline --json")

    assert (ran.exit_code, inline.exit_code) == (6, 6)
    assert "code that you have not trusted" in ran.err
    assert "mgit trust code" in ran.err
    assert scene.left() == set()


def test_where_nobody_can_be_asked_code_is_shown_and_not_trusted(
    arrived: tuple[Scene, str],
) -> None:
    scene, evil = arrived

    shown = scene.alice.run(f"trust code {evil}")
    document = scene.alice.run(f"trust code {evil} --json")

    assert (shown.exit_code, document.exit_code) == (6, 6)
    assert "touch()" in shown.out
    assert document.document["is_trusted"] is False
    assert scene.alice.run(f"reproduce {evil} --executor inline").exit_code == 6
    assert scene.left() == set()


@pytest.mark.parametrize("cut", [slice(6), slice(12), slice(63), slice(1, 64)])
def test_part_of_a_digest_or_another_one_trusts_nothing(scene: Scene, cut: slice) -> None:
    scene.join(as_maintainer=True)
    scene.make_evil()
    scene.alice.does("pull ../mallory")
    digest = scene.alice.run("trust code evil --json").document["verbatim"].removeprefix("sha256:")

    partial = scene.alice.run(f"trust code evil --digest {digest[cut]}")
    wrong = scene.alice.run(f"trust code evil --digest {'0' * 64}")

    assert (partial.exit_code, wrong.exit_code) == (6, 6)
    assert scene.alice.run("reproduce evil --executor inline").exit_code == 6
    assert scene.left() == set()


def test_code_runs_once_its_digest_is_trusted(arrived: tuple[Scene, str]) -> None:
    scene, evil = arrived
    digest = scene.alice.run(f"trust code {evil} --json").document["verbatim"]

    trusted = scene.alice.does(f"trust code {evil} --digest {digest}")
    before = scene.left()
    ran = scene.alice.does(f"reproduce {evil} --executor inline")

    assert "trusted" in trusted.out
    assert before == set()
    assert scene.left() == {"imported", "called"}
    assert "the same" in ran.out


def test_the_advice_trusts_what_was_shown(scene: Scene) -> None:
    scene.join(as_maintainer=True)
    scene.make_evil()
    scene.alice.does("pull ../mallory")
    advice = scene.alice.run("trust code evil").out + scene.alice.run("trust code evil").err
    (command,) = {row.partition("mgit ")[2] for row in advice.splitlines() if "--digest" in row}

    scene.alice.does(command)

    scene.alice.does("reproduce evil --executor inline")


def test_a_folder_brings_no_trust(scene: Scene) -> None:
    scene.join(as_maintainer=True)
    scene.make_evil()
    shutil.copytree(scene.mallory.folder / ".mgit", scene.alice.folder / "theirs" / ".mgit")

    with pytest.raises(TrustError):
        reproduce(
            Repository.open(scene.alice.folder / "theirs", scene.home("alice")),
            "evil",
            executor="inline",
        )

    assert scene.left() == set()


def planted(scene: Scene, code: Code, source: Source | None, name: str = "planted") -> None:
    """Mallory signs for a node of a recipe that she never ran."""
    repository = scene.repository("mallory")
    with repository.writing():
        history = repository.history()
        base = Selection(repository, history).one("base")
        recipe = Recipe(code)
        edges = frozenset({Edge(EdgeKind.PROVENANCE, base, "base")})
        node = replace(
            history.nodes[base], edges=edges, recipe=digest_of(recipe), operation="finetune"
        )
        subject = Subject(Ref(Node.kind, digest_of(node)), name)
        materials = descriptors(source) if source else []
        predicate = {"buildDefinition": {"resolvedDependencies": materials}}
        statement = Statement((subject,), CREATION, predicate)
        step = Step("x", {name: digest_of(node)}, [recipe, node], [statement])
        record(repository, history, step)


def code(function: str, source: Digest | None, **arguments: Value) -> Code:
    revision = 0 if source else 1
    return Code(function, source, revision, arguments, None, {}, Level.BITWISE)


@pytest.mark.parametrize(
    "function",
    [
        "os:system",
        "os:prune",
        "subprocess:Popen",
        "antigravity:fly",
        "mgit.recipes:import_module",
        "mgit.recipes:__getattr__",
        "mgit.recipes.shrinking:np",
        "mgit.editing:init",
    ],
)
def test_a_function_without_source_is_one_of_mgit_or_does_not_run(
    scene: Scene, function: str
) -> None:
    scene.join(as_maintainer=True)
    planted(scene, code(function, None), None)
    scene.alice.does("pull ../mallory")

    ran = scene.alice.run("reproduce planted --executor inline")

    assert ran.exit_code == 6
    assert "ships no such function" in ran.err


def test_a_worker_too_refuses_a_function_that_is_not_of_mgit() -> None:
    with pytest.raises(TrustError, match="no such function"):
        function_in({"source": None, "function": "os:getcwd"})


def test_another_revision_of_a_shipped_recipe_is_not_taken_for_this_one(scene: Scene) -> None:
    scene.join(as_maintainer=True)
    newer = replace(code("mgit.recipes:prune", None, fraction=0.5), revision=2)
    planted(scene, newer, None)
    scene.alice.does("pull ../mallory")

    with pytest.raises(AbsentError, match="revision 2"):
        reproduce(scene.repository(), "planted", executor="inline")


def test_source_that_is_not_what_the_recipe_records_never_runs(scene: Scene) -> None:
    traces = scene.traces
    text = EVIL.format(imported=str(traces / "imported"), called=str(traces / "called"))
    source = Source({"evil.py": text})
    scene.join(as_maintainer=True)
    planted(scene, code("evil:make", Digest.of(b"another")), source)
    scene.alice.does("pull ../mallory")
    alice = scene.repository()
    alice.home.trust_code(source.verbatim, "read elsewhere")

    with pytest.raises(AbsentError, match="did not come"):
        reproduce(alice, "planted", executor="inline")
    with pytest.raises(AbsentError):
        code_of_node(alice, "planted")

    assert scene.left() == set()


def test_trusted_files_do_not_vouch_for_other_files_of_the_same_meaning(scene: Scene) -> None:
    scene.join(as_maintainer=True)
    scene.make_evil()
    scene.alice.does("pull ../mallory")
    alice = scene.repository()
    text = (scene.mallory.folder / "evil.py").read_text()
    commented = Source({"evil.py": text + "# other bytes\n"})
    seen = Selection(alice, alice.history())
    (theirs,) = sources_of(seen.provenance, seen.one("evil"))
    assert commented.normalised == theirs.normalised
    alice.home.trust_code(commented.verbatim, "read elsewhere")

    with pytest.raises(TrustError):
        reproduce(alice, "evil", executor="inline")

    assert scene.left() == set()


def test_code_that_changed_on_the_disk_after_it_was_trusted_does_not_run(scene: Scene) -> None:
    scene.join(as_maintainer=True)
    scene.make_evil()
    scene.alice.does("pull ../mallory")
    digest = scene.alice.run("trust code evil --json").document["verbatim"]
    scene.alice.does(f"trust code evil --digest {digest}")
    scene.alice.does("reproduce evil --executor inline")
    scene.forget()
    (placed,) = (scene.alice.folder / ".mgit" / "work" / "source").rglob("evil.py")
    placed.chmod(0o644)
    placed.write_text(placed.read_text().replace("array + 1", "array + 2"))

    ran = scene.alice.run("reproduce evil --executor inline")

    assert ran.exit_code == 6
    assert "was changed" in ran.err
    assert scene.left() == set()


def test_a_model_without_recipe_has_no_code_to_trust(scene: Scene) -> None:
    with pytest.raises(NotFoundError, match="no recipe"):
        code_of_node(scene.repository(), "base")
    with pytest.raises(NotFoundError, match="no recipe"):
        reproduce(scene.repository(), "base")


def test_what_is_shown_cannot_drive_the_terminal(scene: Scene) -> None:
    scene.join(as_maintainer=True)
    hidden = Source({"evil.py": "x = '\x1b[2J\u202e'\ndef make(parents): pass\n"})
    planted(scene, code("evil:make", hidden.normalised), hidden)
    scene.alice.does("pull ../mallory")

    ran = scene.alice.run("trust code planted")

    assert "def make(parents): pass" in ran.out
    assert not {"\x1b", "\u202e"} & set(ran.out)


def test_who_reproduces_a_model_signs_for_it_too(scene: Scene) -> None:
    scene.join(as_maintainer=True)
    scene.make_evil()
    scene.alice.does("pull ../mallory")
    digest = scene.alice.run("trust code evil --json").document["verbatim"]
    scene.alice.does(f"trust code evil --digest {digest}")

    scene.alice.does("reproduce evil --executor inline")
    scene.alice.does("reproduce evil --executor inline")

    alice = scene.repository()
    node = Selection(alice, alice.history()).one("evil")
    keys = [claim.key for claim in Provenance(alice.history()).about(node, CREATION)]
    mine = alice.identity().key.public
    assert len(keys) == 2
    assert mine in keys
