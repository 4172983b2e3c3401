"""The end: a damaged disk, and whether what comes out is what went in."""

from pathlib import Path

from at_home import MINILM
from scene import Scene, require_equal_folders, short_of, size_of
from story import expect, say


def damage_and_heal(scene: Scene) -> None:
    """A bit flips on the disk of team A."""
    team_a = scene.team_a
    packs = (team_a.folder / ".mgit/packs").glob("*.chunks")
    pack = min(packs, key=lambda path: path.stat().st_mtime_ns)
    say(f"""One bit flips on Alice's disk: in the middle of packs/{pack.name[:12]}….chunks, the
        first of her packs. A check finds it, and names the object, the pack, and every model
        that cannot be read any more, the ones that are stored as differences too.""")
    flip_a_bit(pack, at=pack.stat().st_size // 2)
    found = team_a.look("fsck", code=5)
    (damage,) = found["damage"]
    expect("the pack is named", damage["place"]["pack"].endswith(pack.stem))
    expect("minilm and its fine-tunes are", {"minilm@v1", "search-bold"} <= set(damage["models"]))
    say("No wrong weight gets out:")
    team_a.mgit("export", "minilm@v1", "../broken", code=5)
    expect("nothing is left behind", not (scene.root / "broken").exists())
    say("""The same checkpoint, added again, heals itself and all that rests on it. It is the first
        minilm, so it gets a name of its own.""")
    team_a.mgit("add", "minilm", "minilm-first", "-m", MINILM)
    checked = team_a.look("fsck")
    expect("everything can be read again", checked["is_clean"])


def flip_a_bit(path: Path, *, at: int) -> None:
    """Changes the lowest bit of one byte of a file."""
    with path.open("r+b") as file:
        file.seek(at)
        (old,) = file.read(1)
        file.seek(at)
        file.write(bytes([old ^ 1]))


def export_everything(scene: Scene) -> None:
    """All versions of all models come out as they went in."""
    team_a = scene.team_a
    say("""Every version of every model, the ones that were replaced and the stranger's too, is
        written back and compared with the folder that was added; a model that was made in a
        repository, with what it was when it had just been made.""")
    nodes = [row["node"] for row in team_a.ask("log")["nodes"]]
    expect("all that was made is there", len(nodes) == len(scene.added))
    originals = {short_of(node): scene.added_folder(node) for node in nodes}
    exports = [("export", short, f"../out/{folder.name}") for short, folder in originals.items()]
    team_a.mgit_at_once(*exports)
    for folder in originals.values():
        compared = require_equal_folders(scene.root / "out" / folder.name, folder)
        print(f"out/{folder.name} = {folder.relative_to(scene.root)}: {compared}")


def weigh(scene: Scene) -> None:
    """What all of it takes."""
    team_a = scene.team_a
    say("What all of them take in Alice's repository, next to what their folders take:")
    stats = team_a.look("stats")
    folders = sum(size_of(folder) for folder in scene.added.values())
    packs = (team_a.folder / ".mgit/packs").glob("*.*")
    stored = sum(path.stat().st_size for path in packs)
    expect("stats counts what lies on the disk", stats["pack_bytes"] == stored)
    expect("weights take less than in files", stats["stored_bytes"] < stats["raw_bytes"])
    scores = ", ".join(f"{name} {score:.3f}" for name, score in scene.scores.items())
    say(f"""{len(scene.added)} checkpoints: {folders / 1e6:,.1f} MB as folders,
        {stored / 1e6:,.1f} MB in the repository, {folders / stored:.2f} times less.
        {"MRR: " + scores + "." if scores else ""}""")
