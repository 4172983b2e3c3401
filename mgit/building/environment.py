"""What of a machine decides the bits that a recipe makes: its environment class.

Sums are ordered by threads, instruction sets and releases of libraries; who, where and when never
belong here. Measured: one thread or two, AVX2 or AVX-512, another torch, each changes weights.
"""

import ast
import os
import platform
import sys
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from mgit.source import Source
from mgit.source.syntax import parsed

Environment = Mapping[str, object]

_ALWAYS = ("numpy", "torch")  # whatever a library computes, it computes with one of these
_INSTRUCTIONS = ("amx_tile", "avx512f", "avx2", "sve2", "sve", "asimd")  # widest first


def environment(source: Source | None, *, threads: int) -> Environment:
    """Returns the environment class of a run on this machine. Imports nothing that computes.

    Args:
        source: What runs; None: a function of mgit itself, which only needs numpy.
        threads: How many threads one operation may use.
    """
    files = source.files if source else {}
    packages = {package for path, text in files.items() for package in _imported(text, path)}
    named = {d for package in packages for d in _distributions().get(package, ())}
    wanted = named | (set(_ALWAYS) if source else {"numpy"})
    versions = {name: found for name in sorted(wanted) if (found := _version(name))}
    return {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "packages": versions,
        "machine": platform.machine(),
        "instructions": _instructions(),
        "devices": _devices() if source else [],
        "threads": threads,
    }


@lru_cache(maxsize=256)
def _imported(text: str, path: str) -> frozenset[str]:
    """The packages at the top of what a file imports, by name."""
    packages: set[str] = set()
    for node in ast.walk(parsed(text, path)):
        match node:
            case ast.Import(names):
                packages.update(alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                packages.add(module.partition(".")[0])
            case _:
                continue
    return frozenset(packages)


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


@cache
def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


@cache
def _instructions() -> str:
    """The widest vector instructions, by the name that the system gives them."""
    try:
        described = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux: the processor's name has to do
        return platform.processor()
    words = set(described.split())
    return next((name for name in _INSTRUCTIONS if name in words), "")


@cache
def _devices() -> list[str]:
    """The graphics processors that the driver lists and that are not hidden."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return []
    found = []
    for described in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        try:
            lines = described.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        found += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return found
