"""Adding the same again heals what rests on other chunks, whatever it is stored by."""

from pathlib import Path

import pytest

from mgit import repair
from mgit.adding import add, export
from mgit.codecs import FAST, PLANES, RAW, RCB, codec, fast, planes, rcb
from mgit.codecs.form import Form
from mgit.digest import Digest
from mgit.errors import DamagedError
from mgit.objects import CHUNK, PackKind, Ref
from mgit.repository import Repository
from tests.checkpoints import Tensor, f32, files_below, floats, safetensors, spoil, written
from tests.codecs.stored import derivations

BASE = f32(floats(1, 128)).data
NEAR = f32(floats(2, 0, near=floats(1, 128))).data
FORM = Form("F32")
CODED: dict[int, tuple[bytes, tuple[bytes, ...]]] = {
    RAW.number: (NEAR, ()),
    PLANES.number: (planes.encode(NEAR, FORM), ()),
    FAST.number: (fast.encode(NEAR, BASE, FORM), (BASE,)),
    RCB.number: (rcb.encode(NEAR, BASE, FORM), (BASE,)),
    **{number: (body, tuple(bases)) for number, (body, bases) in derivations(BASE).items()},
}


def stored(alice: Repository, root: Path, number: int) -> tuple[Path, Path]:
    """Adds ``base`` and a ``child`` whose one tensor is stored by a codec; returns both sources."""
    body, bases = CODED[number]
    raw = codec(number).decode(body, bases, 512)
    tensors = {f"base{i}": Tensor("U8", (len(base),), base) for i, base in enumerate(bases)}
    base = written(root / "base" / "m.safetensors", safetensors(tensors or {"w": f32((1.0,))}))
    child = written(root / "child" / "m.safetensors", safetensors({"w": Tensor("U8", (512,), raw)}))
    add(alice, base.parent, "base")
    with alice.store.writer(PackKind.CHUNKS) as writer:
        digests = tuple(map(Digest.of, bases))
        writer.add(Ref(CHUNK, Digest.of(raw)), body, raw_bytes=512, codec=number, bases=digests)
        alice.store.install(writer.finish())
    add(alice, child.parent, "child")
    (place,) = alice.store.catalog.places(Ref(CHUNK, Digest.of(raw)))
    assert place.row.codec == number
    return base.parent, child.parent


def spoil_with_bases(alice: Repository, child: Path, *, is_base: bool) -> None:
    raw = child.joinpath("m.safetensors").read_bytes()[-512:]
    (place,) = alice.store.catalog.places(Ref(CHUNK, Digest.of(raw)))
    chunks = place.row.bases if is_base else [place.row.ref.digest]
    for chunk in chunks:
        spoil(alice, alice.store.catalog.places(Ref(CHUNK, chunk))[0])


@pytest.mark.parametrize(
    ("number", "is_base"),
    [(number, is_base) for number, (_, bases) in CODED.items() for is_base in {False, bool(bases)}],
)
@pytest.mark.parametrize("was_noticed", [False, True])
def test_a_chunk_of_every_codec_heals(
    alice: Repository, tmp_path: Path, number: int, *, is_base: bool, was_noticed: bool
) -> None:
    _, child = stored(alice, tmp_path, number)
    spoil_with_bases(alice, child, is_base=is_base)
    again = Repository.at(alice.folder, alice.home)
    if was_noticed:
        with pytest.raises(DamagedError):
            export(again, "child", tmp_path / "refused")

    added = add(again, child, "child")

    assert not added.is_new
    export(again, "child", tmp_path / "out")
    assert files_below(tmp_path / "out") == files_below(child)
    assert not (tmp_path / "refused").exists()


@pytest.mark.parametrize("number", [number for number, (_, bases) in CODED.items() if bases])
def test_a_base_that_heals_heals_what_rests_on_it(
    alice: Repository, tmp_path: Path, number: int
) -> None:
    base, child = stored(alice, tmp_path, number)
    spoil_with_bases(alice, child, is_base=True)
    again = Repository.at(alice.folder, alice.home)
    assert not repair.check(again, is_decoding=True).is_clean

    add(again, base, "base")

    export(again, "child", tmp_path / "out")
    assert files_below(tmp_path / "out") == files_below(child)
    assert repair.check(again, is_decoding=True).is_clean
