"""The Python interface: ``import mgit`` and one function a verb."""

import subprocess
import sys
from pathlib import Path

import pytest

import mgit
from mgit.repository import Home

ROOT = Path(__file__).parents[2]


def test_importing_mgit_loads_nothing_else() -> None:
    probe = "import sys, mgit; print(sorted(m for m in sys.modules if m.startswith('mgit.')))"

    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", mgit.__all__)
def test_every_name_is_there_and_is_no_module(name: str) -> None:
    assert callable(getattr(mgit, name))
    assert not (ROOT / "mgit" / name).exists()
    assert not (ROOT / "mgit" / f"{name}.py").exists()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mgit.nothing  # type: ignore[attr-defined]


def test_a_repository_is_made_opened_and_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGIT_CONFIG_HOME", str(tmp_path / "home"))
    model = tmp_path / "model.txt"
    model.write_text("weights")

    made = mgit.init(tmp_path / "here", label="alice")
    mgit.add(mgit.open(tmp_path / "here"), model, "base")
    copied = mgit.clone(str(tmp_path / "here"), tmp_path / "there")

    assert [row.name for row in mgit.ls(copied.repository)] == ["base"]
    assert mgit.whoami(made).key.label == "alice"
    home = Home.from_environment({"MGIT_CONFIG_HOME": str(tmp_path / "home")})
    assert mgit.whoami(home=home).repository is None
