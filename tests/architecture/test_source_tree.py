"""What holds for every source file. The layers inside mgit are contracts in pyproject.toml."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("mgit", "remotes", "tests", "examples", "benchmarks")
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
MAX_LINES = 400

# Names that say nothing about what is inside, so that anything may be put there.
EMPTY_WORDS = {"base", "common", "helpers", "manager", "misc", "utils"}
EMPTY_ENDINGS = ("Handler", "Manager", "Tracker")

# Third-party package -> the only modules (with what is below them) that import it.
CONFINED: dict[str, tuple[str, ...]] = {
    "cryptography": ("mgit.signing",),
    "msgpack": ("mgit.canonical",),
    "openzl": ("mgit.codecs.entropy",),
    "ray": ("mgit.execution.ray_host",),
    "rich": ("mgit.cli",),
    "torch": ("mgit.tensors",),
    "typer": ("mgit.cli",),
}

# What a transport knows of mgit: the port and the values that pass through it.
PORT = {"mgit.digest", "mgit.errors", "mgit.objects", "mgit.remote", "mgit.store"}


def test_no_module_has_a_name_that_fits_anything() -> None:
    offenders = [
        shown(path)
        for path in SOURCES
        if EMPTY_WORDS & set(path.relative_to(ROOT).with_suffix("").parts)
    ]

    assert offenders == []


def test_no_class_has_a_name_that_fits_anything() -> None:
    offenders = [
        f"{shown(path)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef) and node.name.endswith(EMPTY_ENDINGS)
    ]

    assert offenders == []


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}

    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


@pytest.mark.parametrize("package", CONFINED)
def test_a_confined_package_is_imported_by_its_owner_only(package: str) -> None:
    owners = CONFINED[package]

    offenders = [
        module
        for module, imported in imports()
        if is_within(imported, package) and not any(is_within(module, owner) for owner in owners)
    ]

    assert offenders == []


def test_a_transport_sees_the_port_and_nothing_behind_it() -> None:
    offenders = [
        f"{module} imports {imported}"
        for module, imported in imports()
        if not is_within(module, "mgit")
        and is_within(imported, "mgit")
        and not any(is_within(imported, seen) for seen in PORT)
    ]

    assert offenders == []


def imports() -> Iterator[tuple[str, str]]:
    """Yields (module, what it imports) for mgit and the transports, also inside functions."""
    for root, folder in ((ROOT, "mgit"), (ROOT / "remotes", ".")):
        for path in sorted((root / folder).rglob("*.py")):
            module = ".".join(path.relative_to(root).with_suffix("").parts)
            yield from ((module, name) for name in imported_names(parsed(path)))


def imported_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            case _:
                pass


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
