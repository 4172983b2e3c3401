"""Every command that writes, struck anywhere: all is as before or as after, and it can run again.

Struck is: killed, refused by a disk that is full, or by one that has an error, at one of the steps
that the command tells the disk.
"""

import re
import shutil
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from tests.cli.terminal import commands
from tests.damage.commands import COMMANDS, READING, Command
from tests.damage.family import Family, State, build
from tests.damage.striking import BLOWS, KILL, KILLED, Ended, Run, calls_for, can_trace

DONE, REFUSED = {0}, {2, 4}  # refused: there is nothing left to do


class Cut:
    """One command in a family, to be struck again and again."""

    def __init__(self, command: Command, whole: Family, root: Path) -> None:
        self.command, self.root = command, root
        self.start = command.family(whole, root / "start")
        self.before = self.start.state()
        done = self.start.copied_to(root / "done")
        ended = command.on(done).by_hand()
        assert ended.exit_code == 0, ended.said
        self.steps, self.after = ended.steps, done.state()

    def struck(self, blow: int, strike: Callable[[Run], Ended]) -> Ended:
        """Strikes the command in a fresh family, and asserts what holds afterwards."""
        family = self.start.copied_to(self.root / "struck")
        ended = strike(self.command.on(family))
        print(ended)  # noqa: T201  # shown when it fails
        require_told(ended, {KILLED} if blow == KILL else self.command.failures)
        state = family.state()
        assert state in (self.before, self.after)
        self.require_can_run_again(family, state)
        shutil.rmtree(family.root)
        return ended

    def require_can_run_again(self, family: Family, state: State) -> None:
        ended = self.command.on(family).by_hand()
        require_told(ended, REFUSED if state == self.after else set())
        if state != self.after or self.command.repeats:
            assert family.state() == self.after


def require_told(ended: Ended, failures: AbstractSet[int]) -> None:
    assert ended.exit_code in DONE | failures, ended.said
    assert "Traceback" not in ended.said
    assert "bug in mgit" not in ended.said


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Family:
    """The family as nothing has happened to it; to be copied."""
    return build(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def cut(request: pytest.FixtureRequest, whole: Family, tmp_path: Path) -> Cut:
    """The command that a test is about."""
    return Cut(COMMANDS[request.param], whole, tmp_path)


every_command = pytest.mark.parametrize("cut", COMMANDS, indirect=True)
each_blow = pytest.mark.parametrize("blow", BLOWS.values(), ids=list(BLOWS))


@pytest.mark.parametrize(
    ("cut", "number"), [pair[::-1] for pair in enumerate(COMMANDS)], indirect=["cut"]
)
def test_struck_somewhere_on_the_disk_it_is_before_or_after(cut: Cut, number: int) -> None:
    blow = [*BLOWS.values()][number % len(BLOWS)]
    point = 1 + number * 7 % cut.steps  # here an early step, there a late one
    cut.struck(blow, partial(Run.by_hand, point=point, blow=blow))


@pytest.mark.slow
@each_blow
@every_command
def test_struck_at_each_step_on_the_disk_it_is_before_or_after(cut: Cut, blow: int) -> None:
    for point in range(1, cut.steps + 1):
        cut.struck(blow, partial(Run.by_hand, point=point, blow=blow))


@pytest.mark.slow
@each_blow
@every_command
def test_struck_at_system_calls_further_and_further_on_it_is_before_or_after(
    cut: Cut, blow: int
) -> None:
    if not can_trace():
        pytest.skip("no strace that may trace; the steps are swept without it above")
    for calls in calls_for(blow):
        for point in (2**doubled for doubled in count()):
            ended = cut.struck(blow, partial(Run.traced, calls=calls, point=point, blow=blow))
            if not ended.is_struck:
                break


def test_every_command_is_in_the_table_or_writes_nothing() -> None:
    titles = [re.split(", | --", title)[0] for title in COMMANDS]

    assert {words for words, _ in commands()} == {*titles, *READING}
    assert not READING.intersection(titles)
