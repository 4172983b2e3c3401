"""Work on threads gives its results in order, begins little ahead, and stops at the first error."""

import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from mgit import threads
from mgit.threads import map_in_order


@pytest.fixture(autouse=True, params=[1, 2, 4])
def some_threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "THREADS", request.param)


def test_results_come_in_order_though_the_first_is_done_last() -> None:
    others = threading.Event()

    def work(item: int) -> int:
        if item == 0 and threads.THREADS > 1:
            assert others.wait(10)
        others.set()
        return item

    assert list(map_in_order(work, range(50))) == list(range(50))


def test_no_more_is_begun_than_a_few_ahead_of_what_was_taken() -> None:
    begun, taken = count(), 0

    def endless() -> Iterator[int]:
        for item in begun:
            assert item <= taken + 16
            yield item

    with closing(map_in_order(lambda item: item, endless())) as results:
        for result in results:
            taken += 1
            if result == 200:
                break

    assert next(begun) < 250


def test_the_first_error_is_raised_and_nothing_more_is_begun() -> None:
    worked: list[int] = []

    def work(item: int) -> int:
        worked.append(item)
        if item >= 5:
            raise ValueError(item)
        return item

    results = map_in_order(work, count())
    assert [next(results) for _ in range(5)] == list(range(5))
    with pytest.raises(ValueError, match=r"^5$"):
        next(results)

    assert max(worked) < 5 + 16 + 4
    assert all(not thread.name.startswith("mgit") for thread in threading.enumerate())


def blas_threads() -> set[int]:
    np.linalg.qr(np.eye(3))  # so that there is one
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_linear_algebra_starts_no_threads_of_its_own_meanwhile() -> None:
    with threadpool_limits(3, user_api="blas"):
        found = list(map_in_order(lambda _: blas_threads(), range(3)))

        assert blas_threads() == {3}
    assert found == [{1}] * 3


@given(st.integers(0, 20))
def test_closing_ends_the_threads(some: int) -> None:
    with closing(map_in_order(lambda item: item, count())) as results:
        for _, _ in zip(range(some), results, strict=False):
            pass

    assert all(not thread.name.startswith("mgit") for thread in threading.enumerate())
