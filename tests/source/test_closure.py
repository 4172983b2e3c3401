"""Which files a function needs.

train.py -> models/__init__.py -> models/layers.py        other.py (not imported)
"""

import sys
import sysconfig
from pathlib import Path

import pytest

import mgit
from mgit.errors import NotFoundError
from mgit.source import describe, find_source
from tests.source.projects import MODELS, F, found, paths, project


def test_a_function_alone_needs_its_module(tmp_path: Path) -> None:
    source = found(tmp_path, "train:f", {"train.py": F, **MODELS})

    assert source.files == {"train.py": F}


WAYS = {
    "import models": {"models/__init__.py", "models/layers.py"},
    "import models.heads": {"models/__init__.py", "models/layers.py", "models/heads.py"},
    "import models.heads as h": {"models/__init__.py", "models/layers.py", "models/heads.py"},
    "import os, models": {"models/__init__.py", "models/layers.py"},
    "from models import Linear": {"models/__init__.py", "models/layers.py"},
    "from models import heads": {"models/__init__.py", "models/layers.py", "models/heads.py"},
    "from models import (Linear, heads as h)": {
        "models/__init__.py",
        "models/layers.py",
        "models/heads.py",
    },
    "from models.layers import *": {"models/__init__.py", "models/layers.py"},
    "def g():\n    import other": {"other.py"},
    "class A:\n    def g(self):\n        import other": {"other.py"},
    "try:\n    import nowhere\nexcept ImportError:\n    import other": {"other.py"},
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import other": {"other.py"},
    "if False:\n    import other": {"other.py"},
    "import importlib\nimportlib.import_module('other')": {"other.py"},
    "__import__('other')": {"other.py"},
    "import models.nowhere": {"models/__init__.py", "models/layers.py"},
    "from nowhere import x": set(),
    "import nowhere.other": set(),
    "import numpy, torch, json, os.path, sys": set(),
    "x = 'import other'": set(),
    "# import other": set(),
    "from . import other": set(),  # there is no package that it could mean
    "from .. import other": set(),
}


@pytest.mark.parametrize("written", WAYS)
def test_what_is_imported_of_the_project_is_needed(written: str, tmp_path: Path) -> None:
    source = found(tmp_path, "train:f", {"train.py": f"{written}\n{F}", **MODELS})

    assert paths(source) == {"train.py"} | WAYS[written]


DEEP = {"p/__init__.py": "", "p/q/__init__.py": "", "p/q/r.py": "", "p/s.py": "", "t.py": ""}
RELATIVE = {
    "from . import r": {"p/q/r.py"},
    "from .r import x": {"p/q/r.py"},
    "from .. import s": {"p/s.py"},
    "from ..s import x": {"p/s.py"},
    "from ..q import r": {"p/q/r.py"},
    "from ... import t": set(),
    "from .... import t": set(),
    "from ...t import x": set(),
    "from ....t import x": set(),
    "from p import s": {"p/s.py"},
    "import importlib; importlib.import_module('..s', __package__)": {"p/s.py"},
}


@pytest.mark.parametrize("file", ["p/q/train.py", "p/q/train/__init__.py"])
@pytest.mark.parametrize("written", RELATIVE)
def test_relative_imports_start_from_the_package(written: str, file: str, tmp_path: Path) -> None:
    is_package = file.endswith("__init__.py")
    moved = written.replace("from .", "from ..") if is_package else written
    moved = moved.replace("('..", "('...") if is_package else moved

    source = found(tmp_path, "p.q.train:f", {file: f"{moved}\n{F}", **DEEP})

    packages = {"p/__init__.py", "p/q/__init__.py", file}
    assert paths(source) == packages | RELATIVE[written]


def test_a_package_brings_what_all_its_packages_import(tmp_path: Path) -> None:
    files = {"p/__init__.py": "import other", "p/q/__init__.py": "", "p/q/train.py": F}

    source = found(tmp_path, "p.q.train:f", {**files, **MODELS})

    assert paths(source) == {*files, "other.py"}


def test_a_star_import_brings_the_modules_that_the_package_lists(tmp_path: Path) -> None:
    package = (
        "__all__: list[str] = ['a', 'missing', '../x', 'x-y', 1]\n"
        "__all__ += ['b']\n__all__ = [*__all__, 'd']\nword = 'c'\n"
    )
    files = {"p/__init__.py": package, "p/a.py": "", "p/b.py": "", "p/c.py": "", "p/d.py": ""}
    files |= {"p/x-y.py": "", "x.py": ""}

    source = found(tmp_path, "train:f", {"train.py": f"from p import *\n{F}", **files})

    assert paths(source) == {"train.py", "p/__init__.py", "p/a.py", "p/b.py", "p/d.py"}
    assert list(source.files) == sorted(source.files)


def test_modules_that_import_each_other_are_found_once(tmp_path: Path) -> None:
    files = {"a.py": f"import b\n{F}", "b.py": "import c", "c.py": "import a, b, c"}

    assert paths(found(tmp_path, "a:f", files)) == set(files)


def test_a_package_without_a_file_may_lie_in_several_folders(tmp_path: Path) -> None:
    one = project(
        tmp_path / "one", {"train.py": f"import ns.a, ns.b, ns.numpy.d\n{F}", "ns/a.py": ""}
    )
    two = project(tmp_path / "two", {"ns/a.py": "2", "ns/b.py": "", "ns/numpy/d.py": ""})

    source = find_source("train:f", [one, two])

    assert paths(source) == {"train.py", "ns/a.py", "ns/b.py", "ns/numpy/d.py"}
    assert source.files["ns/a.py"] == ""


