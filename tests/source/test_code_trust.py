"""Which code a person trusts: known by digest, kept outside of any repository."""

import tomllib
from pathlib import Path

import pytest

from mgit.digest import Digest
from mgit.errors import UsageError
from mgit.repository import Home
from mgit.source import Source

SOURCE = Source({"train.py": "x = 1\n"})
COMMENTED = Source({"train.py": "x = 1  # one\n"})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "config", tmp_path / "cache")


def test_nothing_is_trusted_at_first(home: Home) -> None:
    assert not home.trusts_code(SOURCE.verbatim)
    assert not home.config.exists()


def test_trust_is_by_the_last_byte(home: Home) -> None:
    home.trust_code(SOURCE.verbatim, "train:f")

    assert home.trusts_code(SOURCE.verbatim)
    assert not home.trusts_code(SOURCE.normalised)
    assert not home.trusts_code(COMMENTED.verbatim)
    assert COMMENTED.normalised == SOURCE.normalised


def test_trust_says_what_and_since_when(home: Home) -> None:
    home.trust_code(SOURCE.verbatim, 'of "alice"\n\x1b[2J')
    home.trust_code(COMMENTED.verbatim, "other")
    before = (home.config / "code.toml").read_bytes()

    home.trust_code(SOURCE.verbatim, "again")

    written = tomllib.loads(before.decode())
    assert written[SOURCE.verbatim.hex()]["about"] == 'of "alice"\n\x1b[2J'
    assert written[SOURCE.verbatim.hex()]["since"].endswith("Z")
    assert written.keys() == {SOURCE.verbatim.hex(), COMMENTED.verbatim.hex()}
    assert (home.config / "code.toml").read_bytes() == before


def test_trust_of_one_person_is_not_that_of_another(home: Home, tmp_path: Path) -> None:
    home.trust_code(SOURCE.verbatim, "train:f")

    assert not Home(tmp_path / "other", home.cache).trusts_code(SOURCE.verbatim)


@pytest.mark.parametrize("entry", ["true", '"yes"', "[1]"])
def test_an_entry_of_another_form_trusts_nothing(entry: str, home: Home) -> None:
    home.config.mkdir()
    (home.config / "code.toml").write_text(f'"{SOURCE.verbatim.hex()}" = {entry}\n')

    assert not home.trusts_code(SOURCE.verbatim)


def test_a_damaged_file_trusts_nothing(home: Home) -> None:
    home.config.mkdir()
    (home.config / "code.toml").write_text("= 1")

    with pytest.raises(UsageError):
        home.trusts_code(Digest.of(b""))
    with pytest.raises(UsageError):
        home.trust_code(SOURCE.verbatim, "train:f")
