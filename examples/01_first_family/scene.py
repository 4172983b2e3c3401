"""Who is in the story, and which models it is about: real ones, or tiny ones for a quick test."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from story import Launch, Person, Words, expect, mgit_in_processes, mgit_in_this_process


@dataclass(frozen=True, slots=True)
class Family:
    """How the first models are made; the others are made from them.

    Attributes:
        about: What it is, for people.
        base: Words after ``relatives.py`` that write the checkpoint ``minilm``.
        finetunes: Likewise ``search`` and ``search-bold``, from ``minilm``.
        is_judged: Whether the models mean something, so that they can be evaluated.
        shows: What making them shows.
        launch: How ``mgit`` is run.
    """

    about: str
    base: Words
    finetunes: tuple[Words, Words]
    is_judged: bool
    shows: str
    launch: Launch


REAL = Family(
    about="all-MiniLM-L6-v2 and relatives of it, 23 million parameters each",
    base=("base", "minilm"),
    finetunes=(
        ("finetune", "minilm", "search", "--seed", "1"),
        ("finetune", "minilm", "search-bold", "--seed", "2", "--learning-rate", "5e-5"),
    ),
    is_judged=True,
    shows="two fine-tunes beat the base model on unseen data; pruned and cast, they still do",
    launch=mgit_in_processes,
)
TINY = Family(
    about="tiny models with random weights, in place of all-MiniLM-L6-v2 and its relatives",
    base=("tiny", "minilm"),
    finetunes=(
        ("nudge", "minilm", "search", "--seed", "1"),
        ("nudge", "minilm", "search-bold", "--seed", "2"),
    ),
    is_judged=False,
    shows="nothing of mgit; these are random, the real ones are measured here",
    launch=mgit_in_this_process,
)


@dataclass(slots=True)
class Scene:
    """What the steps of the story share.

    Attributes:
        root: Folder in which everybody has a folder.
        family: The models.
        team_a: They own the base model.
        team_b: They work with it elsewhere.
        stranger: Has a copy, and no role.
        scores: Checkpoint -> mean reciprocal rank, where it was measured.
        added: Short id of a node -> the checkpoint folder that it was.
    """

    root: Path
    family: Family
    team_a: Person
    team_b: Person
    stranger: Person
    scores: dict[str, float] = field(default_factory=dict)
    added: dict[str, Path] = field(default_factory=dict)

    @classmethod
    def at(cls, root: Path, family: Family) -> "Scene":
        """Returns the scene as it begins, with empty folders below ``root``."""
        team_a, team_b, stranger = (
            Person(name, root, family.launch) for name in ("team-a", "team-b", "stranger")
        )
        for person in (team_a, team_b, stranger):
            person.folder.mkdir(parents=True)
        return cls(root, family, team_a, team_b, stranger)

    def add(self, person: Person, checkpoint: str, name: str, *words: str) -> None:
        """Lets a person add a checkpoint, and remembers which."""
        ran = person.mgit("add", checkpoint, name, *words)
        _, short, *_ = ran.out.split()
        self.added[short] = (person.folder / checkpoint).resolve()

    def added_folder(self, node: str) -> Path:
        """Returns the checkpoint folder that was added as a node, given its whole id."""
        return self.added[node.removeprefix("sha256:")[:12]]


def require_equal_folders(made: Path, original: Path) -> str:
    """Returns how much was compared: every file of both folders, byte for byte.

    Raises:
        ClaimError: They differ.
    """
    contents = {path: path.read_bytes() for path in _files(original)}
    found = {path.relative_to(made): path for path in _files(made)}
    expected = {path.relative_to(original): data for path, data in contents.items()}
    expect(f"{made} has the files of {original}", found.keys() == expected.keys())
    for relative, path in found.items():
        expect(f"{path} has the bytes of the original", path.read_bytes() == expected[relative])
    return f"{len(expected)} files, {sum(map(len, contents.values())):,} bytes"


def size_of(folder: Path) -> int:
    """Returns the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def nodes_of(listed: Any) -> dict[str, str]:
    """Returns name -> node of what ``mgit ls --json`` says."""
    return {row["name"]: row["node"] for row in listed["names"]}
