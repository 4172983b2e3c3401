"""How team A trains: recipes, in a file of their project that is called ``train.py`` there.

mgit reads the source of a recipe and of the modules of the project that it imports, keeps both with
the model, and runs them in a process of their own.
"""

from collections.abc import Mapping

from code_search import load_encoder, split_pairs, train
from torch import Tensor, from_numpy

import mgit
from mgit.loading import LoadedModel


@mgit.recipe
def finetune(
    parents: Mapping[str, LoadedModel], *, learning_rate: float, steps: int, seed: int
) -> dict[str, Tensor]:
    """Returns the base model after learning to find docstrings by the names they document.

    Args:
        parents: ``base``: a BERT with its tokenizer.
        learning_rate: Of AdamW; for MiniLM 2e-5 to 5e-5 do well.
        steps: Batches of 16 pairs to learn from.
        seed: Chooses the batches.
    """
    base = parents["base"]
    learned = train(
        load_encoder(base.folder()),
        split_pairs()[0],
        seed=seed,
        learning_rate=learning_rate,
        steps=steps,
        batch_size=16,
    )
    return {**base.tensors(), **{name: from_numpy(array) for name, array in learned.items()}}
