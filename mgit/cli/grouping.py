"""Names that differ by number only, as one: ``layer.[0-5].weight``. Pure."""

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"\d+")


def grouped(names: Iterable[str]) -> dict[str, list[str]]:
    """Returns what a group is called -> its names, in the order in which groups begin.

    Names belong together if they are equal but for their numbers. A number that all of them share
    stays; one that differs is shown as the range it spans.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_NUMBER.sub("#", name), []).append(name)
    return {_called(members): members for members in groups.values()}


def _called(names: list[str]) -> str:
    numbers = zip(*(map(int, _NUMBER.findall(name)) for name in names), strict=True)
    spans = [(min(found), max(found)) for found in numbers]
    texts = iter(f"[{low}-{high}]" if low < high else "" for low, high in spans)
    return _NUMBER.sub(lambda match: next(texts) or match[0], names[0])
