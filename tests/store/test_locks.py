"""A lock that is held is waited for, or let be; it is never held twice."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from mgit.store.files import is_unlocked, locked, locked_if_free

MANY = 8


def test_a_lock_that_somebody_holds_is_let_be(tmp_path: Path) -> None:
    lock = tmp_path / "folder" / "lock"

    with locked(lock), locked_if_free(lock) as is_held:
        assert not is_held
        assert not is_unlocked(lock)
    with locked_if_free(lock) as is_held:
        assert is_held
        assert not is_unlocked(lock)
    assert is_unlocked(lock)


def test_of_many_that_come_at_once_one_holds_it(tmp_path: Path) -> None:
    together = Barrier(MANY, timeout=60)

    def held(_: int) -> bool:
        together.wait()
        with locked_if_free(tmp_path / "lock") as is_held:
            together.wait()
            return is_held

    with ThreadPoolExecutor(MANY) as pool:
        for _ in range(20):
            assert sum(pool.map(held, range(MANY))) == 1
