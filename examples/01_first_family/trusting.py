"""Code of others: read, trusted by its digest, and run to see whether the same comes out."""

from scene import Scene
from story import Person, expect, say


def reproduce(scene: Scene) -> None:
    """Team B makes a model of team A again."""
    team_b = scene.team_b
    say("""Alice says how search was made. Is it so? Bob can make it again, from the same parent by
        the same code. That code is Alice's, so it does not run here before Bob says so.""")
    team_b.mgit("backfill", "minilm")
    refused = team_b.mgit("reproduce", "search", code=6)
    expect("the refusal names the way", "trust code" in refused.err)
    say("He reads it. Where nobody can be asked, the digest of what was read has to be given.")
    trust_code(team_b, "search")
    made = team_b.mgit("reproduce", "search")
    expect("the same content comes out", "the same" in made.out and "NOT" not in made.out)


def trust_code(person: Person, *words: str) -> None:
    """Lets a person read code, and trust exactly that."""
    shown = person.look("trust", "code", *words, code=6)
    person.mgit("trust", "code", *words, "--digest", shown["verbatim"].removeprefix("sha256:"))
