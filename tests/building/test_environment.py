"""The environment class is part of the key of a result where bits are promised, and only there."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mgit.building import Parent, Work
from mgit.building import environment as machine
from mgit.building.environment import environment
from mgit.digest import Digest
from mgit.objects import Code, Level
from mgit.source import Source

SOURCE = Source({"train.py": "import numpy\nimport msgpack\n\ndef f():\n    import yaml.nodes\n"})
PARENT = Parent("base", Digest.of(b"node"), Digest.of(b"manifest"), Digest.of(b"content"))


@pytest.fixture(autouse=True)
def _forgetting() -> Iterator[None]:
    yield
    machine._version.cache_clear()


def work(level: Level) -> Work:
    code = Code("train:f", SOURCE.normalised, 0, {"by": 1.0}, 0, {}, level)
    return Work(code, ("",), (PARENT,), SOURCE, environment(SOURCE, threads=1), {})


def threads(work: Work, _: pytest.MonkeyPatch) -> Work:
    return replace(work, environment=environment(SOURCE, threads=2))


def release(work: Work, patch: pytest.MonkeyPatch) -> Work:
    patch.setattr(machine, "_version", lambda name: "9.9.9" if name == "msgpack" else "1")
    return replace(work, environment=environment(SOURCE, threads=1))


def instructions(work: Work, patch: pytest.MonkeyPatch) -> Work:
    patch.setattr(machine, "_instructions", lambda: "sse9")
    return replace(work, environment=environment(SOURCE, threads=1))


def graphics(work: Work, patch: pytest.MonkeyPatch) -> Work:
    patch.setattr(machine, "_devices", lambda: ["H999"])
    return replace(work, environment=environment(SOURCE, threads=1))


CHANGES = [threads, release, instructions, graphics]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("level", Level)
def test_a_change_of_the_machine_is_another_action_where_bits_are_promised(
    level: Level, change: Callable[[Work, pytest.MonkeyPatch], Work]
) -> None:
    here = work(level)
    with pytest.MonkeyPatch.context() as patch:
        there = change(here, patch)

    assert there.environment != here.environment
    assert (there.action != here.action) == (level is Level.BITWISE)


@pytest.mark.parametrize(
    "same",
    [
        {"parents": (replace(PARENT, node=None, manifest=Digest.of(b"other")),)},
        {"related": (Digest.of(b"older"),)},
        {"operation": "align"},
        {"timeout_s": 1.0},
        {"data": {"x": Path("elsewhere")}},
    ],
)
def test_what_decides_nothing_is_not_in_the_key(same: dict[str, object]) -> None:
    here = work(Level.BITWISE)

    assert replace(here, **same).action == here.action  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        {"parents": ()},
        {"parents": (replace(PARENT, role="teacher"),)},
        {"parents": (replace(PARENT, content=Digest.of(b"other")),)},
    ],
)
def test_the_content_of_parents_and_their_roles_are_in_the_key(other: dict[str, object]) -> None:
    here = work(Level.STOCHASTIC)

    assert replace(here, **other).action != here.action  # type: ignore[arg-type]


def test_every_package_that_is_imported_anywhere_counts() -> None:
    packages = environment(SOURCE, threads=1)["packages"]

    assert isinstance(packages, dict)
    assert {"numpy", "msgpack"} <= packages.keys()


def test_a_function_of_mgit_needs_numpy_alone() -> None:
    assert set(environment(None, threads=1)["packages"]) == {"numpy"}  # type: ignore[call-overload]


def test_hidden_graphics_processors_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    machine._devices.cache_clear()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    assert environment(SOURCE, threads=1)["devices"] == []

    machine._devices.cache_clear()
