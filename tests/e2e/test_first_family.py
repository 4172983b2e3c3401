"""The story of the first example, told with tiny models: two teams, a stranger, a flipped bit.

It is the very story that ``make demo`` tells; only the models are smaller, and mgit is called in
the process of the demo. Whatever the story says is checked there, command by command.
"""

import importlib.util
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "01_first_family"


@dataclass(frozen=True, slots=True)
class Elements:
    wet: bool
    hot: bool


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLE / "demo.py", "--tiny", *words],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def outcomes(told: str) -> list[str]:
    """Returns the last column of the table that ends a story, without the times."""
    table = told.partition("What was shown")[2]
    return re.findall(r"^ ?\d+  .*  (ok|FAILED|not run)\b", table, flags=re.MULTILINE)


@pytest.fixture
def story() -> ModuleType:
    spec = importlib.util.spec_from_file_location("story", EXAMPLE / "story.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_everything_that_the_story_says_is_so(tmp_path: Path) -> None:
    told = demo(str(tmp_path / "family"))

    assert told.returncode == 0, told.stdout + told.stderr
    assert len(outcomes(told.stdout)) == 19
    assert set(outcomes(told.stdout)) == {"ok"}


def test_a_folder_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")

    told = demo(str(tmp_path))

    assert told.returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_what_is_not_so_fails_the_story(
    story: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [
        story.Step("water", "it is wet", lambda here: story.expect("it is wet", here.wet)),
        story.Step("fire", "it is hot", lambda here: story.expect("it is hot", here.hot)),
        story.Step("earth", "it is round", print),
    ]

    is_told = story.tell_all(steps, Elements(wet=True, hot=False))

    told = capsys.readouterr().out
    assert not is_told
    assert "the story says that it is hot" in told
    assert outcomes(told) == ["ok", "FAILED", "not run"]
