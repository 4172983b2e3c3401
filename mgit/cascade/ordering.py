"""In which order units are made: each after what it needs, the longest remaining path first."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from mgit.cascade.replacing import Unit
from mgit.errors import UsageError

_AND = " + "


def joined(titles: Iterable[str]) -> str:
    """Returns what a unit is called whose members are called so."""
    return _AND.join(sorted(titles))


def topological(
    needed: Mapping[Unit, Collection[Unit]], titles: Mapping[Unit, str]
) -> tuple[Unit, ...]:
    """Returns the units, each after all that it needs.

    Raises:
        UsageError: Units need each other.
    """
    try:
        return tuple(TopologicalSorter(needed).static_order())
    except CycleError as error:
        cycle: Sequence[Unit] = error.args[1]
    first, *others = dict.fromkeys(titles[unit] for unit in cycle)
    raise UsageError(
        f"each would have to be made before the others: {', '.join([first, *others])}"
        if others
        else f"{first} are made together, but one of them needs another",
        hint=f"keep one of them as it is: --skip or --stop {first.partition(_AND)[0]}",
    )


def by_priority(
    order: Sequence[Unit],
    needed: Mapping[Unit, Collection[Unit]],
    seconds: Mapping[Unit, float],
    titles: Mapping[Unit, str],
) -> tuple[Unit, ...]:
    """Returns the units by how much there is to do from each of them to the end, most first.

    That order, too, has each unit after all that it needs: what is needed has more left to do, if
    not in seconds then in steps. Titles, then ids, decide between equals.

    Args:
        order: The units, each after all that it needs.
        needed: For each unit the units that it needs.
        seconds: How long each takes, at least 0.
        titles: What each is called.
    """
    below = dict.fromkeys(order, (0.0, 0))  # the longest path after it: seconds, steps
    remaining: dict[Unit, tuple[float, int]] = {}
    for unit in reversed(order):
        below_s, steps = below[unit]
        remaining[unit] = (below_s + seconds[unit], steps + 1)
        for other in needed[unit]:
            below[other] = max(below[other], remaining[unit])

    def rank(unit: Unit) -> tuple[float, int, str, Unit]:
        left_s, steps = remaining[unit]
        return (-left_s, -steps, titles[unit], unit)

    return tuple(sorted(order, key=rank))
