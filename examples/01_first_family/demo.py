"""Shows mgit from the first repository on: a family of real models, two teams and a stranger.

    python demo.py                  # under four minutes; needs what `make demo` installs
    python demo.py --tiny           # the same story with tiny models, in seconds, without torch

It prints every command with its real output, and a table of what was shown; it exits with 1 if
something was not so. Nothing is downloaded, and nothing outside its folder is written; the real
models take 5 GB there while it runs.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import at_home
import between_peers
import cascading
import making
import safe_keeping
import trusting
from scene import REAL, TINY, Family, Scene
from story import Step, say, tell_all


def main() -> int:
    """Tells the story and returns an exit code."""
    parser = argparse.ArgumentParser(description="Shows mgit with a small family of models.")
    parser.add_argument("folder", type=Path, nargs="?", help="a new folder; else a temporary one")
    parser.add_argument("--tiny", action="store_true", help="tiny models: seconds, and no torch")
    parser.add_argument("--keep", action="store_true", help="leave the temporary folder")
    chosen = parser.parse_args()
    if chosen.folder and chosen.folder.exists() and any(chosen.folder.iterdir()):
        parser.error(f"{chosen.folder} is not empty; choose a new folder")
    # resolved: a temporary folder may lie behind a link
    root = (chosen.folder or Path(tempfile.mkdtemp(prefix="mgit-demo-"))).resolve()
    started = time.monotonic()
    try:
        is_told = tell(root, TINY if chosen.tiny else REAL)
    except KeyboardInterrupt:
        is_told = False
    print(f"\n{time.monotonic() - started:.0f} s")
    if is_told and not (chosen.keep or chosen.folder):
        shutil.rmtree(root)
    else:
        print(f"what was made is in {root}")
    return 0 if is_told else 1


def tell(root: Path, family: Family) -> bool:
    """Tells the story in a folder and returns whether all of it was so."""
    say(f"""This shows mgit with a small family: {family.about}. Every line below that begins with a
        prompt is a command that runs as you would type it, in {root}.""")
    return tell_all(steps_for(family), Scene.at(root, family))


def steps_for(family: Family) -> tuple[Step[Scene], ...]:
    """Returns the story."""
    return (
        Step(
            "a repository and its first model",
            "a folder, a key and one command; the same bytes again are no new version",
            at_home.begin,
        ),
        Step(
            "relatives are made by recipes",
            "the source, arguments and seed are kept with each model; the same is not made twice",
            making.build_relatives,
        ),
        Step(
            "relatives are judged",
            family.shows,
            making.judge,
        ),
        Step(
            "looking at the family",
            "graph, selectors, differences by tensor; stored smaller, without loss",
            at_home.look_around,
        ),
        Step(
            "the base model is replaced",
            "status says who is behind, a plan says what would be done about it, and why",
            cascading.replace_the_base,
        ),
        Step(
            "a cascade",
            "made again and tested; what fails its gate, and what is below it, is not published",
            cascading.cascade,
        ),
        Step(
            "another team is admitted",
            "a role belongs to a key, and stands in the repository",
            between_peers.admit,
        ),
        Step(
            "a branch is cloned without weights",
            "all can be looked at; what is not here is refused, with the reason",
            between_peers.clone_a_branch,
        ),
        Step(
            "weights are fetched",
            "on request, and byte for byte what was added",
            between_peers.fetch_weights,
        ),
        Step(
            "a model is made again elsewhere",
            "code of others runs once it was read and trusted; the same bits come out",
            trusting.reproduce,
        ),
        Step(
            "work while offline",
            "a version is added and signed with the other repository out of reach",
            between_peers.work_apart,
        ),
        Step(
            "two versions of one name meet",
            "both sides are kept and have names; a push that would pass the conflict on is refused",
            between_peers.keep_both_sides,
        ),
        Step(
            "the conflict is settled",
            "the two are merged, the check decides; one push, and the other team's name follows",
            between_peers.settle,
        ),
        Step(
            "who did what",
            "every step up to the base model is signed by a key with a role",
            between_peers.ask_who,
        ),
        Step(
            "a step back, and forward",
            "undo takes back a step by a new one; no version is lost",
            between_peers.step_back,
        ),
        Step(
            "a stranger pushes",
            "no shared name moves; what the stranger says is shown as such, and does not verify",
            between_peers.meet_a_stranger,
        ),
        Step(
            "a bit flips",
            "found, named and refused; healed by adding the same checkpoint",
            safe_keeping.damage_and_heal,
        ),
        Step(
            "everything comes out as it went in",
            "every version of everybody, compared byte by byte with its original",
            safe_keeping.export_everything,
        ),
        Step(
            "what it takes",
            "the store against the sum of the folders",
            safe_keeping.weigh,
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
