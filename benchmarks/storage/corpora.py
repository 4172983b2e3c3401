"""What the fine-tunes learn: names and docstrings of packages that are installed anyway.

Three subjects, so that three fine-tunes of one model move in three directions.
"""

import ast
import importlib.util
import random
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOST_PAIRS = 4000
MOST_CHARACTERS = 400
PARTS = {
    "science": ("sympy/core", "sympy/matrices", "networkx"),
    "torch": ("torch/nn", "torch/distributions", "torch/optim"),
    "standard": (
        "asyncio",
        "email",
        "http",
        "unittest",
        "logging",
        "json",
        "xml",
        "multiprocessing",
    ),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """The name of a function or class as words, with its arguments, and what documents it."""

    name: str
    text: str


def pairs_of(subject: str, seed: int) -> list[Pair]:
    """Returns at most 4,000 shuffled pairs of a subject, a key of ``PARTS``.

    Raises:
        FileNotFoundError: A package that the subject needs is not installed.
    """
    found: list[Pair] = []
    for part in PARTS[subject]:
        for path in sorted(_folder(part).rglob("*.py")):
            found += _documented(path)
            if len(found) > MOST_PAIRS:
                break
    random.Random(seed).shuffle(found)  # noqa: S311 - it picks batches, it keeps no secret
    return found[:MOST_PAIRS]


def _folder(part: str) -> Path:
    package, *rest = part.split("/")
    standard = Path(sysconfig.get_paths()["stdlib"]) / package
    if standard.is_dir():
        return standard
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"no {package}: pip install {package}")
    return Path(spec.submodule_search_locations[0]).joinpath(*rest)


def _documented(path: Path) -> Iterator[Pair]:
    """Yields a pair for each documented function and class; not a line of the file runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old sources hold escapes that Python now warns of
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            return  # packages ship broken files on purpose, to test what reads them
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        text = ast.get_docstring(node) or ""
        if len(text) > 40:
            yield Pair(_words(node), text[:MOST_CHARACTERS])


def _words(node: ast.FunctionDef | ast.ClassDef) -> str:
    arguments = node.args.args if isinstance(node, ast.FunctionDef) else []
    return f"{node.name.replace('_', ' ')} {' '.join(each.arg for each in arguments)[:80]}"
