"""Checks that others wrote never run here unless this person has read them and said so.

alice: base <── legal, qa      mallory: a clone, with a check that leaves traces

The module of the check leaves a trace when it is imported, its function another when it is called.
"""

from pathlib import Path
from textwrap import dedent

import pytest

from mgit.digest import Digest
from mgit.objects import (
    REGISTRATION,
    Check,
    Code,
    Level,
    Ref,
    Severity,
    Statement,
    Subject,
    digest_of,
)
from mgit.repository import Home, Repository, Step, record
from mgit.source import Source, descriptors
from tests.cli.terminal import Terminal

EVIL = """
from pathlib import Path

import mgit

Path({imported!r}).touch()


@mgit.check(on="*")
def spy(model):
    Path({called!r}).touch()
    return {{"score": 1.0}}
"""
LOOKS = (
    "check list",
    "check list --json",
    "test",
    "test --json --executor inline",
    "test base --check spy --executor inline",
    "trust code --check spy",
    "trust code --check spy --json",
    "log --graph",
    "log --json",
    "show legal",
    "status",
    "stats",
    "diff legal qa",
    "merge legal qa --method average --dry-run",
    "merge legal qa --method average",
    "merge legal qa --method average --executor inline",
    "export legal out",
    "verify legal",
    "ls",
    "fsck",
    "check remove spy",
    "merge legal qa --method average --into both --no-test",
    "rename qa renamed",
    "undo",
    "op log",
)


def shown(text: str) -> str:
    return dedent(text).lstrip("\n")


class Scene:
    """Alice, Mallory and the traces that Mallory's code leaves."""

    def __init__(self, root: Path) -> None:
        self.traces = root / "traces"
        self.traces.mkdir()
        self.alice, self.mallory = Terminal("alice", root), Terminal("mallory", root)
        self.alice.does("init --as alice")
        self.alice.does(f"add {self.alice.checkpoint(0)} base")
        self.alice.does(f"add {self.alice.checkpoint(1)} legal --parent base")
        self.alice.does(f"add {self.alice.checkpoint(2)} qa --parent base")
        key = self.mallory.does("key new").out.split()[1]
        self.alice.does(f"trust add {key} --role maintainer --as mallory")
        self.mallory.does("clone ../alice .")

    @property
    def evil(self) -> str:
        traces = self.traces
        return EVIL.format(imported=str(traces / "imported"), called=str(traces / "called"))

    def left(self) -> set[str]:
        return {trace.name for trace in self.traces.iterdir()}

    def repository(self, person: str) -> Repository:
        home = self.alice.root / "homes" / person
        return Repository.open(self.alice.root / person, Home(home, home / "cache"))

    def plant(self, code: Code, source: Source | None, name: str = "spy") -> None:
        """Mallory signs for a check of this code, and Alice pulls it."""
        repository = self.repository("mallory")
        check = Check(code, (), Severity.BLOCK)
        listed = descriptors(source) if source else []
        about = (Subject(Ref(Check.kind, digest_of(check)), name),)
        said = Statement(about, REGISTRATION, {"on": "*", "source": list(listed), "nonce": "0"})
        with repository.writing():
            record(repository, repository.history(), Step("x", objects=[check], statements=[said]))
        self.alice.does("pull ../mallory")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture
def arrived(scene: Scene) -> Scene:
    """Mallory's check has come to Alice."""
    (scene.mallory.folder / "evil.py").write_text(scene.evil)
    scene.mallory.does("check add evil:spy")
    scene.alice.does("remote add mallory ../mallory")
    scene.alice.does("fetch mallory")
    return scene


def digest_of_spy(scene: Scene) -> str:
    found: str = scene.alice.run("trust code --check spy --json").document["verbatim"]
    return found


def code(function: str, source: Digest | None) -> Code:
    return Code(function, source, 0 if source else 1, {}, None, {}, Level.BITWISE)


# --- code of others ---


def test_a_strangers_check_runs_nothing_whatever_is_done_beside_it(arrived: Scene) -> None:
    arrived.alice.does("pull mallory")
    arrived.mallory.run("push ../alice")
    arrived.alice.does("clone ../mallory copy")

    for line in LOOKS:
        ran = arrived.alice.run(line)
        assert ran.exit_code in {0, 1, 3, 6}, (line, ran)
        assert arrived.left() == set(), line


def test_a_check_that_is_not_trusted_blocks_and_says_how_to_go_on(arrived: Scene) -> None:
    before = arrived.alice.does("show legal --json").document["statements"]

    ran = arrived.alice.run("test legal")

    assert ran.exit_code == 1
    assert ran.text == shown("""
        untrusted  legal  spy
          spy of legal: the check spy is code that you have not trusted
          spy of legal: read it, then: mgit trust code --check spy
    """)
    assert arrived.alice.does("show legal --json").document["statements"] == before
    assert arrived.left() == set()


