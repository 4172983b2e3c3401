"""What scripts and people may rely on: exit codes, errors, JSON, options, help."""

import errno
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mgit import errors
from mgit.cli import entry
from mgit.cli.failures import EXIT_CODES
from mgit.errors import MgitError
from tests.cli.terminal import Ran, Screen, Terminal, commands

# Every command once, in an order in which each of them succeeds or answers "no".
DAY = (
    ("init", "init --as alice"),
    ("add", "add {0} base"),
    ("add", "add {1} legal --parent base --meta source=court"),
    ("log", "log --graph"),
    ("ls", "ls"),
    ("show", "show base"),
    ("status", "status"),
    ("stats", "stats"),
    ("diff", "diff base legal"),
    ("merge", "merge base legal --into both"),
    ("build", "build own --parent base --recipe recipes:same --executor inline"),
    ("reproduce", "reproduce own --executor inline"),
    ("trust code", "trust code own"),
    ("check add", "check add recipes:sound --on base"),
    ("check list", "check list"),
    ("test", "test own --executor inline"),
    ("check remove", "check remove sound"),
    ("pin", "pin own"),
    ("cascade plan", "cascade plan"),
    ("cascade run", "cascade run"),
    ("cascade show", "cascade show"),
    ("cascade log", "cascade log"),
    ("export", "export base out"),
    ("tag", "tag base prod"),
    ("note", "note base good"),
    ("rename", "rename legal law"),
    ("rm", "rm law"),
    ("undo", "undo"),
    ("op log", "op log"),
    ("resolve", "resolve law --pick base"),
    ("verify", "verify base"),
    ("fsck", "fsck"),
    ("gc", "gc"),
    ("repack", "repack --grace 0"),
    ("whoami", "whoami"),
    ("key new", "key new --as spare"),
    ("key list", "key list"),
    ("key use", "key use alice"),
    ("key export", "key export spare spare.pem"),
    ("key import", "key import spare.pem --as again"),
    ("trust list", "trust list"),
    ("trust add", "trust add {key} --role maintainer --as carol"),
    ("trust remove", "trust remove carol"),
    ("trust folder", "trust folder ."),
    ("clone", "clone . copy"),
    ("remote add", "remote add copy copy"),
    ("remote list", "remote list"),
    ("fetch", "fetch copy"),
    ("pull", "pull copy"),
    ("push", "push copy"),
    ("backfill", "backfill base copy"),
    ("remote remove", "remote remove copy"),
)
RECIPES = """
import mgit


@mgit.recipe
def same(parents):
    return dict(parents["base"].arrays())


@mgit.check
def sound(model):
    return {"tensors": len(model.arrays())}
"""
KEY = "ed25519:" + "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


@pytest.fixture
def alice(tmp_path: Path) -> Terminal:
    return Terminal("alice", tmp_path)


@pytest.fixture
def settled(alice: Terminal) -> Terminal:
    alice.does("init --as alice")
    alice.does(f"add {alice.checkpoint(0)} base")
    return alice


def day(alice: Terminal, more: str) -> Iterator[tuple[str, Ran]]:
    (alice.folder / "recipes.py").write_text(RECIPES)
    for name, line in DAY:
        words = line.format(alice.checkpoint(0), alice.checkpoint(1), key=KEY)
        yield name, alice.run(f"{words} {more}")


def test_every_command_is_in_the_day() -> None:
    assert {name for name, _ in DAY} == {name for name, _ in commands()}


def test_every_command_gives_one_document_of_its_schema(alice: Terminal) -> None:
    for name, ran in day(alice, "--json"):
        assert ran.exit_code in {0, 1}, (name, ran)
        assert ran.document["schema"] == f"mgit.{name.replace(' ', '-')}/v1"
        assert ran.err == ""


def test_every_command_says_something_to_people(alice: Terminal) -> None:
    silent = {name for name, ran in day(alice, "") if not ran.out}

    assert silent == set()


