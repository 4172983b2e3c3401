"""How team A judges: a check, in a file of their project."""

from code_search import load_encoder, reciprocal_ranks, split_pairs

import mgit
from mgit.loading import LoadedModel


@mgit.check
def retrieval(model: LoadedModel) -> mgit.Samples:
    """Returns, for each of 256 docstrings that none has seen, how well its name finds it.

    ``top1`` is the share that comes first, ``mrr`` the mean reciprocal rank.
    """
    ranks = reciprocal_ranks(load_encoder(model.folder()), split_pairs()[1])
    return mgit.Samples(correct=ranks == 1, values={"mrr": ranks}, metric="top1")