def test_a_merge_waits_for_a_check_that_is_not_trusted(arrived: Scene) -> None:
    before = arrived.alice.does("ls --json").document

    ran = arrived.alice.run("merge legal qa --method average --executor inline")

    assert ran.exit_code == 1
    assert "mgit trust code --check spy" in ran.out
    assert arrived.alice.does("ls --json").document == before
    assert arrived.left() == set()


def test_a_check_runs_once_its_digest_is_trusted(arrived: Scene) -> None:
    trusted = arrived.alice.does(f"trust code --check spy --digest {digest_of_spy(arrived)}")
    before = arrived.left()

    ran = arrived.alice.does("test legal --executor inline")

    assert "trusted" in trusted.out
    assert (before, arrived.left()) == (set(), {"imported", "called"})
    assert ran.text.startswith("passed  legal  spy  score 1.000")


def test_the_advice_trusts_what_was_shown(arrived: Scene) -> None:
    ran = arrived.alice.run("trust code --check spy")
    (command,) = {row.partition("mgit ")[2] for row in ran.err.splitlines() if "--digest" in row}

    arrived.alice.does(command)

    assert ran.exit_code == 6
    assert "# evil:spy, signed by mallory" in ran.out
    assert ".touch()" in ran.out
    arrived.alice.does("test legal --executor inline")


@pytest.mark.parametrize("cut", [slice(12), slice(63), slice(1, 64)])
def test_part_of_a_digest_trusts_no_check(arrived: Scene, cut: slice) -> None:
    digits = digest_of_spy(arrived).removeprefix("sha256:")

    ran = arrived.alice.run(f"trust code --check spy --digest {digits[cut]}")

    assert ran.exit_code == 6
    assert "mgit trust code --check spy" in ran.err
    assert arrived.alice.run("test legal --executor inline").exit_code == 1
    assert arrived.left() == set()


@pytest.mark.parametrize(
    ("words", "exit_code", "says"),
    [
        ("", 2, "name one model, or one check"),
        ("base --check spy", 2, "name one model, or one check"),
        ("--check nothing", 4, "there are: spy"),
    ],
)
def test_trusting_code_takes_one_model_or_one_check(
    arrived: Scene, words: str, exit_code: int, says: str
) -> None:
    ran = arrived.alice.run(f"trust code {words}")

    assert ran.exit_code == exit_code
    assert says in ran.err


@pytest.mark.parametrize(
    "function", ["os:system", "subprocess:Popen", "antigravity:fly", "mgit.recipes:import_module"]
)
def test_a_check_without_source_is_one_of_mgit_or_does_not_run(scene: Scene, function: str) -> None:
    scene.plant(code(function, None), None)

    ran = scene.alice.run("test legal --executor inline")

    assert ran.exit_code == 1
    assert "ships no such function" in ran.out
    assert scene.alice.run("trust code --check spy").exit_code == 4


def test_source_that_is_not_what_the_check_records_never_runs(scene: Scene) -> None:
    source = Source({"evil.py": scene.evil})
    scene.repository("alice").home.trust_code(source.verbatim, "read elsewhere")
    scene.plant(code("evil:spy", Digest.of(b"another")), source)

    ran = scene.alice.run("test legal --executor inline")

    assert ran.exit_code == 1
    assert ran.text.startswith("absent")
    assert scene.alice.run("trust code --check spy").exit_code == 4
    assert scene.left() == set()


def test_trusted_files_do_not_vouch_for_other_files_of_the_same_meaning(scene: Scene) -> None:
    read = Source({"evil.py": scene.evil + "# read\n"})
    sent = Source({"evil.py": scene.evil + "# sent\n"})
    assert read.normalised == sent.normalised
    scene.repository("alice").home.trust_code(read.verbatim, "read elsewhere")
    scene.plant(code("evil:spy", sent.normalised), sent)

    ran = scene.alice.run("test legal --executor inline")

    assert ran.text.startswith("untrusted")
    assert scene.left() == set()


def test_trusted_files_run_no_function_of_other_modules(scene: Scene) -> None:
    source = Source({"evil.py": scene.evil})
    scene.repository("alice").home.trust_code(source.verbatim, "read elsewhere")
    scene.plant(code("os:system", source.normalised), source)

    ran = scene.alice.run("test legal --executor inline")

    assert ran.exit_code == 1
    assert ran.text.startswith("errored")


def test_of_two_checks_of_one_name_the_one_not_trusted_is_shown(arrived: Scene) -> None:
    other = Source({"evil.py": arrived.evil.replace("1.0", "2.0")})
    arrived.plant(code("evil:spy", other.normalised), other)
    first = digest_of_spy(arrived)

    arrived.alice.does(f"trust code --check spy --digest {first}")

    assert digest_of_spy(arrived) != first
    assert arrived.left() == set()
