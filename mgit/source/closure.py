"""The files that a function needs: its module, and what that imports of the same project.

Found by reading, and rather too much than too little: imports inside functions and conditions
count. A name that is computed at run time cannot be seen.
"""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from mgit.errors import NotFoundError, UsageError
from mgit.source.files import MAX_FILES, Source, check_size, read_source
from mgit.source.project import Module, Project
from mgit.source.syntax import definition, module_and_name, parsed


def find_source(function: str, roots: Sequence[Path]) -> Source:
    """Returns the source that ``module:function`` needs. Nothing is imported.

    Args:
        function: Its name; it is defined at the top level of its module.
        roots: Folders in which modules are looked for, first to last. What is installed, and mgit
            itself, is no part of a project, even below one of them.

    Raises:
        NotFoundError: No such module or function.
        UsageError: A file is not UTF-8, not Python, compiled, or behind a link out of its root; or
            all together have more than ``MAX_BYTES``.
    """
    name, _ = module_and_name(function)
    project = Project(roots)
    module = project.find(name)
    if not isinstance(module, Module):
        shown = ", ".join(str(root) for root in roots)
        raise NotFoundError(
            f"there is no module {name!r} in {shown or 'no folder at all'}",
            hint="go to the folder that it lies in, or name that folder in PYTHONPATH",
        )
    definition(parsed(read_source(module.file, module.path), module.path), function)
    return Source(_closure(project, name))


def _closure(project: Project, first: str) -> dict[str, str]:
    """The files that a module needs, its own among them, by path."""
    files: dict[str, str] = {}
    wanted, seen = [first], {""}
    size_bytes = 0
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        wanted.append(name.rpartition(".")[0])  # importing a module imports its packages first
        module = project.find(name)
        if not isinstance(module, Module):
            continue
        text = files[module.path] = read_source(module.file, module.path)
        size_bytes += len(text.encode())
        check_size(size_bytes, f"{first} and what it imports")
        if len(files) > MAX_FILES:
            raise UsageError(f"{first} imports more than {MAX_FILES:,} modules of its project")
        wanted += _imported(parsed(text, module.path), module)
    return dict(sorted(files.items()))


def _imported(tree: ast.Module, module: Module) -> Iterator[str]:
    """Yields what a module may import; names that are no modules among them."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(written, names, level):
                base = _absolute(module.package, "." * (level or 0) + (written or ""))
                yield from (base, *(f"{base}.{alias.name}" for alias in names))
            case ast.Call(
                ast.Name("import_module" | "__import__") | ast.Attribute(_, "import_module"),
                [ast.Constant(str(written)), *_],
            ):
                yield _absolute(module.package, written)
            case (
                ast.Assign([ast.Name("__all__")], value)
                | ast.AnnAssign(ast.Name("__all__"), _, value)
                | ast.AugAssign(ast.Name("__all__"), _, value)
            ) if value:  # a star import imports the modules among them
                yield from (f"{module.name}.{word}" for word in _words(value))
            case _:
                continue


def _words(value: ast.expr) -> Iterator[str]:
    for node in ast.walk(value):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _absolute(package: str, written: str) -> str:
    """Returns the name that an import means, ``..data`` for one; empty where it means nothing."""
    name = written.lstrip(".")
    up = len(written) - len(name) - 1
    if up < 0:
        return name
    words = package.split(".") if package else []
    if up >= len(words):
        return ""
    return ".".join([*words[: len(words) - up], *([name] if name else [])])
