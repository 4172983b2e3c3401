"""Trusted source as running code: exactly these files, and no trace afterwards."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from mgit.digest import Digest
from mgit.errors import NotFoundError, TrustError, UsageError
from mgit.source import MAX_BYTES, Source, loaded, materialise
from tests.source.projects import listing, project

TRAIN = {
    "train.py": "from models.layers import SIZE\n"
    "def f(parents):\n    import models.late\n    return parents, SIZE, models.late.WORD\n",
    "models/__init__.py": "",
    "models/layers.py": "from . import late\nSIZE = 3\n",
    "models/late.py": "WORD = 'late'\n",
}
SOURCE = Source(TRAIN)
_OF_PYTEST = {"PYTEST_CURRENT_TEST": ""}  # it changes while a test is cleaned up
OTHER = Source({"train.py": "def f(parents):\n    return 'other'\n"})


@pytest.fixture(autouse=True)
def no_trace() -> Iterator[None]:
    """Whatever a test does, the process is as before."""
    path, finders, bytecode = list(sys.path), list(sys.meta_path), sys.dont_write_bytecode
    environment, modules = dict(os.environ), dict(sys.modules)
    yield
    assert sys.path == path
    assert sys.meta_path == finders
    assert sys.dont_write_bytecode == bytecode
    assert dict(os.environ) | _OF_PYTEST == environment | _OF_PYTEST
    ours = {"train", "models", "ns"}
    left = {name: sys.modules[name] for name in sys.modules if name.split(".")[0] in ours}
    assert left == {name: modules[name] for name in modules if name.split(".")[0] in ours}


def refused(folder: Path, source: Source = SOURCE) -> str:
    with (
        pytest.raises(TrustError) as raised,
        loaded(folder, source.verbatim, "train:f"),
    ):
        pass
    return str(raised.value)


# --- run ---


def test_a_function_runs_with_all_that_it_imports(tmp_path: Path) -> None:
    folder = materialise(SOURCE, tmp_path)

    with loaded(folder, SOURCE.verbatim, "train:f") as function:
        assert function("p") == ("p", 3, "late")
        assert sys.path[0] == str(folder)
        assert sys.modules["train"].__file__ == str(folder / "train.py")
        assert sys.modules["models"].__path__ == [str(folder / "models")]

    assert listing(folder).keys() == TRAIN.keys()


def test_a_function_may_go_to_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = materialise(SOURCE, Path("sources"))

    with loaded(folder, SOURCE.verbatim, "train:f") as function:
        monkeypatch.chdir("/")
        assert function("p") == ("p", 3, "late")
        assert sys.path[0] == str(tmp_path / folder)
        assert sys.modules["train"].__file__ == str(tmp_path / folder / "train.py")


def test_every_job_gets_its_own_code(tmp_path: Path) -> None:
    folders = [materialise(source, tmp_path) for source in (SOURCE, OTHER)]
    results = []

    for source, folder in zip((SOURCE, OTHER, SOURCE), (*folders, folders[0]), strict=True):
        with loaded(folder, source.verbatim, "train:f") as function:
            results.append(function(1))

    assert results == [(1, 3, "late"), "other", (1, 3, "late")]


def test_a_second_job_finds_nothing_of_the_first(tmp_path: Path) -> None:
    source = Source(
        {"train.py": "calls = []\ndef f(p):\n    calls.append(p)\n    return len(calls)\n"}
    )
    folder = materialise(source, tmp_path)

    for _ in range(2):
        with loaded(folder, source.verbatim, "train:f") as function:
            assert function(0) == 1


def test_one_inside_of_another_gets_its_own_code(tmp_path: Path) -> None:
    outer, inner = materialise(SOURCE, tmp_path), materialise(OTHER, tmp_path)

    with loaded(outer, SOURCE.verbatim, "train:f") as first:
        with loaded(inner, OTHER.verbatim, "train:f") as second:
            assert second(1) == "other"
        assert first(1) == (1, 3, "late")
        assert sys.modules["train"].__file__ == str(outer / "train.py")


def test_modules_of_the_same_name_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {name: ModuleType(name) for name in ("train", "models", "models.late", "models.x")}
    for name, module in here.items():
        monkeypatch.setitem(sys.modules, name, module)
    folder = materialise(SOURCE, tmp_path)

    with loaded(folder, SOURCE.verbatim, "train:f") as function:
        assert function(1) == (1, 3, "late")
        assert "models.x" not in sys.modules
        assert sys.modules["models.late"] is not here["models.late"]

    assert all(sys.modules[name] is module for name, module in here.items())


def test_the_process_is_as_before_after_an_error_too(tmp_path: Path) -> None:
    failing = Source({"train.py": "import models\n1 / 0\n", "models.py": ""})
    folder = materialise(failing, tmp_path / "a")
    with pytest.raises(ZeroDivisionError), loaded(folder, failing.verbatim, "train:f"):
        pass

    def breaking() -> None:
        sys.path.append("x")
        raise KeyError

    folder = materialise(SOURCE, tmp_path / "b")
    with pytest.raises(KeyError), loaded(folder, SOURCE.verbatim, "train:f"):
        breaking()


@pytest.mark.parametrize("before", [None, "", "yes"])
def test_the_environment_and_caches_of_python_are_as_before(
    before: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    if before is not None:
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", before)
    folder = materialise(SOURCE, tmp_path)

    with loaded(folder, SOURCE.verbatim, "train:f"):
        assert os.environ["PYTHONDONTWRITEBYTECODE"] == "1"
        assert importlib.util.find_spec("no_such_module") is None

    assert os.environ.get("PYTHONDONTWRITEBYTECODE") == before
    assert str(folder) not in sys.path_importer_cache


def test_modules_elsewhere_under_the_same_names_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = "raise SystemExit\n"
    elsewhere = project(
        tmp_path / "cwd",
        {"train.py": poison, "ns/__init__.py": poison, "ns/a.py": poison, "ns/other.py": poison},
    )
    monkeypatch.syspath_prepend(elsewhere)
    text = "import ns.a\ndef f(p):\n    import ns.other\n"
    source = Source({"train.py": text, "ns/a.py": ""})  # a package without a file

    with (
        loaded(materialise(source, tmp_path), source.verbatim, "train:f") as function,
        pytest.raises(ModuleNotFoundError) as raised,
    ):
        function(1)

    assert raised.value.name == "ns.other"


def test_what_is_installed_can_be_imported_meanwhile(tmp_path: Path) -> None:
    text = "import email, numpy.linalg\ndef f(p): return numpy.linalg.norm([3, 4])\n"
    source = Source({"train.py": text})

    with loaded(materialise(source, tmp_path), source.verbatim, "train:f") as function:
        assert function(1) == 5


def test_a_function_in_a_package_runs(tmp_path: Path) -> None:
    source = Source(
        {"ns/p/__init__.py": "from .a import g\ndef f(p): return g", "ns/p/a.py": "g=1"}
    )

    with loaded(materialise(source, tmp_path), source.verbatim, "ns.p:f") as function:
        assert function(1) == 1
        assert importlib.import_module("ns.p.a").__spec__.parent == "ns.p"  # type: ignore[union-attr]


def test_a_trace_shows_the_lines_of_the_source(tmp_path: Path) -> None:
    source = Source({"train.py": "\ufeffdef f(p):\r\n    return p.missing  # here\r\n"})
    folder = materialise(source, tmp_path)

    with loaded(folder, source.verbatim, "train:f") as function, pytest.raises(AttributeError) as e:
        function(1)

    assert f"{folder / 'train.py'}" in str(e.traceback[-1].path)
    assert e.traceback[-1].lineno == 1


def test_processes_that_a_function_starts_find_its_modules(tmp_path: Path) -> None:
    text = (
        "import multiprocessing\nfrom models import double\n"
        "def f(p):\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        return pool.map(double, p)\n"
    )
    source = Source({"train.py": text, "models.py": "def double(x): return 2 * x\n"})
    folder = materialise(source, tmp_path)
    script = (
        "import sys\nfrom pathlib import Path\nfrom mgit.digest import Digest\n"
        "from mgit.source import loaded\n"
        "if __name__ == '__main__':\n"
        f"    digest = Digest({bytes(source.verbatim)!r})\n"
        f"    with loaded(Path({str(folder)!r}), digest, 'train:f') as f:\n"
        "        print(f([1, 2]))\n"
    )
    project(tmp_path, {"main.py": script})
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    ran = subprocess.run(
        [sys.executable, tmp_path / "main.py"],
        env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.stdout == "[2, 4]\n", ran.stderr
    assert listing(folder).keys() == source.files.keys()


# --- changed after it was written ---


def test_a_module_that_is_imported_late_is_the_one_that_was_verified(tmp_path: Path) -> None:
    text = "def f(p):\n    import late\n    return late.WORD\n"
    source = Source({"train.py": text, "late.py": "WORD = 'late'\n"})
    folder = materialise(source, tmp_path)

    with loaded(folder, source.verbatim, "train:f") as function:
        (folder / "late.py").write_text("raise SystemExit\n")
        assert function(1) == "late"


def linked(file: Path) -> None:
    file.rename(file.parents[1] / "moved.py")
    file.symlink_to(file.parents[1] / "moved.py")


def into_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def test_a_module_that_was_put_there_late_is_not_found(tmp_path: Path) -> None:
    source = Source({"models/__init__.py": "def f(p):\n    import models.planted\n"})
    folder = materialise(source, tmp_path)

    with loaded(folder, source.verbatim, "models:f") as function:
        project(folder, {"models/planted.py": "raise SystemExit\n"})
        with pytest.raises(ModuleNotFoundError, match=r"models\.planted"):
            function(1)


CHANGED: dict[str, Callable[[Path], object]] = {
    "a byte": lambda folder: (folder / "models/late.py").write_text("WORD = 'Late'\n"),
    "a comment": lambda folder: (folder / "train.py").write_text(f"{TRAIN['train.py']}#"),
    "line ends": lambda folder: (folder / "train.py").write_bytes(
        TRAIN["train.py"].replace("\n", "\r\n").encode()
    ),
    "a file gone": lambda folder: (folder / "models/late.py").unlink(),
    "a file moved": lambda folder: (folder / "models/late.py").rename(folder / "late.py"),
    "a module more": lambda folder: (folder / "numpy.py").write_text(""),
    "an empty package more": lambda folder: project(folder, {"torch/__init__.py": ""}),
    "a compiled module": lambda folder: (folder / "fast.so").write_text(""),
    "a path file": lambda folder: (folder / "x.pth").write_text("import os"),
    "bytecode": lambda folder: project(folder, {"__pycache__/train.cpython-311.pyc": ""}),
    "bytecode beside": lambda folder: (folder / "train.pyc").write_text(""),
    "a hidden file": lambda folder: (folder / ".x").write_text(""),
    "a link to a file": lambda folder: (folder / "a.py").symlink_to("train.py"),
    "a file that became a link": lambda folder: linked(folder / "train.py"),
    "a link to a folder": lambda folder: (folder / "a").symlink_to("models"),
    "a link to nothing": lambda folder: (folder / "a.py").symlink_to("nothing"),
    "a pipe": lambda folder: os.mkfifo(folder / "pipe.py"),
    "a file that became a folder": lambda folder: into_folder(folder / "train.py"),
    "not UTF-8": lambda folder: (folder / "train.py").write_bytes(b"\xff"),
    "another encoding": lambda folder: (folder / "train.py").write_text("# coding: utf-7\n"),
    "a file without end": lambda folder: os.truncate(folder / "train.py", 1 << 42),
    "files without end": lambda folder: [
        (folder / f"m{number}.py").write_text("") for number in range(1001)
    ],
    "gone": lambda folder: folder.rename(folder.parent / "away"),
}


@pytest.mark.parametrize("how", CHANGED)
def test_a_folder_that_was_changed_is_not_run(how: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    source = Source(
        {**TRAIN, "train.py": f"open({str(canary)!r}, 'w').close()\n" + TRAIN["train.py"]}
    )
    folder = materialise(source, tmp_path)

    CHANGED[how](folder)

    assert str(folder) in refused(folder, source)
    assert not canary.exists()
    if how != "gone":
        with pytest.raises(TrustError):
            materialise(source, tmp_path)


REASONS = {
    "a byte": "its files are not those of",
    "a module more": "its files are not those of",
    "a path file": "x.pth does not belong there",
    "bytecode": "__pycache__/train.cpython-311.pyc does not belong there",
    "a link to a folder": "a does not belong there",
    "not UTF-8": "train.py is not UTF-8",
    "a file without end": "bytes of source",
    "files without end": "more than 1,000 files",
}


@pytest.mark.parametrize("how", REASONS)
def test_what_was_changed_is_told(how: str, tmp_path: Path) -> None:
    folder = materialise(SOURCE, tmp_path)

    CHANGED[how](folder)

    assert REASONS[how] in refused(folder)


def test_many_files_are_bounded_together(tmp_path: Path) -> None:
    folder = materialise(SOURCE, tmp_path)
    half = "#" * (MAX_BYTES // 2)

    project(folder, {"a.py": half, "b.py": half})

    assert "bytes of source" in refused(folder)


def test_another_digest_is_not_run(tmp_path: Path) -> None:
    folder = materialise(SOURCE, tmp_path)

    assert "was changed" in refused(folder, OTHER)
    with pytest.raises(TrustError), loaded(folder, SOURCE.normalised, "train:f"):
        pass
    with pytest.raises(TrustError), loaded(tmp_path, SOURCE.verbatim, "train:f"):
        pass


def test_an_empty_folder_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(TrustError), loaded(tmp_path, Digest.of(b""), "train:f"):
        pass


@pytest.mark.parametrize("function", ["train:g", "models:f", "gone:f", "train.x:f", "train:SIZE"])
def test_a_function_that_the_source_lacks_is_not_found(function: str, tmp_path: Path) -> None:
    folder = materialise(SOURCE, tmp_path)

    with pytest.raises(NotFoundError), loaded(folder, SOURCE.verbatim, function):
        pass


def test_a_source_cannot_replace_a_module_of_python(tmp_path: Path) -> None:
    import queue

    source = Source({"train.py": "def f(p): pass", "queue.py": "raise SystemExit"})
    folder = materialise(source, tmp_path)

    with pytest.raises(UsageError, match="'queue'"), loaded(folder, source.verbatim, "train:f"):
        pass

    assert sys.modules["queue"] is queue
