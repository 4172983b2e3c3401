"""Small projects on disk."""

from pathlib import Path

from mgit.source import Source, find_source

F = "def f(parents): pass\n"
MODELS = {
    "models/__init__.py": "from .layers import Linear\n",
    "models/layers.py": "class Linear: pass\n",
    "models/heads.py": "",
    "other.py": "",
}


def project(root: Path, files: dict[str, str]) -> Path:
    """Writes files with the ends of lines that they are given."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode())
    return root


def found(root: Path, function: str, files: dict[str, str]) -> Source:
    """What a function needs of a project that holds these files."""
    return find_source(function, [project(root, files)])


def listing(folder: Path) -> dict[str, bytes]:
    """The files below a folder, with their content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def paths(source: Source) -> set[str]:
    return set(source.files)
