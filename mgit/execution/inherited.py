"""What the processes of an executor inherit from the one that starts them."""

import os
import site
import sys
import sysconfig
from pathlib import Path

# Every process that an executor starts carries this variable, and hands it on to those it starts.
MARK = "MGIT_EXECUTION"

_THREAD_VARIABLES = (
    "BLIS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_SECRETS = ("MGIT_PASSPHRASE",)  # keys never enter a worker


def thread_variables(threads: int) -> dict[str, str]:
    """Returns the variables that numerical libraries read when they are loaded."""
    return dict.fromkeys(_THREAD_VARIABLES, str(threads))


def pinned_variables() -> dict[str, str]:
    """Returns the variables that a worker must start with, or the same job gives other bits."""
    return thread_variables(1) | {"PYTHONHASHSEED": "0"}


def environment(mark: str) -> dict[str, str]:
    """Returns the environment of a process that an executor starts here.

    Args:
        mark: By which the executor's processes are found again; empty: it carries none, not even
            that of an executor which this very process works for.
    """
    kept = {name: value for name, value in os.environ.items() if name not in {MARK, *_SECRETS}}
    kept |= pinned_variables() | {"PYTHONPATH": os.pathsep.join(module_folders())}
    return kept | ({MARK: mark} if mark else {})


def module_folders() -> list[str]:
    """Returns where modules are found here, besides where this Python finds them by itself.

    The current folder is left out, unless mgit itself lies there: what is in it is in no recipe's
    record, so it must not be found by accident. What every process of this Python finds anyway is
    left out because a job may start a program that is written in another one.
    """
    own, installed = Path(__file__).parents[2], _installation()
    return [
        entry
        for entry in sys.path
        if Path(entry).is_absolute()
        and not any(Path(entry).is_relative_to(folder) for folder in installed)
        and (Path(entry) == own or not _is_here(entry))
    ]


def _installation() -> set[str]:
    standard = {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    return {*standard, *site.getsitepackages(), site.getusersitepackages()}


def _is_here(folder: str) -> bool:
    try:
        return Path(folder).samefile(".")
    except OSError:  # sys.path may name what does not exist
        return False
