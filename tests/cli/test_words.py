"""How the words of a command line become values."""

from pathlib import Path

import pytest

from mgit.cli.progress import progress
from mgit.cli.session import Session, running
from mgit.cli.verbs.peers import default_folder
from mgit.cli.verbs.words import label_or_login, pairs
from mgit.errors import UsageError
from mgit.objects.grammar import check_label


class Screen:
    """A terminal to write on."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.written = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.written += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize(
    ("login", "label"),
    [
        ("alice", "alice"),
        ("Alice.Smith", "alice-smith"),
        ("42nd_Street", "nd-street"),
        ("v2", "me"),
        ("Ελένη", "me"),
        ("x" * 80, "x" * 63),
    ],
)
def test_a_login_name_becomes_a_label(
    login: str, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", login)

    assert check_label(label_or_login("")) == label
    assert label_or_login("given") == "given"


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("/mnt/lab/models", "models"),
        ("/mnt/lab/models/", "models"),
        ("/mnt/lab/models.mgit", "models"),
        ("/mnt/lab/models/.mgit", "models"),
        ("../models#1a2b", "models"),
        ("https://host/team/models.mgit#1a2b", "models"),
    ],
)
def test_a_clone_goes_to_the_last_part_of_its_url(url: str, folder: str) -> None:
    assert default_folder(url) == Path(folder)


@pytest.mark.parametrize("url", ["/", "..", "file://"])
def test_a_url_without_a_last_part_names_no_folder(url: str) -> None:
    with running(Session({}, Screen())), pytest.raises(UsageError):  # type: ignore[arg-type]
        default_folder(url)


def test_pairs_are_cut_at_the_first_equals_sign() -> None:
    assert pairs(["a=b=c", "d="], "--meta") == {"a": "b=c", "d": ""}


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("https://host/a", "https://host/a"),
        ("../a", "/start/a"),
        ("/a#1b", "/a#1b"),
    ],
)
def test_a_plain_path_is_seen_from_the_folder_of_the_command(given: str, seen: str) -> None:
    here = Session({}, Screen(), started_in=Path("/start/here"))  # type: ignore[arg-type]

    assert here.url(given) == seen


def test_progress_is_silent_at_first_and_drawn_when_it_takes_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen, now = Screen(), [0.0]
    monkeypatch.setattr("mgit.cli.progress.time.monotonic", lambda: now[0])

    with running(Session({}, screen)), progress("adding") as advance:  # type: ignore[arg-type]
        advance(1, 10)
        quick = screen.written
        now[0] = 2.0
        advance(5, 10)

    assert quick == ""
    assert "adding" in screen.written


def test_progress_is_for_terminals_only() -> None:
    screen = Screen()
    screen.isatty = lambda: False  # type: ignore[method-assign]

    with running(Session({}, screen)), progress("adding") as advance:  # type: ignore[arg-type]
        advance(1, 10)

    assert screen.written == ""