def test_quiet_leaves_only_answers(alice: Terminal) -> None:
    talking = {name for name, ran in day(alice, "-q") if ran.out or ran.err}

    assert talking == {
        *("log", "ls", "show", "status", "stats", "diff", "op log", "verify", "fsck", "whoami"),
        *("key list", "trust list", "remote list", "reproduce", "trust code", "check list", "test"),
        *("cascade plan", "cascade run", "cascade show", "cascade log"),
    }


def test_ids_in_json_are_whole_and_say_their_hash(settled: Terminal) -> None:
    node = settled.does("show base --json").document["node"]

    assert re.fullmatch(r"sha256:[0-9a-f]{64}", node)


def test_verbose_shows_ids_whole(settled: Terminal) -> None:
    node = settled.does("show base --json").document["node"]

    assert node.removeprefix("sha256:") in settled.does("ls -v").out
    assert node.removeprefix("sha256:")[:12] in settled.does("ls").out.split()


# --- help ---


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_help_ends_with_two_examples_of_the_command(name: str, alice: Terminal) -> None:
    text = alice.does(f"{name} --help").out

    *_, heading, first, second = text.rstrip().splitlines()
    assert heading.strip() == "Examples:"
    assert re.search(rf"\bmgit (-C \S+ )?{name}\b", first)
    assert re.search(rf"\bmgit (-C \S+ )?({name}\b|rm |remote remove )", second)


@pytest.mark.parametrize("words", ["", "--help", "-h"])
def test_help_lists_commands_and_exit_codes_and_ends_with_examples(
    words: str, alice: Terminal
) -> None:
    text = alice.does(words).out

    assert all(
        re.search(rf"^    {code} +{re.escape(meaning)}$", text, re.MULTILINE)
        for code, meaning in EXIT_CODES.items()
    )
    assert all(re.search(rf"^  {name.split()[0]} ", text, re.MULTILINE) for name, _ in commands())
    assert text.rstrip().splitlines()[-3].strip() == "Examples:"
    assert "...\n" not in text.partition("Commands:")[2]  # every command in one whole sentence


@pytest.mark.parametrize("group", ["key", "trust", "remote", "op"])
def test_help_of_a_group_ends_with_two_examples(group: str, alice: Terminal) -> None:
    *_, heading, first, second = alice.does(f"{group} --help").out.rstrip().splitlines()

    assert heading.strip() == "Examples:"
    assert first.strip().startswith(f"mgit {group} ")
    assert second.strip().startswith(f"mgit {group} ")


def test_version_is_that_of_the_distribution(alice: Terminal) -> None:
    project = Path(__file__).parents[2] / "pyproject.toml"

    version = alice.does("--version").out.removeprefix("mgit ").strip()

    assert f'version = "{version}"' in project.read_text()


# --- options ---


@pytest.mark.parametrize("line", ["-C {0} --json ls", "ls --json -C {0}", "--json ls -C {0}"])
def test_global_options_stand_before_the_command_or_after_it(
    line: str, settled: Terminal, tmp_path: Path
) -> None:
    elsewhere = Terminal("elsewhere", tmp_path)

    assert elsewhere.does(line.format(settled.folder)).document["names"][0]["name"] == "base"


@pytest.mark.parametrize("line", ["key --json list", "key list --json", "--json key list"])
def test_global_options_stand_anywhere_in_a_group(line: str, settled: Terminal) -> None:
    assert settled.does(line).document["keys"][0]["label"] == "alice"


def test_a_value_that_looks_like_an_option_is_a_value(settled: Terminal) -> None:
    settled.does(f"add {settled.checkpoint(1)} base -m --json")
    settled.does("note base", "--", "-q")

    shown = settled.does("show base --json").document

    assert shown["message"] == "--json"
    assert shown["notes"][0]["text"] == "-q"


