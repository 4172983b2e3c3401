"""Pickles: reading one may run code, so none is taken, whatever it is called."""

import io
import pickle
import zipfile
from pathlib import Path

import pytest

from mgit.adding import add, export
from mgit.errors import PickleError
from mgit.repository import Repository
from tests.checkpoints import files_below, written


def zipped(member: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, b"whatever")
    return file.getvalue()


PICKLES = {
    "protocol 2": pickle.dumps({"w": 1}, 2),
    "protocol 3": pickle.dumps({"w": 1}, 3),
    "protocol 4": pickle.dumps({"w": 1}, 4),
    "protocol 5": pickle.dumps({"w": 1}, 5),
    "of torch": zipped("archive/data.pkl"),
}


@pytest.mark.parametrize("how", PICKLES)
@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.safetensors", "notes.md"])
def test_a_pickle_is_refused_by_name_under_any_name(
    alice: Repository, tmp_path: Path, how: str, name: str
) -> None:
    written(tmp_path / "in" / "config.json", b"{}")
    written(tmp_path / "in" / name, PICKLES[how])
    before = files_below(alice.folder)

    with pytest.raises(PickleError, match=name) as refused:
        add(alice, tmp_path / "in", "m")

    assert refused.value.exit_code == 6
    assert f"--exclude '{name}'" in refused.value.hint
    assert files_below(alice.folder) == before
    assert add(alice, tmp_path / "in", "m", exclude=[name]).is_new


def test_nothing_in_a_pickle_is_run(alice: Repository, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    bomb = f"\x80\x02cbuiltins\nopen\nX{chr(len(str(trap)))}\0\0\0{trap}X\x01\0\0\0w\x86R."
    written(tmp_path / "in" / "model.pt", bomb.encode("latin-1"))
    pickle.loads((tmp_path / "in" / "model.pt").read_bytes()).close()  # noqa: S301  # it works
    trap.unlink()

    with pytest.raises(PickleError):
        add(alice, tmp_path / "in", "m")

    assert not trap.exists()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("words.zip", zipped("words.txt")),
        ("broken.zip", b"PK\x03\x04 and no more"),
        ("almost.bin", b"\x80\x04 and no stop"),
        ("one.bin", b"\x80"),
        ("stop.bin", b"."),
    ],
)
def test_what_only_begins_like_a_pickle_is_a_file(
    alice: Repository, tmp_path: Path, path: str, content: bytes
) -> None:
    add(alice, written(tmp_path / "in" / path, content).parent, "m")

    export(alice, "m", tmp_path / "out")

    assert files_below(tmp_path / "out") == {path: content}
