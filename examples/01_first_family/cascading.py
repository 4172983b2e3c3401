"""A new base model: what was made from the old one is made again, tested, and published."""

from pathlib import Path
from typing import Any

from scene import Scene, nodes_of
from story import expect, say

KEPT_BACK = {"search-bold", "search-bold-bf16"}
REMADE = {"search", "search-pruned", "search-bf16"}


def replace_the_base(scene: Scene) -> None:
    """The base model has a new version, and its descendants are behind."""
    team_a = scene.team_a
    say("""The makers of minilm publish a new release; noise on all its layers stands for what they
        did. All that Alice made rests on the old one, and status says so.""")
    team_a.make(("nudge", "minilm", "minilm-2", "--seed", "5", "--share", "0.05"))
    scene.add(team_a, "minilm-2", "minilm", "-m", "the new release")
    team_a.look("status")
    say("A plan runs nothing. It says what would be made again, from what, and why.")
    steps = team_a.look("cascade", "plan")["steps"]
    names = {step["title"] for step in steps if step["action"] == "build"}
    expect("every descendant is to be made again", names == KEPT_BACK | REMADE)


def cascade(scene: Scene) -> None:
    """Made again on two workers; what does not pass is not published."""
    team_a, executor = scene.team_a, scene.family.executor
    before = nodes_of(team_a.ask("ls"))
    say("""One application relies on search-bold: no answer that was right may become wrong. So
        that is a gate, for search-bold and what is made from it.""")
    no_flips = ("--name", "no-flips", "--on", "search-bold")
    gate = ("--gate", "max_negative_flips(0.0)")
    team_a.mgit("check", "add", "judging:retrieval", *no_flips, *gate)
    say(f"""Now all are made again, by the recorded recipes, two at once{_where(executor)}. Each is
        tested before anybody sees it; exit code 1 says that not all passed.""")
    team_a.mgit("cascade", "run", "--executor", executor, "--jobs", "2", code=1)
    ended = team_a.ask("cascade", "show")["ended"]
    after = nodes_of(team_a.ask("ls"))
    moved = {name for name in after if after[name] != before[name]}
    expect("what passed is published", moved == REMADE == set(ended["published"]))
    states = {step["title"]: step["state"] for step in ended["steps"]}
    expect("search-bold did not pass", states["search-bold"] == "test failed")
    expect("the others keep their versions", moved.isdisjoint(KEPT_BACK))
    for name in sorted(REMADE):
        scene.keep(team_a, name, f"{name}-2")
    say("Nothing is left running, and a second run finds that all of it is known: 0 jobs.")
    expect("no process of the cascade is left", not processes_below(scene.root))
    team_a.mgit("cascade", "run", "--executor", executor, "--jobs", "2", code=1)
    again = team_a.ask("cascade", "show")["ended"]
    expect("no job ran", again["jobs"] == 0)
    expect("nothing has moved", nodes_of(team_a.ask("ls")) == after)


def _where(executor: str) -> str:
    return ", on Ray actors" if executor == "ray" else ""


def processes_below(root: Path) -> list[Any]:
    """Returns the processes that were started for somebody whose folder is below ``root``.

    They are known by their environment, which names the folder; only Linux tells.
    """
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"MGIT_CONFIG_HOME={root}/".encode() in place.read_bytes():
                found.append(place.parent.name)
        except OSError:  # it has ended, or is somebody else's
            continue
    return found
