"""The command: builds the families, measures all peers side by side, prints Markdown.

python -m benchmarks.storage                 # an hour the first time, ten minutes of it
                                             # training; later only what has changed
python -m benchmarks.storage --real          # the lineages that packages ship, as well
python -m benchmarks.storage --only mgit,git --again
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.storage import codecs, lossy, works
from benchmarks.storage.comparison import measure
from benchmarks.storage.lineage import FAMILIES, Model, members, raw_bytes, read_models
from benchmarks.storage.measuring import ROOT, FailedError, machine, python
from benchmarks.storage.peers import Peer, peers
from benchmarks.storage.results import Failure, Result
from benchmarks.storage.tables import table_of


def main() -> int:
    """Prints the tables and returns an exit code."""
    chosen = _arguments()
    cache = chosen.cache.absolute()
    print(machine())
    try:
        families = dict(_families(chosen, cache))
    except FailedError as error:
        print(f"bench-storage: {error}", file=sys.stderr)
        return 1
    measured = []
    for family, models in families.items():
        found = [
            _measured(peer, family, models, cache, again=chosen.again)
            for peer in peers(collects=chosen.gc)
            if not chosen.only or peer.name in chosen.only.split(",")
        ]
        print(f"\n## {family}: {len(models)} models, {raw_bytes(models) / 1e6:.1f} MB\n")
        print(table_of(found), flush=True)
        measured += found
    told: dict[str, object] = {"machine": machine(), "families": [*map(asdict, measured)]}
    if not chosen.no_works:
        told |= _works(_folder(chosen, cache), cache)
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "results.json").write_text(json.dumps(told, indent=1), "utf-8")
    return 0


def _works(folder: Path, cache: Path) -> dict[str, object]:
    kinds = list(works.measured(folder, cache))
    print(f"\n## One more model, mgit\n\n{works.table_of(kinds)}", flush=True)
    alone = list(codecs.measured(folder))
    print(f"\n## The codecs alone\n\n{codecs.table_of(alone)}", flush=True)
    inexact = list(lossy.measured(folder, cache))
    print(f"\n## With small errors allowed\n\n{lossy.table_of(inexact)}", flush=True)
    return {"works": kinds, "codecs": alone, "lossy": inexact}


def _measured(
    peer: Peer, family: str, models: Sequence[Model], cache: Path, *, again: bool
) -> Result | Failure:
    found = measure(peer, family, models, cache, again=again)
    print(table_of([found]).splitlines()[-1], file=sys.stderr, flush=True)
    return found


def _families(chosen: argparse.Namespace, cache: Path) -> Iterator[tuple[str, list[Model]]]:
    """Yields the families that are asked for, made first where they are missing."""
    wanted = [name for name in chosen.families.split(",") if name]
    if wanted or not chosen.no_works:
        folder = _folder(chosen, cache)
        python("benchmarks.storage.family", folder, chosen.steps)
        for name in wanted:
            yield name, members(folder, FAMILIES[name])
    if chosen.real:
        python("benchmarks.storage.real", cache / "real")
        for path in sorted((cache / "real").glob("*/family.json")):
            yield path.parent.name, read_models(path)


def _folder(chosen: argparse.Namespace, cache: Path) -> Path:
    folder: Path = chosen.models or cache / f"family-{chosen.steps}"
    return folder.absolute()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench-storage", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--cache", type=Path, default=ROOT / ".bench", help="tools, models, results (.bench)")
    add("--models", type=Path, help="folder of the trained family; else it lies in the cache")
    add("--steps", type=int, default=200, help="of a fine-tune (200)")
    add("--families", default=",".join(FAMILIES), help="some of nine,twenty; may be empty")
    add("--real", action="store_true", help="also the lineages that packages ship")
    add("--only", default="", help="some of the peers, by name")
    add("--gc", action="store_true", help="also git after git gc, which takes minutes")
    add("--no-works", action="store_true", help="without kinds of work and codecs")
    add("--again", action="store_true", help="measure what was measured before")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
