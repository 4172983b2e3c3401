"""A BERT of two layers and 64 tokens with random weights: 30 KB that look like MiniLM's 90 MB.

It has the same tensor names, dtypes and files, reads any text letter by letter, and means nothing.
"""

import json
import string
from pathlib import Path

import numpy as np
from checkpoint import WEIGHTS, Stored, make_folder, pack, write_weights

HIDDEN = 16
WIDE = 4 * HIDDEN
LAYERS = 2
POSITIONS = 64
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS = tuple(string.ascii_lowercase)
VOCABULARY = (*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS), *".,()'-_")

CONFIG = {
    "architectures": ["BertModel"],
    "hidden_act": "gelu",
    "hidden_size": HIDDEN,
    "intermediate_size": WIDE,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": POSITIONS,
    "model_type": "bert",
    "num_attention_heads": 2,
    "num_hidden_layers": LAYERS,
    "pad_token_id": 0,
    "type_vocab_size": 2,
    "vocab_size": len(VOCABULARY),
}


def write_tiny(target: Path, *, seed: int) -> None:
    """Writes a tiny checkpoint to a new or empty folder; the same seed gives the same bits."""
    make_folder(target)
    (target / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n", "utf-8")
    (target / "tokenizer.json").write_text(json.dumps(_tokenizer(), indent=2) + "\n", "utf-8")
    (target / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", "utf-8")
    positions = np.arange(POSITIONS, dtype="<i8").tobytes()
    generator = np.random.default_rng(seed)
    tensors = {name: _random(name, shape, generator) for name, shape in _shapes().items()}
    tensors["embeddings.position_ids"] = Stored("I64", (1, POSITIONS), positions)
    write_weights(target / WEIGHTS, tensors, {"format": "pt"})


def _random(name: str, shape: tuple[int, ...], generator: np.random.Generator) -> Stored:
    """Returns a tensor as BERT starts out, but with nothing all zero: real biases never are."""
    numbers = np.float32(0.02) * generator.standard_normal(shape, dtype=np.float32)
    return pack(numbers + np.float32("LayerNorm.weight" in name), "F32")


def _shapes() -> dict[str, tuple[int, ...]]:
    """Returns the shape of every float tensor by name."""
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(VOCABULARY), HIDDEN),
        "embeddings.position_embeddings.weight": (POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
    }
    matrices = {"pooler.dense": (HIDDEN, HIDDEN)}
    norms = ["embeddings.LayerNorm"]
    for layer in (f"encoder.layer.{index}" for index in range(LAYERS)):
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            matrices[f"{layer}.attention.{part}"] = (HIDDEN, HIDDEN)
        matrices[f"{layer}.intermediate.dense"] = (WIDE, HIDDEN)
        matrices[f"{layer}.output.dense"] = (HIDDEN, WIDE)
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for name, (rows, columns) in matrices.items():
        shapes |= {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}
    for name in norms:
        shapes |= {f"{name}.weight": (HIDDEN,), f"{name}.bias": (HIDDEN,)}
    return shapes


def _tokenizer() -> dict[str, object]:
    """Returns what ``tokenizer.json`` holds: word pieces of one letter each, lower-cased."""
    ids = {token: index for index, token in enumerate(VOCABULARY)}
    special = {token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in SPECIAL}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    clean = {"clean_text": True, "handle_chinese_chars": True, "strip_accents": None}
    start = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}
    end = {"SpecialToken": {"id": "[SEP]", "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": ids[token], "content": token, "special": True, **flags} for token in SPECIAL
        ],
        "normalizer": {"type": "BertNormalizer", "lowercase": True, **clean},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [start, text, end],
            "pair": [start, text, end, {"Sequence": {"id": "B", "type_id": 1}}, end],
            "special_tokens": {token: special[token] for token in ("[CLS]", "[SEP]")},
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": ids,
        },
    }
