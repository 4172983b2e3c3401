"""What the relatives learn and are judged by: find a docstring from a name.

The pairs are harvested from the standard library of the running Python, so they cost no download
and hold no secret. This module knows tensors, tokens and text; it writes no file and knows nothing
of pruning, casting or the command line.
"""

import ast
import hashlib
import json
import random
import re
import sysconfig
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy, gelu, layer_norm, linear, normalize

HELD_OUT = 256
MAX_TOKENS = 32
# A cosine lies in [-1, 1]; the softmax needs a wider range (20 is sentence-transformers' scale).
COSINE_SCALE = 20.0
MODULES = "[a-m]*.py"  # about half of the library: it is read for every evaluation
Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Pair:
    """A name as words, "parse date time", and the first paragraph of what documents it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Score:
    """How well names find their docstrings among the held-out ones; both are in [0, 1]."""

    mrr: float
    top1: float


@dataclass(frozen=True, slots=True)
class Encoder:
    """A BERT that maps a text to a point of the unit sphere, as plain tensors in float32."""

    weights: Mapping[str, Tensor]
    heads: int
    layers: int
    tokenizer: Tokenizer


def load_encoder(folder: Path) -> Encoder:
    """Returns the encoder of a checkpoint folder, computing in float32 whatever it is stored in."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()  # to the longest of a batch: the packaged file pads all to 128
    stored = load_file(folder / "model.safetensors")
    weights = {name: each.float() for name, each in stored.items() if each.is_floating_point()}
    return Encoder(weights, config["num_attention_heads"], config["num_hidden_layers"], tokenizer)


def embed(encoder: Encoder, texts: list[str]) -> Tensor:
    """Returns one unit vector a text, shape (len(texts), hidden).

    BERT (Devlin et al., arXiv 1810.04805) without dropout; the mean over the tokens that are not
    padding, as in Sentence-BERT (Reimers and Gurevych, arXiv 1908.10084).
    """
    encoded = encoder.tokenizer.encode_batch(texts)
    ids = torch.tensor([each.ids for each in encoded])
    mask = torch.tensor([each.attention_mask for each in encoded], dtype=torch.float32)
    table = {
        part: encoder.weights[f"embeddings.{part}_embeddings.weight"]
        for part in ("word", "position", "token_type")
    }
    hidden = table["word"][ids] + table["position"][: ids.shape[1]] + table["token_type"][0]
    hidden = _normalised(encoder, "embeddings.LayerNorm", hidden)
    for layer in range(encoder.layers):
        hidden = _block(encoder, f"encoder.layer.{layer}", hidden, mask)
    mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    return normalize(mean, dim=-1)


