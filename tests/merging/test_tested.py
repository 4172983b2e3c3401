"""A result of both sides has to pass the checks that are for it.

start <── ours (v above 0)      what is merged is the mean: of ours 3 and theirs -1 it is 1
   ^───── theirs
"""

from pathlib import Path
from typing import Any

import pytest

import mgit
from mgit.checks import State
from mgit.checks.registering import CheckRequest, add_check
from mgit.errors import MachineError, UsageError
from mgit.merging import Merge
from mgit.objects import CREATION, SCORES, TEST_RESULT, EdgeKind
from mgit.provenance import Provenance
from tests.cli.terminal import Terminal
from tests.merging.models import Workshop, f32, values

CHECK = """
import mgit


@mgit.check(on="start", gates=[mgit.at_least("accuracy", 0.5)])
def answers(model, *, runs):
    numbers = model.arrays()["v"].tolist()
    with open(runs, "a") as file:
        file.write(f"{numbers}\\n")
    return mgit.Samples([number > 0 for number in numbers])
"""
START, OURS, THEIRS = [0.5, 0.5], [3.0, 3.0], [-1.0, -1.0]


class Bench:
    """A family, and a check of it that writes down what it is given."""

    def __init__(self, shop: Workshop) -> None:
        self.shop = shop
        self.trace = shop.root / "given"
        (shop.root / "tasks.py").write_text(CHECK)
        shop.family({"v": f32(*START)}, {"v": f32(*OURS)}, {"v": f32(*THEIRS)})

    def check(self, *gates: str, on: str = "start", severity: str = "") -> None:
        request = CheckRequest(
            "tasks:answers",
            name=f"answers-on-{on}",
            on=on,
            severity=severity,
            gates=gates or None,
            arguments={"runs": str(self.trace)},
            roots=(self.shop.root,),
        )
        add_check(self.shop.repository, request)

    def merge(self, **more: Any) -> Merge:
        given: dict[str, Any] = {"method": "average", "executor": "inline", **more}
        return mgit.merge(self.shop.repository, "ours", "theirs", **given)

    def given(self) -> list[str]:
        """What the check was given since this was asked last."""
        if not self.trace.exists():
            return []
        lines = self.trace.read_text().splitlines()
        self.trace.unlink()
        return lines

    def state(self) -> tuple[object, ...]:
        """Everything that anybody could see of the repository, but for parts without a node."""
        history = self.shop.repository.history()
        found = {name: history.names.resolve(name) for name in history.names.names()}
        return found, set(history.nodes), set(history.statements), set(history.ledger.entries)

    def external(self) -> dict[str, Any]:
        """What the statement about the node that ours points to says was asked for."""
        history = self.shop.repository.history()
        (node,) = history.names.resolve("ours")
        (claim,) = Provenance(history).about(node, CREATION)
        predicate: Any = claim.statement.predicate
        found: dict[str, Any] = predicate["buildDefinition"]["externalParameters"]
        return found


@pytest.fixture
def bench(shop: Workshop) -> Bench:
    return Bench(shop)


def test_a_result_that_passes_is_a_new_version(bench: Bench) -> None:
    bench.check()

    merged = bench.merge()

    history = bench.shop.repository.history()
    assert merged.node is not None
    assert history.names.resolve("ours") == {merged.node}
    node = history.nodes[merged.node]
    assert node.parents(EdgeKind.VERSION) == (merged.ours,)
    assert node.parents(EdgeKind.PROVENANCE) == (merged.theirs,)
    assert values(bench.shop.tensors("ours")["v"]) == [1.0, 1.0]
    assert bench.external()["tested"] is True


def test_the_check_is_given_the_merged_weights_and_nothing_else(bench: Bench) -> None:
    bench.check()

    bench.merge()

    assert bench.given() == ["[1.0, 1.0]"]


def test_what_was_found_is_claimed_of_the_new_node(bench: Bench) -> None:
    bench.check()

    merged = bench.merge()

    history = bench.shop.repository.history()
    assert merged.node is not None
    (scores,) = Provenance(history).about(merged.node, SCORES)
    (result,) = Provenance(history).about(merged.node, TEST_RESULT)
    assert scores.is_trusted
    assert result.statement.predicate["result"] == "PASSED"


def test_what_was_tested_by_the_merge_is_not_measured_again(bench: Bench) -> None:
    bench.check()
    bench.merge()
    entries = bench.state()[-1]

    report = mgit.run_checks(bench.shop.repository, "ours", executor="inline")

    assert report.is_ok
    assert len(bench.given()) == 1
    assert bench.state()[-1] == entries


def test_a_result_that_fails_moves_nothing(bench: Bench) -> None:
    bench.check('at_least("accuracy", 2.0)')
    before = bench.state()

    merged = bench.merge()

    assert merged.node is None
    assert merged.report is not None
    assert [row.sentences for row in merged.report.rows] == [("accuracy 1.000, at least 2.000",)]
    assert bench.state() == before
    assert mgit.check_integrity(bench.shop.repository).is_clean


def test_a_result_that_failed_can_still_be_merged_otherwise(bench: Bench) -> None:
    bench.check('at_least("accuracy", 2.0)')
    bench.merge()

    untested = bench.merge(is_untested_allowed=True)

    assert untested.node is not None
    assert untested.report is None
    assert bench.external()["tested"] is False
    assert mgit.check_integrity(bench.shop.repository).is_clean
    assert values(bench.shop.tensors("ours")["v"]) == [1.0, 1.0]