def test_a_function_may_lie_in_a_package_or_in_a_folder_without_a_file(tmp_path: Path) -> None:
    assert paths(found(tmp_path, "p:f", {"p/__init__.py": F})) == {"p/__init__.py"}
    assert paths(found(tmp_path, "scripts.train:f", {"scripts/train.py": F})) == {
        "scripts/train.py"
    }


def test_the_first_folder_wins(tmp_path: Path) -> None:
    one = project(tmp_path / "one", {"train.py": f"1\n{F}"})
    two = project(tmp_path / "two", {"train.py": f"2\n{F}", "train/__init__.py": F})

    assert find_source("train:f", [one, two]).files == {"train.py": f"1\n{F}"}
    assert find_source("train:f", [two, one]).files == {"train/__init__.py": F}


def test_a_file_lies_under_its_path_below_the_folder_it_was_found_in(tmp_path: Path) -> None:
    root = project(tmp_path, {"src/p/train.py": F, "src/p/__init__.py": ""})

    assert paths(find_source("p.train:f", [root, root / "src"])) == {
        "p/train.py",
        "p/__init__.py",
    }
    assert "src/p/train.py" in paths(find_source("src.p.train:f", [root, root / "src"]))


def test_a_folder_that_is_not_there_is_passed_over(tmp_path: Path) -> None:
    root = project(tmp_path / "here", {"train.py": F})

    assert find_source("train:f", [tmp_path / "gone", root]).files == {"train.py": F}


def test_a_path_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(tmp_path, {"train.py": F})
    monkeypatch.chdir(tmp_path)

    assert find_source("train:f", [Path()]).files == {"train.py": F}


def test_text_is_kept_verbatim(tmp_path: Path) -> None:
    text = "\ufeff# coding: utf-8\r\n" + F + '\f\r\nx = """ä  \r\n\r\n"""   '

    assert found(tmp_path, "train:f", {"train.py": text}).files == {"train.py": text}


# --- nothing runs ---


def test_nothing_is_imported(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    poison = f"open({str(canary)!r}, 'w').close()\n"
    files = {
        "train.py": f"{poison}import p.a\nimport mgit\n@mgit.recipe(level='tolerant')\n{F}",
        "p/__init__.py": poison,
        "p/a.py": poison,
        "sitecustomize.py": poison,
    }
    before = set(sys.modules)

    source = found(tmp_path, "train:f", files)
    describe(source, "train:f")
    assert source.normalised != source.verbatim

    assert paths(source) == {"train.py", "p/__init__.py", "p/a.py"}
    assert not canary.exists()
    assert not {"train", "p", "p.a"} & (set(sys.modules) - before)
    assert not list(tmp_path.rglob("__pycache__"))


# --- what is no part of a project ---


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_what_is_installed_is_no_part_of_a_project(folder: str, tmp_path: Path) -> None:
    root = project(tmp_path / "root", {"train.py": f"import other\n{F}", "other.py": ""})
    installed = project(tmp_path / "lib" / folder, {"other.py": "", "p/__init__.py": F})

    assert paths(find_source("train:f", [installed, root])) == {"train.py"}
    with pytest.raises(NotFoundError):
        find_source("p:f", [installed, root])


def test_a_link_among_what_is_installed_is_no_part_of_a_project(tmp_path: Path) -> None:
    developed = project(tmp_path / "developed", {"other.py": ""})
    installed = project(tmp_path / "site-packages", {"x.py": ""})
    root = project(tmp_path / "root", {"train.py": f"import other\n{F}"})
    (installed / "other.py").symlink_to(developed / "other.py")

    assert paths(find_source("train:f", [installed, root])) == {"train.py"}


def test_a_link_to_what_is_installed_is_no_part_of_a_project(tmp_path: Path) -> None:
    installed = project(tmp_path / "site-packages", {"other.py": ""})
    root = project(tmp_path / "root", {"train.py": f"import other\n{F}"})
    (root / "other.py").symlink_to(installed / "other.py")

    assert paths(find_source("train:f", [root])) == {"train.py"}


def test_the_library_of_python_is_no_part_of_a_project(tmp_path: Path) -> None:
    root = project(tmp_path, {"train.py": f"import statistics\n{F}"})
    library = Path(sysconfig.get_path("stdlib"))

    assert paths(find_source("train:f", [library, root])) == {"train.py"}


def test_mgit_itself_is_no_part_of_a_project(tmp_path: Path) -> None:
    root = project(tmp_path, {"train.py": f"import mgit, mgit.errors\n{F}"})
    around_mgit = Path(mgit.__file__).parents[1]

    assert paths(find_source("train:f", [around_mgit, root])) == {"train.py"}
    with pytest.raises(NotFoundError):
        find_source("mgit.digest:f", [around_mgit])


def test_a_mere_folder_yields_to_a_package_that_is_installed(tmp_path: Path) -> None:
    written = f"import numpy.tools, time.notes\nfrom email import notes\n{F}"
    files = {"numpy/tools.py": "", "email/notes.py": "", "time/notes.py": "", "train.py": written}

    assert paths(found(tmp_path, "train:f", files)) == {"train.py"}


def test_links_are_followed_inside_of_a_folder(tmp_path: Path) -> None:
    root = project(tmp_path, {"train.py": f"import a, p.b\n{F}", "real/b.py": "1"})
    (root / "a.py").symlink_to("real/b.py")
    (root / "p").symlink_to("real")

    assert find_source("train:f", [root]).files == {
        "train.py": f"import a, p.b\n{F}",
        "a.py": "1",
        "p/b.py": "1",
    }
