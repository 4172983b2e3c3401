"""Team A's models are made by recipes, and held to a check."""

import shutil
from pathlib import Path
from typing import Any

from scene import Scene
from story import expect, say

SHRUNK = {
    "search-pruned": ("search", "prune", "--arg", "fraction=0.3", "--arg", "tensors=encoder.*"),
    "search-bf16": ("search", "cast", "--arg", "dtype=BF16"),
    "search-bold-bf16": ("search-bold", "cast", "--arg", "dtype=BF16"),
}
RETRIEVAL = ('at_least("mrr", 0.6)', 'no_worse_than("previous", "mrr", margin=0.03)')


def build_relatives(scene: Scene) -> None:
    """Two fine-tunes at once, then smaller ones by recipes that come with mgit."""
    team_a = scene.team_a
    for name, source in scene.family.project.items():
        shutil.copy(Path(__file__).with_name(source), team_a.folder / name)
    files = ", ".join(scene.family.project)
    say(f"""Alice's project lies in the same folder: {files}. A function of it that is marked
        @mgit.recipe makes a model out of others. Its source is kept with the model, and so are the
        arguments and the seed. Two fine-tunes run at once:""")
    scene.build(
        team_a,
        _finetune("search", "3e-5", "1", "finds docstrings by name"),
        _finetune("search-bold", "5e-5", "2", "the same, in larger steps"),
    )
    say("Smaller ones come from recipes that mgit ships.")
    for name, (parent, recipe, *arguments) in SHRUNK.items():
        tag = "experiment" if parent == "search-bold" else "small"
        made = ("--parent", parent, "--recipe", recipe, *arguments)
        scene.build(team_a, (name, *made, "--tag", tag))
    say("What was made before from the same is not made again:")
    again = team_a.mgit("build", *_finetune("search", "3e-5", "1", "finds docstrings by name"))
    expect("the same recipe on the same parent is no work", "unchanged" in again.out)


def _finetune(name: str, learning_rate: str, seed: str, message: str) -> tuple[str, ...]:
    arguments = ("--arg", f"learning_rate={learning_rate}", "--arg", "steps=24", "--seed", seed)
    made = (name, "--parent", "minilm", "--recipe", "train:finetune", *arguments)
    return (*made, "-m", message, "--tag", "candidate")


def judge(scene: Scene) -> None:
    """A check for all of them: measured once, judged by gates."""
    team_a = scene.team_a
    say("""Were they worth it? A function marked @mgit.check measures a model, here on 256 items
        that none has seen; gates say what is demanded of the scores. One registration is for the
        whole family, and for what will be made from it.""")
    gates = [word for gate in RETRIEVAL for word in ("--gate", gate)]
    team_a.mgit("check", "add", "judging:retrieval", "--on", "descendants(minilm)", *gates)
    team_a.mgit("test", "--jobs", "2")
    say("A second time nothing is measured: the scores are known, of this content by this code.")
    rows = team_a.look("test")["rows"]
    expect("every model below minilm was tested", len(rows) == 2 + len(SHRUNK))
    expect("nothing was measured again", all(row["is_cached"] for row in rows))
    scene.scores |= scores_of(rows)
    if not scene.family.is_judged:
        return
    say("And the model that they come from?")
    before = float(team_a.make(("evaluate", "minilm")).split()[1])
    worst = min(scene.scores.values())
    expect("each of them finds more than minilm did", worst > before)
    scene.scores["minilm"] = before


def scores_of(rows: list[Any]) -> dict[str, float]:
    """Returns model -> mean reciprocal rank of what a test says."""
    return {row["model"]: row["scores"]["mrr"] for row in rows if row["check"] == "retrieval"}
