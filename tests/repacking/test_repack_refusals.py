"""Packs are not written anew where something is damaged: that would keep both, and gain nothing.

base@v1 --- base@v2        other: of nobody's kin
   \\-- kid
"""

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from mgit.adding import Description, add
from mgit.codecs import entropy
from mgit.digest import Digest
from mgit.errors import DamagedError
from mgit.objects import CHUNK, Ref
from mgit.repacking import repack
from mgit.repository import Repository
from mgit.store import Place
from tests.checkpoints import f32, floats, place_of, safetensors, spoil, written
from tests.cli.terminal import Terminal
from tests.repacking.family import WEIGHTS, Family, loosen

AT_ONCE = timedelta()


def row_of(repository: Repository, source: str) -> Place:
    """Where the weights of a model lie: one, two, kid or other."""
    repository.store.refresh()
    return place_of(repository, Ref(CHUNK, Digest.of(f32(WEIGHTS[source], 64, 64).data)))


def require_refused(family: Family, line: str) -> None:
    """Exit code 5, a next step, and nothing on the disk that was not there before."""
    before = family.packs()

    ran = Terminal("alice", family.root).run(line)

    assert (ran.exit_code, ran.out) == (5, "")
    assert "mgit fsck --repair" in ran.err
    assert family.packs() == before
    assert list(family.repository.store.incoming.iterdir()) == []


@pytest.mark.parametrize("line", ["repack", "repack --grace 0", "repack --dry-run", "repack kid"])
@pytest.mark.parametrize("name", ["one", "kid", "other"])
def test_one_flipped_bit_is_a_refusal(family: Family, name: str, line: str) -> None:
    loosen(family)  # there is something to gain
    repository = family.repository
    spoil(repository, row_of(repository, name))

    require_refused(family, line)


@pytest.mark.parametrize("name", ["one", "kid", "other"])
def test_a_pack_that_is_gone_is_a_refusal_that_names_a_model(family: Family, name: str) -> None:
    repository = family.repository
    repository.store.path_of(row_of(repository, name).pack).unlink()

    require_refused(family, "repack")

    with pytest.raises(DamagedError, match="damaged, or lost from this folder; nothing was"):
        repack(family.repository)


def test_what_was_left_out_on_purpose_is_none(family: Family) -> None:
    bob = Terminal("bob", family.root)
    bob.does(f"clone --no-weights {family.root / 'alice'} models")
    bob.does("-C models backfill kid")

    assert "4 models" in bob.does("-C models repack --grace 0").out
    bob.does("-C models export kid kid")


@pytest.mark.skipif(not entropy.is_available(), reason="the optional entropy coder is no part here")
def test_what_wants_an_entropy_coder_that_is_not_installed_is_none(
    family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = family.repository.settings()
    family.repository.write_settings({**settings, "entropy-coder": "openzl"})
    values = tuple(value * 1.01 for value in floats(3, 1 << 16))
    for name, tensor in (("big", values), ("near", floats(4, 0, near=values))):
        source = written(tmp_path / f"{name}.safetensors", safetensors({"w": f32(tensor)}))
        parents = [] if name == "big" else ["big"]
        add(family.repository, source, name, description=Description(parents=parents))
    family.repository.write_settings(settings)
    monkeypatch.setitem(sys.modules, "openzl", None)
    monkeypatch.setitem(sys.modules, "openzl.ext", None)

    assert repack(family.repository, grace=AT_ONCE).unreadable > 0


def test_after_the_repair_it_goes_on(family: Family) -> None:
    repository = family.repository
    spoil(repository, row_of(repository, "one"))
    require_refused(family, "repack")
    alice = Terminal("alice", family.root)
    alice.does(f"add {family.source('one')} again")

    repack(family.repository, grace=AT_ONCE)

    assert family.is_sound()
    assert family.is_here("kid", "kid")
