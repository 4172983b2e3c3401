"""``mgit cascade``: what it prints, what it exits with, and what it remembers of a run.

base --> a --> b
base --> other
"""

import os
import re
from itertools import groupby
from pathlib import Path

import pytest

from tests.cascade.workshop import Workshop, workshop
from tests.cli.terminal import Ran, Terminal

PLANNED = """\
build  a      base@v1 -> base  about 0.0 s
build  b      new a            about 0.0 s
build  other  base@v1 -> base  about 0.0 s
"""
RAN = """\
failed   a                    ValueError: no such luck
blocked  b                    blocked by a
done     other  aaaaaaaaaaaa  base@v1 -> base           0.0 s
published: other; 2 jobs ran; cascade 00000000-000000-000000
"""


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """The family, with a base that is new."""
    found = workshop(tmp_path, "a", "b <- a", "other")
    found.new()
    return found


@pytest.fixture
def alice(shop: Workshop) -> Terminal:
    """The person of the workshop at a terminal."""
    return Terminal("alice", shop.project.parent, {"PYTHONPATH": str(shop.project)})


def run(alice: Terminal, line: str = "") -> Ran:
    return alice.run(f"cascade run --executor inline {line}")


def text(ran: Ran) -> str:
    """What was printed, without times and ids; rows sorted where models stand beside each other."""
    steady = re.sub(r"\d+\.\d s", "0.0 s", ran.text)
    return re.sub(r"\d{8}-\d{6}-\d{6}", "00000000-000000-000000", steady)


def rows(printed: str) -> list[list[str]]:
    return sorted(re.split(r" {2,}", line.strip()) for line in printed.splitlines())


def test_a_plan_says_what_becomes_of_each_model_and_why(alice: Terminal) -> None:
    ran = alice.does("cascade plan")

    assert rows(text(ran)) == rows(PLANNED)


def test_a_plan_is_a_document(alice: Terminal, shop: Workshop) -> None:
    document = alice.does("cascade plan --json").document

    steps = {step["title"]: step for step in document["steps"]}
    assert set(steps) == {"a", "b", "other"}
    assert set(steps["b"]) == {
        "action",
        "after",
        "estimate_s",
        "group",
        "names",
        "node",
        "parents",
        "reason",
        "title",
    }
    assert steps["b"]["after"] == [steps["a"]["node"]]
    assert steps["b"]["action"] == "build"
    assert steps["b"]["names"] == ["b"]
    assert shop.id("a").hex() in steps["a"]["node"]
    assert shop.runs() == []


def test_where_nothing_is_behind_nothing_is_to_be_made(alice: Terminal) -> None:
    alice.does("cascade run --executor inline")

    assert "nothing is behind" in alice.does("cascade plan").out
    assert "nothing is behind" in alice.does("cascade run").out


def test_a_run_says_what_became_of_each_model(alice: Terminal, shop: Workshop) -> None:
    shop.mood("a", "raises")

    ran = run(alice)

    assert ran.exit_code == 1
    assert rows(text(ran)) == rows(RAN)


def test_one_processor_that_may_be_used_does_one_job_at_a_time(alice: Terminal) -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        alice.does("cascade run --executor process")
    finally:
        os.sched_setaffinity(0, allowed)

    events = alice.does("cascade show --json").document["events"]
    moved = [event["step"] for event in events if event["event"] == "step"]
    assert len(set(moved)) == 3
    assert len(list(groupby(moved))) == 3


def test_a_run_is_a_document(alice: Terminal, shop: Workshop) -> None:
    shop.mood("a", "raises")

    ran = run(alice, "--json")

    document = ran.document
    steps = {step["title"]: step for step in document["steps"]}
    assert ran.exit_code == 1
    assert {"run", "steps", "published", "moved", "jobs", "is_ok"} <= set(document)
    assert {title: step["state"] for title, step in steps.items()} == {
        "a": "failed",
        "b": "blocked",
        "other": "done",
    }
    assert steps["a"]["content"] is None
    assert steps["other"]["content"]
    assert document["published"] == {"other": steps["other"]["published"]}
    assert (document["is_ok"], document["moved"], document["jobs"]) == (False, [], 2)


