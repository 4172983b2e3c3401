"""The executors by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mgit.errors import UsageError
from mgit.execution.port import Executor


@dataclass(frozen=True, slots=True)
class _Wish:
    jobs: int
    address: str
    folder: Path


def open_executor(kind: str, *, jobs: int, address: str = "", folder: Path) -> Executor:
    """Returns an executor, ready for jobs; close it, or use it as a context manager.

    Args:
        kind: ``inline``, ``process`` or ``ray``.
        jobs: How many jobs may run at once; ``inline`` runs one, a cluster no more than it has
            CPUs. See ``Executor.capacity``.
        address: Of a Ray cluster that runs already; empty: one is started on this machine.
        folder: Where the executor keeps a log of its own; made if it is missing.

    Raises:
        UsageError: There is no such kind, or an address for one that has none.
        MachineError: It cannot be started here.
    """
    if jobs < 1:
        raise ValueError(f"an executor for {jobs} jobs")
    require_executor(kind)
    if address and kind != "ray":
        raise UsageError(
            f"the executor {kind!r} runs on this machine and takes no address",
            hint="--executor ray works on a cluster",
        )
    return _KINDS[kind](_Wish(jobs, address, folder.absolute()))


def require_executor(kind: str) -> None:
    """Raises UsageError unless there is an executor of this kind."""
    if kind not in _KINDS:
        raise UsageError(f"no executor is called {kind!r}", hint=f"choose from: {_CHOICES}")


# What a kind needs is imported when it is chosen.


def _inline(_: _Wish) -> Executor:
    from mgit.execution.inline import InlineExecutor

    return InlineExecutor()


def _process(wish: _Wish) -> Executor:
    from mgit.execution.process import ProcessExecutor

    return ProcessExecutor(wish.jobs, wish.folder)


def _ray(wish: _Wish) -> Executor:
    from mgit.execution.ray import RayExecutor

    return RayExecutor(wish.jobs, wish.folder, address=wish.address)


_KINDS: Mapping[str, Callable[[_Wish], Executor]] = {
    "inline": _inline,
    "process": _process,
    "ray": _ray,
}
_CHOICES = ", ".join(_KINDS)
