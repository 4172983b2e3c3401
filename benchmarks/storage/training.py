"""Fine-tunes as people make them: AdamW over all parameters, some frozen, low-rank adapters.

What matters for storage is how the bits move. Weight decay moves every row of the embedding that no
batch touches by a few units in the last place, and every element of a dense matrix moves; noise
added to weights does neither.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from code_search import COSINE_SCALE, Encoder, embed, load_encoder
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks.storage.corpora import Pair, pairs_of

HELD_OUT = 256
BATCH = 8
WEIGHT_DECAY = 0.01
LORA_SCALE = 2.0
Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Plan:
    """How one fine-tune is made.

    Attributes:
        name: What it is called; its snapshots are called name_v1, name_v2, ….
        subject: What it learns, a key of ``corpora.PARTS``.
        seed: Chooses the batches.
        rate: Learning rate of AdamW.
        share: Of the steps of a whole fine-tune.
        frozen: So many layers, and the embeddings, stay as they are.
        rank: Of the adapters that are learnt instead of the weights; 0: the weights are learnt.
        snapshots: The fine-tune is stored so many times, the last time at its end.
    """

    name: str
    subject: str
    seed: int
    rate: float
    share: float = 1.0
    frozen: int = 0
    rank: int = 0
    snapshots: int = 1


def fine_tune(
    folder: Path, base: Path, plan: Plan, steps: int, keep: Callable[[str, Weights], None]
) -> float:
    """Trains and gives each snapshot to ``keep``; returns top-1 accuracy on 256 held-out pairs.

    Contrastive: the other texts of a batch are a name's wrong answers. One thread, so that the same
    machine makes the same bits again.

    Args:
        folder: The checkpoint with the tokenizer and the configuration.
        base: Its weights.
        plan: What to do.
        steps: Of a whole fine-tune.
        keep: Stores weights under a name.
    """
    torch.set_num_threads(1)
    torch.manual_seed(plan.seed)
    weights = load_file(base)
    given = load_encoder(folder)
    subject = pairs_of(plan.subject, seed=sorted(_SUBJECTS).index(plan.subject))
    held_out, pairs = subject[:HELD_OUT], subject[HELD_OUT:]
    learnt, effective = _adapters(weights, plan) if plan.rank else _unfrozen(weights, plan)
    steps = int(steps * plan.share)
    optimizer = torch.optim.AdamW(learnt, lr=plan.rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _warmth(step, steps))
    draw = random.Random(plan.seed)  # noqa: S311 - it picks batches, it keeps no secret
    every = steps // plan.snapshots
    for step in range(1, steps + 1):
        encoder = Encoder(effective(), given.heads, given.layers, given.tokenizer)
        loss = _loss(encoder, draw.sample(pairs, BATCH))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        optimizer.step()
        schedule.step()
        if step % every == 0 and step < steps:
            keep(f"{plan.name}_v{step // every}", effective())
    final = effective()
    keep(plan.name, final)
    return _top1(Encoder(final, given.heads, given.layers, given.tokenizer), held_out)


_SUBJECTS = ("science", "standard", "torch")


def _warmth(step: int, steps: int) -> float:
    """Returns the share of the learning rate: up over a tenth of the steps, then down to 2 %."""
    return min(1.0, (step + 1) / (0.1 * steps)) * max(0.02, 1 - step / steps)


def _unfrozen(weights: Weights, plan: Plan) -> tuple[list[Tensor], Callable[[], Weights]]:
    still = (
        ("embeddings.", *(f"encoder.layer.{i}." for i in range(plan.frozen))) if plan.frozen else ()
    )
    all_of_them = {
        name: each if name.startswith(still) else each.clone().requires_grad_()
        for name, each in weights.items()
    }
    return [each for each in all_of_them.values() if each.requires_grad], lambda: all_of_them


def _adapters(weights: Weights, plan: Plan) -> tuple[list[Tensor], Callable[[], Weights]]:
    """Learns two thin matrices for each query and value (Hu et al., arXiv 2106.09685)."""
    pairs: dict[str, tuple[Tensor, Tensor]] = {}
    for name, each in weights.items():
        if name.endswith(("query.weight", "value.weight")):
            rows, columns = each.shape
            right = torch.randn(plan.rank, columns) / math.sqrt(columns)
            left = torch.zeros(rows, plan.rank)
            pairs[name] = (left.requires_grad_(), right.requires_grad_())

    def merged() -> Weights:
        added = {
            name: weights[name] + LORA_SCALE * (left @ right)
            for name, (left, right) in pairs.items()
        }
        return {**weights, **added}

    return [each for pair in pairs.values() for each in pair], merged


def _loss(encoder: Encoder, batch: Sequence[Pair]) -> Tensor:
    names = embed(encoder, [pair.name for pair in batch])
    texts = embed(encoder, [pair.text for pair in batch])
    return cross_entropy(COSINE_SCALE * names @ texts.T, torch.arange(len(batch)))


def _top1(encoder: Encoder, pairs: Sequence[Pair]) -> float:
    with torch.no_grad():
        names = embed(encoder, [pair.name for pair in pairs])
        texts = embed(encoder, [pair.text for pair in pairs])
    best = torch.argmax(names @ texts.T, 1)
    return float((best == torch.arange(len(pairs))).float().mean())