def test_the_checks_of_a_run_are_told(alice: Terminal, shop: Workshop) -> None:
    shop.check("score", "a")

    ran = run(alice)

    assert ran.exit_code == 0
    assert "checks:" in ran.out
    assert "score" in ran.out


def test_what_is_published_is_verified(alice: Terminal, shop: Workshop) -> None:
    shop.check("score", "a")
    run(alice)

    for name in ("a", "b", "other"):
        alice.does(f"verify {name}")
    alice.does("fsck")


def test_only_what_follows_the_chosen_models_is_made(alice: Terminal, shop: Workshop) -> None:
    assert run(alice, "base --skip a --stop other --json").exit_code == 0

    assert shop.runs() == []


@pytest.mark.parametrize(
    "line",
    [
        "--executor cloud",
        "--executor inline --timeout 3",
        "--executor process --address 127.0.0.1:1",
        "--publish some",
        "--opaque maybe",
        "--jobs 0.5",
        "--jobs -1",
        "--timeout 0",
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    alice: Terminal, shop: Workshop, line: str
) -> None:
    before = shop.state()

    ran = alice.run(f"cascade run {line}")

    assert (ran.exit_code, shop.runs()) == (2, [])
    assert ran.err
    assert "Traceback" not in ran.err
    assert shop.state() == before
    assert alice.run("cascade show").exit_code == 4


def test_a_model_that_is_not_there_is_told(alice: Terminal) -> None:
    assert alice.run("cascade run nobody").exit_code == 4
    assert alice.run("cascade plan base --skip nobody").exit_code == 4


def test_a_run_that_ended_can_be_shown(alice: Terminal, shop: Workshop) -> None:
    shop.mood("a", "raises")
    ran = run(alice, "--json").document

    shown = alice.does("cascade show")
    document = alice.does(f"cascade show {ran['run']} --json").document

    assert f"cascade {ran['run']}  ended" in shown.out
    assert "ValueError: no such luck" in shown.out
    assert document["run"] == ran["run"]
    assert document["events"][0]["event"] == "planned"
    assert document["events"][-1]["event"] == "ended"
    assert document["ended"]["is_ok"] is False
    assert list(document["ended"]["published"]) == ["other"]


def test_runs_are_listed_the_last_one_first(alice: Terminal, shop: Workshop) -> None:
    shop.mood("a", "raises")
    runs = [run(alice, "--json").document["run"] for _ in range(5)]

    listed = alice.does("cascade log --json").document["runs"]
    shown = alice.does("cascade show --json").document

    assert [one["run"] for one in listed] == runs[::-1]
    assert shown["run"] == runs[-1]
    assert "not all passed; published: other" in alice.does("cascade log").out


def test_a_journal_that_was_torn_is_one_of_a_run_that_was_cut_off(
    alice: Terminal, shop: Workshop
) -> None:
    ran = run(alice, "--json").document["run"]
    events = shop.repository.folder / "cascade" / ran / "events.jsonl"
    events.write_bytes(events.read_bytes()[:-20])

    assert "cut off" in alice.does("cascade show").out
    assert "cut off" in alice.does("cascade log").out


def test_a_run_that_is_cut_off_after_its_publication_has_published(
    alice: Terminal, shop: Workshop
) -> None:
    shop.mood("a", "raises")
    ran = run(alice, "--json").document["run"]
    events = shop.repository.folder / "cascade" / ran / "events.jsonl"
    lines = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(b"".join(lines[:-1]))

    assert "cut off, or still running; published: other;" in alice.does("cascade show").out
    assert alice.does("cascade show --json").document["published"] == ["other"]
    assert "cut off; published: other" in alice.does("cascade log").out


def test_a_run_that_is_cut_off_before_has_published_nothing(
    alice: Terminal, shop: Workshop
) -> None:
    shop.mood("a", "raises")
    first = run(alice, "--publish none --json").document["run"]
    events = shop.repository.folder / "cascade" / first / "events.jsonl"
    events.write_bytes(events.read_bytes()[:-20])
    run(alice)

    assert "published: nothing;" in alice.does(f"cascade show {first}").out


def test_a_run_that_never_was_is_not_shown(alice: Terminal) -> None:
    assert alice.run("cascade show").exit_code == 4
    assert alice.run("cascade show 19990101").exit_code == 4
    assert alice.does("cascade log --json").document["runs"] == []
