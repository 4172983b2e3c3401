"""What a project cannot have in it, and what is not found in one."""

from pathlib import Path

import pytest

from mgit.errors import NotFoundError, UsageError
from mgit.source import MAX_BYTES, find_source
from tests.source.projects import MODELS, F, found, paths, project


def refused(root: Path, files: dict[str, str]) -> str:
    with pytest.raises(UsageError) as raised:
        found(root, "train:f", files)
    return str(raised.value)


@pytest.mark.parametrize("linked", ["other.py", "p"])
def test_a_link_out_of_a_folder_is_refused(linked: str, tmp_path: Path) -> None:
    project(tmp_path / "out", {"other.py": "", "p/a.py": ""})
    root = project(tmp_path / "root", {"train.py": f"import other, p.a\n{F}"})
    (root / linked).symlink_to(tmp_path / "out" / linked)

    assert "link out of" in refused(root, {})


def test_a_link_to_a_folder_beside_with_the_same_beginning_is_refused(tmp_path: Path) -> None:
    project(tmp_path / "root-2", {"other.py": ""})
    root = project(tmp_path / "root", {"train.py": f"import other\n{F}"})
    (root / "other.py").symlink_to("../root-2/other.py")

    assert "link out of" in refused(root, {})


@pytest.mark.parametrize("suffix", [".so", ".abi3.so", ".pyc"])
@pytest.mark.parametrize("place", ["fast", "p/fast"])
def test_a_compiled_module_of_the_project_cannot_travel(
    place: str, suffix: str, tmp_path: Path
) -> None:
    files = {"train.py": f"import fast\nfrom p import fast\n{F}", f"{place}{suffix}": "\x7fELF"}

    assert "compiled" in refused(tmp_path, {"p/__init__.py": "", **files})


@pytest.mark.parametrize("text", ["def f(:\n", "f = 'a\n", "  x\ny\n", "\0", "(" * 300])
def test_a_file_that_is_no_python_is_named(text: str, tmp_path: Path) -> None:
    files = {"train.py": f"import p.broken\n{F}", "p/broken.py": text}

    assert "p/broken.py" in refused(tmp_path, files)


COOKIES = [
    "# -*- coding: latin-1 -*-\n",
    "#!/usr/bin/python\n# vim: set fileencoding=utf-7 :\n",
    "\ufeff# coding=cp1252\n",
    "\n# coding: rot13\n",
    "# x\r# coding: utf-7\r",
]


@pytest.mark.parametrize("cookie", COOKIES)
def test_a_file_in_another_encoding_is_refused(cookie: str, tmp_path: Path) -> None:
    assert "says that it is written in" in refused(tmp_path, {"train.py": f"{cookie}{F}"})


@pytest.mark.parametrize("cookie", ["utf-8", "UTF_8", "utf8", "utf-8-unix"])
def test_a_file_may_say_that_it_is_utf_8(cookie: str, tmp_path: Path) -> None:
    text = (
        f"# -*- coding: {cookie} -*-\n# a\n# coding: latin-1 in the third line means nothing\n{F}"
    )

    assert found(tmp_path, "train:f", {"train.py": text}).files == {"train.py": text}


def test_bytes_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    project(tmp_path, {"train.py": F})
    (tmp_path / "train.py").write_bytes(b"# \xe4\n" + F.encode())

    assert "not UTF-8" in refused(tmp_path, {})


def test_the_sum_of_all_files_is_bounded(tmp_path: Path) -> None:
    train = f"import a, b\n{F}"
    files = {"train.py": train, "a.py": "#" * (MAX_BYTES - len(train) - 3)}

    source = found(tmp_path, "train:f", {**files, "b.py": "#ä"})

    assert sum(len(text.encode()) for text in source.files.values()) == MAX_BYTES
    assert "bytes of source" in refused(tmp_path, {**files, "b.py": "##ä"})


@pytest.mark.parametrize("endless", ["train", "other"])
def test_a_file_without_end_is_not_read_to_its_end(endless: str, tmp_path: Path) -> None:
    project(tmp_path, {"train.py": f"import other\n{F}"})
    with (tmp_path / f"{endless}.py").open("wb") as sparse:
        sparse.truncate(1 << 42)

    assert "bytes of source" in refused(tmp_path, {})


def test_the_number_of_modules_is_bounded(tmp_path: Path) -> None:
    many = "".join(f"import m{number}\n" for number in range(1001))
    files = {f"m{number}.py": "" for number in range(1001)}

    assert "modules" in refused(tmp_path, {"train.py": many + F, **files})


def test_a_module_must_not_hide_one_of_python(tmp_path: Path) -> None:
    files = {"train.py": f"import queue\n{F}", "queue.py": "", "p/queue.py": ""}

    assert "hides a module of Python" in refused(tmp_path, files)
    assert "p/queue.py" in paths(
        found(tmp_path, "train:f", {"train.py": f"import p.queue\n{F}", "p/__init__.py": ""})
    )


def test_a_name_that_some_systems_do_not_have_is_refused(tmp_path: Path) -> None:
    files = {"train.py": f"import aux\n{F}", "aux.py": ""}

    assert "not every system" in refused(tmp_path, files)


# --- what is not found ---


@pytest.mark.parametrize(
    "function", ["train", "train:", ":f", "train:f:g", "../train:f", "train.py:f()", "tr-ain:f", ""]
)
def test_a_function_is_written_with_one_colon(function: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        find_source(function, [tmp_path])

    assert "module:function" in raised.value.hint


@pytest.mark.parametrize("function", ["nowhere:f", "train.sub:f", "folder:f", "__main__:f"])
def test_a_module_that_is_not_there_is_told_with_the_folders(function: str, tmp_path: Path) -> None:
    project(tmp_path, {"train.py": F, "folder/a.py": F, "__main__.py": F})

    with pytest.raises(NotFoundError) as raised:
        find_source(function, [tmp_path])

    assert str(tmp_path) in str(raised.value)
    assert "PYTHONPATH" in raised.value.hint


ELSEWHERE = {
    "imported": "from models import f\n",
    "async": "async def f(parents): pass\n",
    "assigned": "f = lambda parents: 1\n",
    "inside": "def g():\n    def f(parents): pass\n",
    "method": "class A:\n    def f(parents): pass\n",
    "conditional": "if True:\n    def f(parents): pass\n",
}


@pytest.mark.parametrize("how", ELSEWHERE)
def test_a_function_is_defined_at_the_top_of_its_module(how: str, tmp_path: Path) -> None:
    marked = (
        "@mgit.recipe\ndef prune(parents): pass\n@mgit.check()\ndef score(model): pass\n"
        "@other\ndef plain(): pass\n"
    )

    with pytest.raises(NotFoundError) as raised:
        found(tmp_path, "train:f", {"train.py": ELSEWHERE[how] + marked, **MODELS})

    assert raised.value.hint.endswith("prune, score")