def _block(encoder: Encoder, layer: str, hidden: Tensor, mask: Tensor) -> Tensor:
    """Returns ``hidden`` (texts, tokens, hidden) after one layer; ``mask`` is (texts, tokens)."""
    texts, tokens, width = hidden.shape
    query, key, value = (
        _dense(encoder, f"{layer}.attention.self.{part}", hidden)
        .view(texts, tokens, encoder.heads, width // encoder.heads)
        .transpose(1, 2)
        for part in ("query", "key", "value")
    )
    logits = query @ key.transpose(2, 3) / (width // encoder.heads) ** 0.5
    attention = logits.masked_fill(mask[:, None, None] == 0, float("-inf")).softmax(-1)
    mixed = (attention @ value).transpose(1, 2).reshape(texts, tokens, width)
    mixed = _dense(encoder, f"{layer}.attention.output.dense", mixed)
    hidden = _normalised(encoder, f"{layer}.attention.output.LayerNorm", hidden + mixed)
    wide = gelu(_dense(encoder, f"{layer}.intermediate.dense", hidden))
    narrow = _dense(encoder, f"{layer}.output.dense", wide)
    return _normalised(encoder, f"{layer}.output.LayerNorm", hidden + narrow)


def _dense(encoder: Encoder, part: str, hidden: Tensor) -> Tensor:
    return linear(hidden, encoder.weights[f"{part}.weight"], encoder.weights[f"{part}.bias"])


def _normalised(encoder: Encoder, part: str, hidden: Tensor) -> Tensor:
    weight, bias = encoder.weights[f"{part}.weight"], encoder.weights[f"{part}.bias"]
    return layer_norm(hidden, weight.shape, weight, bias, eps=1e-12)


def split_pairs() -> tuple[list[Pair], list[Pair]]:
    """Returns the pairs to learn from and the 256 held-out ones, which share no name and no text.

    Both depend on the standard library alone. They are ordered by a digest of the pair, so that
    another patch release of Python, which adds a few, keeps nearly all of them in their place.

    Raises:
        ValueError: This Python comes without the sources of its standard library.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    names: set[str] = set()
    texts: set[str] = set()
    kept: list[Pair] = []
    for pair in sorted(set(_documented(root)), key=_digest):
        if pair.name in names or pair.text in texts:
            continue
        names.add(pair.name)
        texts.add(pair.text)
        kept.append(pair)
    if len(kept) < 2 * HELD_OUT:
        raise ValueError(f"{root} has {len(kept)} documented names, {2 * HELD_OUT} are needed")
    return kept[HELD_OUT:], kept[:HELD_OUT]


def _digest(pair: Pair) -> bytes:
    return hashlib.sha256(f"{pair.name}\n{pair.text}".encode()).digest()


def _documented(root: Path) -> Iterator[Pair]:
    """Yields a pair for every documented function and class, without running a line of them."""
    for path in root.glob(MODULES):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old sources hold escapes that Python now warns of
            tree = ast.parse(path.read_bytes())
        for node in ast.walk(tree):
            if not isinstance(node, Documented) or node.name.startswith("__"):
                continue
            text = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
            if len(text.split()) >= 4:
                yield Pair(_as_words(node.name), text)


def _as_words(name: str) -> str:
    """Returns an identifier as words: ``parseHTTPDate`` and ``parse_http_date`` are the same."""
    return " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)).lower()


def score(encoder: Encoder, pairs: list[Pair]) -> Score:
    """Returns the mean reciprocal rank of the right text and how often it comes first."""
    found = reciprocal_ranks(encoder, pairs)
    return Score(mrr=float(found.mean()), top1=float((found == 1).float().mean()))


def reciprocal_ranks(encoder: Encoder, pairs: list[Pair]) -> Tensor:
    """Returns for each name 1 / the rank of its text among all of them, shape (len(pairs),)."""
    torch.set_num_threads(1)  # the order of a sum, and so its last bits, depends on the threads
    with torch.inference_mode():
        names = embed(encoder, [pair.name for pair in pairs])
        texts = embed(encoder, [pair.text for pair in pairs])
    cosines = names @ texts.T
    return 1 / (1 + (cosines > cosines.diagonal()[:, None]).sum(1))


def train(
    encoder: Encoder,
    pairs: list[Pair],
    *,
    seed: int,
    learning_rate: float,
    steps: int,
    batch_size: int,
) -> dict[str, NDArray[np.float32]]:
    """Returns the changed weights: those of the encoder's layers; the embeddings stay frozen.

    Contrastive softmax over the batch: the other texts of a batch are a name's wrong answers. The
    same arguments give the same bits on the same machine and release of torch.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    learned = {
        name: each.clone().requires_grad_()
        for name, each in encoder.weights.items()
        if name.startswith("encoder.")
    }
    learner = Encoder(
        {**encoder.weights, **learned}, encoder.heads, encoder.layers, encoder.tokenizer
    )
    optimizer = torch.optim.AdamW(learned.values(), lr=learning_rate)
    draw = random.Random(seed)  # noqa: S311 - it picks batches, it keeps no secret
    for _ in range(steps):
        batch = draw.sample(pairs, batch_size)
        names = embed(learner, [pair.name for pair in batch])
        texts = embed(learner, [pair.text for pair in batch])
        loss = cross_entropy(COSINE_SCALE * names @ texts.T, torch.arange(batch_size))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return {name: each.detach().numpy() for name, each in learned.items()}
