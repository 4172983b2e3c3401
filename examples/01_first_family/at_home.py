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
}


def begin(scene: Scene) -> None:
    """A repository and its first model."""
    team_a = scene.team_a
    say("""Team A downloads a model, makes a repository in the folder they work in, and adds the
        checkpoint. (relatives.py lies beside this demo: it makes models, and knows no mgit.)""")
    team_a.make(scene.family.base)
    team_a.mgit("init", "--as", "alice")
    scene.add(team_a, "minilm", "minilm", "-m", MINILM, "--tag", "upstream")
    say("Adding is safe to repeat: the same bytes are no new version.")
    again = team_a.mgit("add", "minilm", "minilm", "-m", MINILM)
    expect("the same bytes are unchanged", "unchanged" in again.out)


def make_relatives(scene: Scene) -> None:
    """Two fine-tunes at once, a pruned one, one in half precision; judged by one measure."""
    team_a, is_judged = scene.team_a, scene.family.is_judged
    say("""Two short fine-tunes learn to find the docstrings of Python's standard library by the
        names of what they document; one of them is then pruned, and cast to bfloat16.""")
    team_a.make(*scene.family.finetunes)
    team_a.make(("prune", "search", "search-pruned", "--fraction", "0.3"))
    team_a.make(("cast", "search", "search-bf16"))
    if not is_judged:
        say("These weights are random: there is nothing to evaluate.")
        return
    say("Were they worth it? The mean reciprocal rank (MRR) on 256 docstrings that none has seen:")
    tuned = ("search", "search-bold", "search-pruned", "search-bf16")
    printed = team_a.make(("evaluate", "minilm", *tuned))
    for _, mrr, _, _, name in map(str.split, printed.splitlines()):
        scene.scores[name] = float(mrr)
    before = scene.scores["minilm"]
    for name in tuned:
        expect(f"{name} finds more than minilm did", scene.scores[name] > before)


def add_relatives(scene: Scene) -> None:
    """The relatives become nodes, with their parents."""
    say("Each goes in with what it was made from, and how. Only what is new in it takes space.")
    relatives = (
        ("search", "minilm", "finetune", "finds docstrings by name", "candidate"),
        ("search-bold", "minilm", "finetune", "the same, in larger steps", "candidate"),
        ("search-pruned", "search", "prune", "without the smallest 30 % of the weights", "small"),
        ("search-bf16", "search", "cast", "half the size", "small"),
    )
    for name, parent, operation, message, tag in relatives:
        score = scene.scores.get(name)
        measured = ("--meta", f"mrr={score:.3f}") if score else ()
        made = ("--parent", parent, "--operation", operation, "-m", message)
        scene.add(scene.team_a, name, name, *made, "--tag", tag, *measured)


def look_around(scene: Scene) -> None:
    """The family as a graph, as names, as bytes, and as what differs."""
    team_a = scene.team_a
    say("The family tree. It is drawn from what is recorded with each model, newest first.")
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
    expect("the packs take less than the models", stats["pack_bytes"] < stats["raw_bytes"])
