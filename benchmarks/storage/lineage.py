"""Which models a family has and how they descend; knows files and names, no tensors.

base --- ft_sci_v1 --- v2 --- v3 --- v4 --- ft_sci --- pruned50, int8
      |                                          \\
      |--- ft_torch, ft_std -------------------- fedavg (their mean)
      |--- ft_frozen4     embeddings and four of six layers frozen
      |--- ft_lora8       adapters of rank 8, merged
      |--- pruned80
      \\--- bf16_*, fp16_* casts of base, ft_sci, ft_torch, ft_std
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

# Child -> parents, nearest first; a cast fine-tune is near the cast base, and made from itself.
PARENTS: dict[str, tuple[str, ...]] = {
    "base": (),
    "ft_sci_v1": ("base",),
    "ft_sci_v2": ("ft_sci_v1",),
    "ft_sci_v3": ("ft_sci_v2",),
    "ft_sci_v4": ("ft_sci_v3",),
    "ft_sci": ("ft_sci_v4",),
    "ft_torch": ("base",),
    "ft_std": ("base",),
    "ft_frozen4": ("base",),
    "ft_lora8": ("base",),
    "pruned50": ("ft_sci",),
    "pruned80": ("base",),
    "fedavg": ("ft_sci", "ft_torch", "ft_std"),
    "int8": ("ft_sci",),
    "bf16_base": ("base",),
    "bf16_ft_sci": ("bf16_base", "ft_sci"),
    "bf16_ft_torch": ("bf16_base", "ft_torch"),
    "bf16_ft_std": ("bf16_base", "ft_std"),
    "fp16_base": ("base",),
    "fp16_ft_sci": ("fp16_base", "ft_sci"),
}
NINE = (
    "base",
    "ft_sci_v2",
    "ft_sci",
    "ft_torch",
    "ft_std",
    "ft_frozen4",
    "ft_lora8",
    "pruned50",
    "fedavg",
)
TWENTY = tuple(PARENTS)


FAMILIES = {"nine": NINE, "twenty": TWENTY}


@dataclass(frozen=True, slots=True)
class Model:
    """A model of a family: its name, its file, and its parents among the models before it."""

    name: str
    path: Path
    parents: tuple[str, ...] = ()

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """Returns the model that ``asdict`` has turned into JSON."""
        return cls(told["name"], Path(told["path"]), tuple(told["parents"]))


def members(folder: Path, names: Sequence[str]) -> list[Model]:
    """Returns the named models; a parent that is not among them gives way to its own parents."""
    return [Model(each, folder / f"{each}.safetensors", _near(each, names)) for each in names]


def _near(name: str, names: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for parent in PARENTS[name]:
        found += [parent] if parent in names else _near(parent, names)
    return tuple(dict.fromkeys(found))


def raw_bytes(models: Sequence[Model]) -> int:
    """Returns what the files of the models take."""
    return sum(model.path.stat().st_size for model in models)


def digest_of(models: Sequence[Model]) -> str:
    """Returns what identifies the bytes and the lineage of a family, 16 hexadecimal digits."""
    found = hashlib.sha256()
    for model in models:
        with model.path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        found.update(f"{model.name} {content} {model.parents}\n".encode())
    return found.hexdigest()[:16]


def write_models(models: Sequence[Model], path: Path) -> None:
    """Writes the models as JSON for another process."""
    told = [asdict(model) | {"path": str(model.path.absolute())} for model in models]
    path.write_text(json.dumps(told), "utf-8")


def read_models(path: Path) -> list[Model]:
    """Returns what ``write_models`` has written."""
    return [Model.of(told) for told in json.loads(path.read_text("utf-8"))]
