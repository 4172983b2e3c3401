"""Executors by name."""

from pathlib import Path

import pytest

from mgit.errors import UsageError
from mgit.execution import Job, open_executor


def test_an_unknown_executor_is_refused_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'slurm'") as refused:
        open_executor("slurm", jobs=1, folder=tmp_path)

    assert refused.value.hint == "choose from: inline, process, ray"


@pytest.mark.parametrize("kind", ["inline", "process"])
def test_an_address_is_refused_where_it_would_be_ignored(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no address"):
        open_executor(kind, jobs=1, address="10.0.0.1:6379", folder=tmp_path)


def test_an_executor_without_a_place_for_a_job_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 jobs"):
        open_executor("inline", jobs=0, folder=tmp_path)


def test_a_log_has_a_place_that_does_not_depend_on_the_worker() -> None:
    with pytest.raises(ValueError, match="another folder"):
        Job("a", "module:function", "", "relative.log")


def test_a_job_without_a_thread_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="thread"):
        Job("a", "module:function", "", "/log", threads=0)
