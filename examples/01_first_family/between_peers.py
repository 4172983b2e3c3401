"""The second half: another team's copy, work that crosses, and somebody without a role."""

from scene import Scene, nodes_of, require_equal_folders, size_of
from story import Person, expect, say
from trusting import trust_code

BRANCH = "descendants(minilm) & ~search-bold & ~search-bold-bf16"


def admit(scene: Scene) -> None:
    """Team B's key gets a role."""
    say("""Team B, in another company, has keys of its own. Bob makes one, and tells Alice its
        public half by mail; she gives it a role in her repository.""")
    scene.team_b.mgit("key", "new", "--as", "bob")
    key = scene.team_b.look("whoami")["key"]["key"]
    scene.team_a.mgit("trust", "add", key, "--role", "maintainer", "--as", "bob")
    members = scene.team_a.look("trust", "list")["members"]
    roles = {member["label"]: member["roles"] for member in members}
    expect(
        "alice may do everything, bob moves names",
        roles == {"alice": ["maintainer", "root"], "bob": ["maintainer"]},
    )


def clone_a_branch(scene: Scene) -> None:
    """A copy of one branch, without weights."""
    team_b = scene.team_b
    say("""Bob copies one branch of the family, and leaves the weights where they are. The other
        repository may be any folder that he can reach: on a disk, a share, a stick.""")
    team_b.mgit("clone", "../team-a", "models", "--select", BRANCH, "--no-weights")
    team_b.enter("models")
    held = size_of(team_b.folder / ".mgit")
    whole = size_of(scene.team_a.folder / ".mgit")
    say(f"That is {held / 1000:,.0f} kB of {whole / 1e6:,.1f} MB, and enough to look at all of it:")
    expect(
        "the copy holds no chunk of weights",
        not list((team_b.folder / ".mgit" / "packs").glob("*.chunks")),
    )
    team_b.look("log", BRANCH, "--graph")
    team_b.look("ls")
    shown = team_b.look("show", "search-pruned")
    expect("bob sees how alice made it", "cascade" in shown["message"])
    team_b.look("status")
    say("The weights are not here, and mgit says so, and why, instead of writing half a model:")
    refused = team_b.mgit("export", "search", "../search", code=4)
    expect("the refusal names the way out", "backfill" in refused.err)
    expect("nothing is left behind", not (team_b.home / "team-b" / "search").exists())


def fetch_weights(scene: Scene) -> None:
    """The weights of what is needed."""
    say("So Bob fetches the weights of the one model that he wants to work with.")
    scene.team_b.mgit("backfill", "search")
    scene.team_b.mgit("export", "search", "../search")
    compared = require_equal_folders(scene.root / "team-b/search", scene.root / "team-a/search-2")
    say(f"Byte for byte what Alice has: {compared}.")


def work_apart(scene: Scene) -> None:
    """Both go on with the same model, and one of them is offline."""
    team_a, team_b = scene.team_a, scene.team_b
    say("""Bob goes offline: the folder of team A is renamed, so that nothing reaches it. He works
        on, signs what he does, and asks nobody. (The noise stands for a month of training.)""")
    away = scene.root / "team-a.away"
    team_a.folder.rename(away)
    unreachable = team_b.mgit("fetch", code=7)
    expect("the failure names the place", "team-a" in unreachable.err)
    team_b.make(("nudge", "../search", "../search-legal", "--seed", "7"))
    made = ("--operation", "nudge", "-m", "legal texts too")
    scene.add(team_b, "../search-legal", "search", "--parent", "search", *made)
    away.rename(team_a.folder)
    say("Meanwhile Alice, who knows nothing of this, makes a new version of the same model.")
    team_a.make(("nudge", "search-2", "search-medical", "--seed", "8"))
    made = ("--operation", "nudge", "-m", "medical texts too")
    scene.add(team_a, "search-medical", "search", "--parent", "search", *made)


def keep_both_sides(scene: Scene) -> None:
    """What both did meets: a conflicted name."""
    team_a, team_b = scene.team_a, scene.team_b
    say("""Bob is online again. Both moved the name search, so after a pull it stands for two
        models. Neither is lost, and no weights are mixed: exit code 1 says that people decide.""")
    pulled = team_b.mgit("pull", code=1)
    expect("the conflict is named", "search" in pulled.out)
    (conflict,) = team_b.look("status")["conflicts"]
    expect("both sides have a name", conflict["sides"].keys() == {"search@alice", "search@bob"})
    say("The bare name is refused from now on, and so is a push that would carry this to Alice.")
    refused = team_b.mgit("show", "search", code=1)
    expect("both are listed", "search@alice" in refused.err and "search@bob" in refused.err)
    team_b.mgit("push", code=1)
    expect("alice's name has not moved", _target(team_a) == conflict["sides"]["search@alice"])


