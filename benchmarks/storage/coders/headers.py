"""What a safetensors file holds, by its header alone; needs nothing but the standard library."""

import json
from pathlib import Path


def commonest_type(path: Path) -> str:
    """Returns the type that most bytes of a file have."""
    with path.open("rb") as file:
        told = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    told.pop("__metadata__", None)
    sums: dict[str, int] = {}
    for each in told.values():
        begin, end = each["data_offsets"]
        sums[each["dtype"]] = sums.get(each["dtype"], 0) + end - begin
    return max(sums, key=lambda name: sums[name])
