"""The damage table: whatever happens to whichever bytes, nothing wrong comes out and it heals.

    file                  what is done to it     named by fsck   why not
    packs/*               anything               yes
    config.toml           no TOML, another id    yes
                          anything else          no              no object is concerned
    packs/list, local/*   anything               no              a hint; facts of this copy alone
    decoded/*, caches     anything               no              made again where they do not fit

After each: no command brings out a wrong byte or falls over; what is damaged is named; a repair
from a good copy heals it; and then every model comes out byte for byte.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mgit import repair, viewing
from mgit.adding import export
from mgit.errors import MgitError
from mgit.repository import Repository
from tests.checkpoints import files_below
from tests.damage.table import ROLES, Case, alice_in, build, cases, decode_all, models

DAY_S = 86_400
SAMPLED = 61  # every so many cases: no multiple of the number of ways to damage
READING: tuple[Callable[[Repository], object], ...] = (
    viewing.status,
    viewing.names,
    viewing.log,
    viewing.stats,
)


@dataclass(frozen=True, slots=True)
class Table:
    """The repository of ``table.build``, as often as it is needed: caches know it by its path.

    Attributes:
        root: Where cases happen.
        kept: What is put there.
        cases: All of them.
        tensors: Those of all models.
    """

    root: Path
    kept: Path
    cases: tuple[Case, ...]
    tensors: dict[str, bytes]

    def happened(self, case: Case) -> bool:
        """Puts everything back and lets a case happen; returns whether it changes a thing."""
        shutil.rmtree(self.root)
        shutil.copytree(self.kept, self.root)
        return case.happens(self.root)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    root, kept = tmp_path_factory.mktemp("table"), tmp_path_factory.mktemp("kept") / "table"
    build(root)
    shutil.copytree(root, kept)
    return Table(root, kept, tuple(cases(root)), decode_all(alice_in(root)))


def exported(repository: Repository, node: str, target: Path) -> dict[str, bytes] | None:
    """The files that come out; None where the program says why they do not."""
    try:
        export(repository, node, target)
    except MgitError:
        assert not target.exists()
        return None
    return files_below(target)


def require_nothing_wrong(table: Table) -> None:
    """Asserts that what comes out is right, or that nothing does."""
    repository = alice_in(table.root)
    for node, source in models(table.root).items():
        found = exported(repository, node, table.root / "out" / node)
        assert found in (None, files_below(source)), node
    for command in READING:
        with contextlib.suppress(MgitError):
            command(repository)
    with contextlib.suppress(MgitError):
        assert decode_all(alice_in(table.root)).items() <= table.tensors.items()


def require_heals(table: Table) -> None:
    """Asserts that a repair makes it whole, and that everything is as it was."""
    later = time.time() + 2 * DAY_S
    mended = repair.mend(alice_in(table.root), str(table.root / "good"), now_s=later)

    assert mended.report.is_clean, mended
    after = alice_in(table.root)
    assert repair.check(after).is_clean
    good = Repository.open(table.root / "good", after.home)
    assert after.history().objects == good.history().objects
    for node, source in models(table.root).items():
        assert exported(after, node, table.root / "healed" / node) == files_below(source), node


def check_case(table: Table, case: Case) -> None:
    """Asserts what holds after a case."""
    require_nothing_wrong(table)
    report = repair.check(alice_in(table.root))
    is_stored = "/packs/" in case.path and not case.path.endswith("/list")
    assert not (is_stored and report.is_clean and not report.damage)
    require_heals(table)


def check_cases(table: Table, chosen: list[Case]) -> None:
    changing = 0
    for case in chosen:
        if table.happened(case):
            print(case)  # noqa: T201  # shown when it fails
            check_case(table, case)
            changing += 1
    assert changing > len(chosen) / 2


def test_a_sample_of_the_damage_table(table: Table) -> None:
    check_cases(table, list(table.cases[::SAMPLED]))


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_the_whole_damage_table(table: Table, role: str) -> None:
    check_cases(table, [case for case in table.cases if case.role == role])


def test_the_table_has_every_role(table: Table) -> None:
    assert {case.role for case in table.cases} == set(ROLES)
