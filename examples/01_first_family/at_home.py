"""The first half: one team, one repository, a family of models in it."""

from scene import Scene, nodes_of
from story import expect, say

MINILM = "all-MiniLM-L6-v2, as published"
PARENTS = {
    "minilm": [],
    "search": ["minilm"],
    "search-bold": ["minilm"],
    "search-pruned": ["search"],
    "search-bf16": ["search"],
    "search-bold-bf16": ["search-bold"],
}


def begin(scene: Scene) -> None:
    """A repository and its first model."""
    team_a = scene.team_a
    say("""Team A downloads a model, makes a repository in the folder they work in, and adds the
        checkpoint. (relatives.py lies beside this demo: it copies and changes
        checkpoints, and knows no mgit.)""")
    team_a.make(scene.family.base)
    team_a.mgit("init", "--as", "alice")
    scene.add(team_a, "minilm", "minilm", "-m", MINILM, "--tag", "upstream")
    say("Adding is safe to repeat: the same bytes are no new version.")
    again = team_a.mgit("add", "minilm", "minilm", "-m", MINILM)
    expect("the same bytes are unchanged", "unchanged" in again.out)


def look_around(scene: Scene) -> None:
    """The family as a graph, as names, as bytes, and as what differs."""
    team_a = scene.team_a
    say("The family tree. It is drawn from what is recorded, each model above what it came from.")
    history = team_a.look("log", "--graph")
    parents = {row["title"]: [link["title"] for link in row["parents"]] for row in history["nodes"]}
    expect("each model hangs below the one that it was made from", parents == PARENTS)
    say("Selectors choose a part of it: here, what was made from search, and is tagged small.")
    small = team_a.look("ls", "descendants(search) & tag:small")
    expect("those are the two small ones", set(nodes_of(small)) == {"search-pruned", "search-bf16"})
    say("What did the fine-tune change? Exit code 1 says that the two differ, as diff does.")
    differing = team_a.look("diff", "minilm", "search", "--stat", code=1)
    changed = [tensor["name"] for tensor in differing["tensors"]]
    expect("the embeddings stayed as they were", not any("embeddings" in name for name in changed))
    say("""What it takes: equal tensors are stored once, and a tensor that was fine-tuned is stored
        as its difference from the parent's. Nothing is rounded.""")
    stats = team_a.look("stats")
    expect(
        "the weights take less than they do in files", stats["stored_bytes"] < stats["raw_bytes"]
    )
