"""Work on a few threads, in order and with few results waiting: what streams stays small.

The work is hashing, compression and arithmetic on arrays, during which Python's lock is free.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")


def processors() -> int:
    """Returns how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


THREADS = min(processors(), 4)  # more would wait for each other: small steps hold the lock
_WAITING = 16  # results begun before the first is taken: most of the work is in a few of them


def map_in_order(work: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result]:
    """Yields ``work(item)`` for each item, in the order of the items.

    Items are taken as they are needed, by the thread that takes the results. The first error, in
    that order, is raised; what was begun is then finished, and nothing more is begun. So it is
    where the generator is closed: who may stop before its end closes it. Until then, numpy's linear
    algebra starts no threads of its own: theirs and these would wait for each other.

    Args:
        work: Called on several threads at once.
        items: May be endless.
    """
    begun: deque[Future[Result]] = deque()
    with (
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(THREADS, thread_name_prefix="mgit") as pool,
    ):
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) >= _WAITING:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