def test_paths_are_seen_from_the_folder_that_was_given(settled: Terminal) -> None:
    settled.does(f"-C {settled.folder} export base out")

    assert (settled.folder / "out" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("option", "environment", "is_colored"),
    [
        ("", {}, True),
        ("--no-color", {}, False),
        ("", {"NO_COLOR": "1"}, False),
        ("", {"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_terminals_and_can_be_refused(
    option: str, environment: dict[str, str], *, is_colored: bool, settled: Terminal
) -> None:
    wanted = {"NO_COLOR": "", "TERM": "xterm", **environment}
    at_screen = Terminal("alice", settled.root, wanted, Screen)
    piped = Terminal("alice", settled.root, wanted)

    assert ("\x1b" in at_screen.does(f"ls {option}").out) == is_colored
    assert "\x1b" not in piped.does("ls").out


# --- errors ---

WRONG = {
    "no such command": ("bogus", 2),
    "no argument": ("add", 2),
    "no such option": ("ls --bogus", 2),
    "not a number": ("log -n many", 2),
    "not key=value": ("add {0} x --meta novalue", 2),
    "bad name": ("add {0} Not-A-Name", 2),
    "bad selector": ("ls ancestors(", 2),
    "two ways to look": ("diff base base --stat --name-only", 2),
    "repository twice": ("init", 2),
    "clone of nothing": ("clone /", 2),
    "unknown name": ("show nobody", 4),
    "no checkpoint": ("add nowhere base", 4),
    "no key": ("key use nobody", 4),
    "no repository": ("-C / ls", 4),
    "nothing to undo": ("op log nothing", 2),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_error_is_at_most_three_lines_on_stderr(case: str, settled: Terminal) -> None:
    line, code = WRONG[case]

    ran = settled.run(line.format(settled.checkpoint(0)))

    assert ran.exit_code == code
    assert ran.out == ""
    assert ran.err.startswith("mgit: ")
    assert len(ran.err.splitlines()) <= 3
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("case", WRONG)
def test_an_error_under_json_is_one_document_on_stderr(case: str, settled: Terminal) -> None:
    line, code = WRONG[case]

    ran = settled.run(line.format(settled.checkpoint(0)), "--json")

    told = json.loads(ran.err)
    assert ran.out == ""
    assert told["schema"] == "mgit.error/v1"
    assert told["exit_code"] == code == ran.exit_code
    assert set(told) == {"schema", "error", "message", "hint", "exit_code"}


def failing(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("mgit.viewing.names", fail)


ALL_ERRORS = [
    cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, MgitError)
]


@pytest.mark.parametrize("cls", ALL_ERRORS)
def test_every_error_exits_with_a_code_of_the_table(
    cls: type[MgitError], settled: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(cls("what happened\nin \x1b[31mtwo\u202e lines", hint="what\nto do"), monkeypatch)

    ran = settled.run("ls")

    assert ran.exit_code == cls.exit_code
    assert ran.exit_code in EXIT_CODES
    assert len(ran.err.splitlines()) == 2
    assert "\x1b" not in ran.err
    assert "\u202e" not in ran.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (RuntimeError("oops"), 70, "a bug in mgit: RuntimeError: oops"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 8, "out of memory"),
        (PermissionError(13, "Permission denied", "packs"), 8, "Permission denied"),
        (OSError(errno.EFBIG, "File too large", "pack"), 8, "look at ulimit -f"),
        (FileNotFoundError(2, "No such file", "x"), 70, "a bug in mgit"),
    ],
)
def test_the_unexpected_has_its_codes(
    error: BaseException,
    code: int,
    said: str,
    settled: Terminal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing(error, monkeypatch)

    ran = settled.run("ls")

    assert ran.exit_code == code
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_a_traceback_is_shown_to_who_asks(
    settled: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(RuntimeError("oops"), monkeypatch)

    ran = Terminal("alice", settled.root, {"MGIT_TRACEBACK": "1"}).run("ls")

    assert "Traceback" in ran.err
    assert ran.err.splitlines()[-2].startswith("mgit: a bug in mgit")


def test_a_closed_pipe_is_no_error(settled: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(BrokenPipeError(), monkeypatch)
    monkeypatch.setattr(entry, "_forget", lambda _: None)

    ran = settled.run("ls")

    assert (ran.exit_code, ran.err) == (0, "")
