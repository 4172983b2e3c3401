"""Source on disk: in a folder of its own, whole or not at all."""

import threading
from pathlib import Path

import pytest

from mgit.errors import MachineError, TrustError
from mgit.source import Source, materialise
from tests.source.projects import listing

FILES = {"train.py": "import models\n", "models/__init__.py": "", "models/layers.py": "SIZE = 3\n"}
SOURCE = Source(FILES)
OTHER = Source({**FILES, "train.py": ""})


def test_a_source_lies_in_a_folder_of_its_digest(tmp_path: Path) -> None:
    folder = materialise(SOURCE, tmp_path / "deep" / "sources")

    assert folder == tmp_path / "deep" / "sources" / SOURCE.verbatim.hex()
    assert listing(folder) == {path: text.encode() for path, text in FILES.items()}
    assert list(folder.parent.iterdir()) == [folder]


def test_a_source_is_written_once(tmp_path: Path) -> None:
    folder = materialise(SOURCE, tmp_path)
    inode = (folder / "train.py").stat().st_ino

    assert materialise(SOURCE, tmp_path) == folder
    assert materialise(OTHER, tmp_path) != folder

    assert (folder / "train.py").stat().st_ino == inode


def test_text_comes_back_to_the_last_byte(tmp_path: Path) -> None:
    text = "\ufeff# coding: utf-8\r\nx = 'ü'\r\n\f\r# end"

    folder = materialise(Source({"a.py": text}), tmp_path)

    assert (folder / "a.py").read_bytes() == text.encode()


def test_a_path_cannot_lead_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no path of a module"):
        materialise(Source({"../a.py": ""}), tmp_path / "sources")

    assert not list(tmp_path.rglob("*.py"))


def test_several_may_write_one_source_at_once(tmp_path: Path) -> None:
    results: list[Path] = []
    threads = [
        threading.Thread(target=lambda: results.append(materialise(SOURCE, tmp_path)))
        for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [tmp_path / SOURCE.verbatim.hex()] * 8
    assert list(tmp_path.iterdir()) == results[:1]


def test_a_folder_that_was_changed_is_not_taken_for_the_source(tmp_path: Path) -> None:
    folder = materialise(SOURCE, tmp_path)
    (folder / "train.py").write_text("changed")

    with pytest.raises(TrustError) as raised:
        materialise(SOURCE, tmp_path)

    assert str(folder) in str(raised.value)
    assert (folder / "train.py").read_text() == "changed"


@pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
def test_what_is_in_the_way_is_no_source(kind: str, tmp_path: Path) -> None:
    target = tmp_path / SOURCE.verbatim.hex()
    if kind == "file":
        target.write_text("")
    else:
        target.symlink_to(tmp_path if kind == "link" else tmp_path / "gone")

    with pytest.raises(TrustError):
        materialise(SOURCE, tmp_path)


def test_where_nothing_can_be_written_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "sources").write_text("a file")

    with pytest.raises(MachineError):
        materialise(SOURCE, tmp_path / "sources")

    assert [path.name for path in tmp_path.iterdir()] == ["sources"]
