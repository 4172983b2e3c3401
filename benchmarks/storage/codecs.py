"""The codecs by themselves, on pairs of the trained family."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.storage.measuring import python
from benchmarks.storage.tables import markdown

PAIRS = {
    "fine-tune, fp32, 2e-5": ("base", "ft_sci"),
    "fine-tune, fp32, 5e-5": ("base", "ft_torch"),
    "consecutive checkpoints, fp32": ("ft_sci_v4", "ft_sci"),
    "fine-tune, bf16": ("bf16_base", "bf16_ft_sci"),
    "fine-tune, fp16": ("fp16_base", "fp16_ft_sci"),
}
_HEAD = ("pair", "codec", "ratio", "encode, MB/s per core", "decode, MB/s per core")


def measured(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Yields bytes and seconds of each codec with each pair.

    Raises:
        FailedError: The codecs failed; what they said stands on standard error.
    """
    for title, names in PAIRS.items():
        paths = [folder / f"{name}.safetensors" for name in names]
        for found in json.loads(python("benchmarks.storage.coders.codecs_alone", *paths)):
            yield {"pair": title, **found}


def table_of(found: Sequence[Mapping[str, Any]]) -> str:
    """Returns a line for each codec with each pair."""
    return markdown(_HEAD, [_line(each) for each in found])


def _line(found: Mapping[str, Any]) -> tuple[str, ...]:
    coded = found["coded_bytes"] / 1e6
    return (
        found["pair"],
        found["codec"],
        f"{found['raw_bytes'] / found['body_bytes']:.3f}",
        f"{coded / found['encode_s']:.0f}",
        f"{coded / found['decode_s']:.0f}",
    )