def settle(scene: Scene) -> None:
    """Both sides are merged, the check decides, and everybody follows."""
    team_a, team_b = scene.team_a, scene.team_b
    say("""They talk, and want both: legal texts and medical ones. A merge takes what either side
        changed, and the mean of what both did. It becomes search only if it passes the checks that
        Alice registered; their code is hers, so Bob reads and trusts it first.""")
    team_b.mgit("backfill", "search@alice")
    trust_code(team_b, "--check", "retrieval")
    sides = ("search@alice", "search@bob", "--into", "search", "--method", "average")
    team_b.mgit("merge", *sides, "-m", "legal and medical texts")
    expect("nothing is left to decide", not team_b.ask("status")["conflicts"])
    scene.keep(team_b, "search", "../search-merged")
    team_b.mgit("push")
    say("A second push finds everything there.")
    before = size_of(team_a.folder / ".mgit/packs")
    team_b.mgit("push")
    expect("nothing was sent", size_of(team_a.folder / ".mgit/packs") == before)
    say("Alice need not do anything: her repository is where Bob pushed to.")
    merged = nodes_of(team_a.look("ls"))["search"]
    expect("alice's name follows", scene.added_folder(merged).name == "search-merged")
    team_a.mgit("log", "search", "--graph")


def ask_who(scene: Scene) -> None:
    """Who did what, as far as signatures reach."""
    say("Who made the model that is called search now, and all that it was made from?")
    trail = scene.team_a.look("verify", "search")
    expect("every step is signed by a key with a role", trail["is_verified"])
    makers = {
        step["title"]: {maker["label"] for maker in step["makers"]} for step in trail["steps"]
    }
    expect("both stand for what bob made again", makers["search@v2"] == {"alice", "bob"})
    expect("bob merged", makers["search"] == {"bob"})


def step_back(scene: Scene) -> None:
    """A step is taken back, and that is a step too."""
    team_a = scene.team_a
    say("Alice has second thoughts, and lets search be what it was at first.")
    team_a.mgit("resolve", "search", "--pick", "search@v1")
    first = nodes_of(team_a.look("ls", "search"))["search"]
    expect("search is the first version", scene.added_folder(first).name == "search")
    say("Then she takes that back. Nothing is ever removed from the log, so forward is as easy.")
    team_a.mgit("undo")
    again = nodes_of(team_a.look("ls", "search"))["search"]
    expect("search is the merged one again", scene.added_folder(again).name == "search-merged")
    team_a.mgit("op", "log")


def meet_a_stranger(scene: Scene) -> None:
    """Somebody without a role can say much and move nothing."""
    team_a, stranger = scene.team_a, scene.stranger
    before = nodes_of(team_a.ask("ls"))
    say("""Somebody else has access to the folder, but no role: Mallory copies it, changes the
        weights, and pushes them as the next version of search.""")
    stranger.mgit("clone", "../team-a", "models", "--select", "search", "--as", "mallory")
    stranger.enter("models")
    stranger.mgit("export", "search", "../search")
    stranger.make(("nudge", "../search", "../tampered", "--seed", "666"))
    made = ("--operation", "nudge", "-m", "trust me")
    scene.add(stranger, "../tampered", "search", "--parent", "search", *made)
    stranger.mgit("push")
    say("At team A nothing has moved. What Mallory says is kept, under the name of who says it.")
    after = nodes_of(team_a.look("ls"))
    theirs = after.pop("@mallory/search")
    expect("no shared name has moved", after == before)
    expect("it is what the stranger added", scene.added_folder(theirs).name == "tampered")
    trail = team_a.look("verify", "@mallory/search", code=6)
    bad = [step["title"] for step in trail["steps"] if not step["is_verified"]]
    expect("it is the stranger's step that is not vouched for", bad == ["@mallory/search"])
    team_a.look("status")


def _target(person: Person) -> str:
    return nodes_of(person.ask("ls", "search"))["search"]