def test_a_result_that_passes_after_it_failed_is_kept(bench: Bench) -> None:
    bench.check('at_least("accuracy", 2.0)')
    bench.merge()
    bench.check()

    merged = bench.merge()

    assert merged.node is not None
    assert bench.given() == ["[1.0, 1.0]"]
    assert mgit.check_integrity(bench.shop.repository).is_clean


def test_without_a_check_nothing_is_combined_and_nothing_kept(bench: Bench) -> None:
    before = (bench.state(), bench.shop.packs())

    merged = bench.merge()

    assert (merged.node, merged.report) == (None, None)
    assert (bench.state(), bench.shop.packs()) == before


def test_where_no_check_is_no_weights_are_read(bench: Bench) -> None:
    bench.shop.remove_chunk_packs()
    before = bench.state()

    merged = bench.merge()

    assert (merged.node, merged.report) == (None, None)
    assert bench.state() == before


def test_a_check_of_another_model_is_not_for_the_result(bench: Bench) -> None:
    bench.shop.add("other", {"v": f32(1.0)})
    bench.check(on="other")

    assert bench.merge().node is None
    assert bench.given() == []


@pytest.mark.parametrize("on", ["start", "ours", "theirs"])
def test_checks_of_base_and_both_sides_are_for_the_result(bench: Bench, on: str) -> None:
    bench.check(on=on)

    assert bench.merge().node is not None
    assert bench.given() == ["[1.0, 1.0]"]


def test_all_checks_have_to_be_passed(bench: Bench) -> None:
    bench.check(on="ours")
    bench.check('at_least("accuracy", 2.0)', on="theirs")

    merged = bench.merge()

    assert merged.node is None
    assert merged.report is not None
    assert [row.state for row in merged.report.rows] == [State.PASSED, State.FAILED]


@pytest.mark.parametrize("severity", ["warn", "info"])
def test_what_does_not_block_hinders_no_merge_and_is_told(bench: Bench, severity: str) -> None:
    bench.check('at_least("accuracy", 2.0)', severity=severity)

    merged = bench.merge()

    assert merged.node is not None
    assert merged.report is not None
    assert merged.report.rows[0].state is State.FAILED


def test_a_check_that_goes_wrong_moves_nothing(bench: Bench) -> None:
    (bench.shop.root / "tasks.py").write_text(CHECK.replace("> 0", "> None"))
    bench.check()
    before = bench.state()

    merged = bench.merge()

    assert merged.node is None
    assert merged.report is not None
    assert "TypeError" in merged.report.rows[0].sentences[0]
    assert bench.state() == before


@pytest.mark.parametrize(("ours", "theirs"), [([1.0, 1.0], [1.0, -9.0]), ([1.0, -9.0], [1.0, 1.0])])
def test_an_item_that_either_side_had_right_has_to_stay_right(
    bench: Bench, ours: list[float], theirs: list[float]
) -> None:
    bench.shop.add("ours", {"v": f32(*ours)})
    bench.shop.add("theirs", {"v": f32(*theirs)})
    bench.check("max_negative_flips(0.0)")

    merged = bench.merge()

    assert merged.node is None
    assert merged.report is not None
    assert "1 of 2 items that were right are wrong now" in merged.report.rows[0].sentences[0]
    assert sorted(bench.given()) == ["[1.0, -4.0]", "[1.0, -9.0]", "[1.0, 1.0]"]


def test_a_dry_run_and_a_clean_merge_run_no_check(bench: Bench) -> None:
    bench.check()

    bench.merge(is_dry_run=True)
    clean = bench.merge(method="theirs")

    assert clean.node is not None
    assert bench.given() == []


def test_a_check_that_met_a_full_disk_says_nothing_of_the_result(bench: Bench) -> None:
    full = '    with open("/dev/full", "w") as file:\n        file.write("much")\n    return mgit.S'
    (bench.shop.root / "tasks.py").write_text(CHECK.replace("    return mgit.S", full))
    bench.check()
    before = bench.state()

    with pytest.raises(MachineError, match="No space left on device") as told:
        bench.merge()

    assert "free some space" in told.value.hint
    assert bench.state() == before


def test_an_unknown_executor_is_told_before_anything_is_kept(bench: Bench) -> None:
    bench.check()
    before = bench.state()

    with pytest.raises(UsageError, match="nowhere"):
        bench.merge(executor="nowhere")

    assert bench.state() == before


def test_the_command_tells_what_came_out(tmp_path: Path) -> None:
    alice = Terminal("alice", tmp_path)
    alice.does("init --as alice")
    alice.does(f"add {alice.checkpoint(0)} base")
    for seed, name in ((1, "legal"), (2, "qa")):
        alice.does(f"add {alice.checkpoint(seed)} {name} --parent base")
    (alice.folder / "tasks.py").write_text(
        "import mgit\n\n\n@mgit.check\ndef size(model):\n"
        "    return {'size': model.arrays()['embedding'].size}\n"
    )
    alice.does("check add tasks:size --on base --gate", 'at_least("size", 65)')
    words = "merge legal qa --method average --executor inline"

    refused = alice.run(words)
    alice.does("check add tasks:size --on base --gate", 'at_least("size", 64)')
    kept = alice.does(words)

    assert refused.exit_code == 1
    assert "did not pass, nothing moved\nfailed  legal  size  size 64.000" in refused.text
    assert "size of legal: size 64.000, at least 65.000" in refused.text
    assert f"keep it in spite of the test: mgit {words}"[:60] in refused.err
    assert "needs a test: the result combines both sides and passed" in kept.text
    assert alice.does("show legal --json").document["operation"] == "merge"
